using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application.BusinessHandlers;

namespace WebhookService.Infrastructure.Plugins;

/// <summary>
/// An assembly with handlers that was built apart. All that it names is looked up when it is loaded, so that what is missing or of another
/// version is told at the start, and not by the first event.
/// </summary>
internal sealed class Plugin
{
    private readonly Assembly assembly;
    private readonly PluginContext context;

    private Plugin(Assembly assembly, PluginContext context) => (this.assembly, this.context) = (assembly, context);

    public string Name => assembly.GetName().Name!;

    /// <exception cref="PluginException">It does not load, or not with this service.</exception>
    public static Plugin Load(string file)
    {
        if (!File.Exists(file)) throw new PluginException("is not there, or may not be read. A plug-in is a folder with a .dll of the folder's name");
        try
        {
            var name = AssemblyName.GetAssemblyName(file);
            if (PluginContext.VersionOfShared(name) is not null) throw new PluginException("is a part of the service itself. Copy what your own project builds");
            var own = new PluginContext(name.Name!, file);
            var plugin = new Plugin(own.LoadFromAssemblyPath(file), own);
            plugin.CheckReferences();
            plugin.CheckNames(file);
            if (!HandlerFinder.HandlersIn(plugin.assembly).Any())
                throw new PluginException("has no handler: no class of it implements IBusinessHandler<…> or IMessageHandler<…>. Add one, or remove the plug-in");
            return plugin;
        }
        catch (BadImageFormatException unreadable)
        {
            throw new PluginException("is no .NET assembly, or one for another kind of machine. Build it for net10.0 and any CPU, and copy it whole", unreadable);
        }
        catch (ReflectionTypeLoadException mismatch)
        {
            throw AnotherVersion(string.Join(" ", mismatch.LoaderExceptions.Select(one => one?.Message).Distinct().Take(3)), mismatch);
        }
        catch (Exception mismatch) when (mismatch is TypeLoadException or MissingMemberException)
        {
            throw AnotherVersion(mismatch.Message, mismatch);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            throw new PluginException($"does not load: {failure.Message}", failure);
        }
    }

    /// <summary>Its own services, then its handlers.</summary>
    public void AddTo(IServiceCollection services, IConfiguration configuration, string origin)
    {
        var entries = assembly.GetTypes().Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IPluginServices))).ToList();
        if (entries.Count > 1) throw new PluginException($"has several {nameof(IPluginServices)}: {string.Join(", ", entries)}. Leave one");
        if (entries is [var entry])
        {
            try
            {
                ((IPluginServices)Activator.CreateInstance(entry, nonPublic: true)!).Add(services, configuration);
            }
            catch (Exception fault)
            {
                var failure = fault is TargetInvocationException { InnerException: { } inner } ? inner : fault;
                throw new PluginException($"could not add its services: {failure.GetType().Name}: {failure.Message.TrimEnd('.')} ({entry.FullName})", failure);
            }
        }
        services.AddSingleton(new HandlerAssembly(assembly, origin));
    }

    /// <summary>Every assembly that it needs, and those that they need.</summary>
    private void CheckReferences()
    {
        var (seen, open) = (new HashSet<string>(StringComparer.OrdinalIgnoreCase), new Queue<Assembly>([assembly]));
        while (open.TryDequeue(out var one))
            foreach (var wanted in one.GetReferencedAssemblies().Where(wanted => seen.Add(wanted.Name!)))
            {
                if (PluginContext.VersionOfShared(wanted) is { } ours)
                {
                    if (ours < wanted.Version)
                        throw new PluginException($"{Needs(one, wanted)}, and the service has {ours}: it was built against a newer one. Build it against this version of the service, or update the service");
                    continue;
                }
                try
                {
                    var found = context.LoadFromAssemblyName(wanted);
                    if (PluginContext.GetLoadContext(found) == context) open.Enqueue(found);
                }
                catch (Exception missing) when (missing is FileNotFoundException or FileLoadException)
                {
                    throw Missing(one, wanted, missing);
                }
            }
    }

    private string Needs(Assembly by, AssemblyName wanted) => $"needs {wanted.Name} {wanted.Version}{(by == assembly ? "" : $" (by {by.GetName().Name})")}";

    private PluginException Missing(Assembly by, AssemblyName wanted, Exception cause) => wanted.Name is "System.Runtime" or "System.Private.CoreLib"
        ? new($"{Needs(by, wanted)}, and the service runs on .NET {Environment.Version}. Build it for net{Environment.Version.Major}.0", cause)
        : new($"{Needs(by, wanted)}, which is not there. Copy all of the build's output beside it, with <EnableDynamicLoading>true</EnableDynamicLoading> in its project", cause);

    /// <summary>Every type, method and field of others that it names, as far as that needs no type arguments.</summary>
    private void CheckNames(string file)
    {
        using var image = new PEReader(File.OpenRead(file));
        var (metadata, module) = (image.GetMetadataReader(), assembly.ManifestModule);
        foreach (var type in metadata.TypeReferences) module.ResolveType(MetadataTokens.GetToken(type));
        foreach (var member in metadata.MemberReferences)
            if (metadata.GetMemberReference(member).Parent.Kind is HandleKind.TypeReference) module.ResolveMember(MetadataTokens.GetToken(member));
        assembly.GetTypes();
    }

    private static PluginException AnotherVersion(string what, Exception cause) => new(
        $"was built against another version of the service, or of what lies beside it: {what.TrimEnd('.')}. Build it against this version of the service and copy all of the build's output", cause);
}
