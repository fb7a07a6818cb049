using System.Reflection;
using System.Runtime.Loader;

namespace WebhookService.Infrastructure.Plugins;

/// <summary>
/// Where the assemblies of one plug-in live. What it shares with the service is the service's own, so that both mean the same types; all else
/// it may bring along, in versions of its own.
/// </summary>
internal sealed class PluginContext(string name, string file) : AssemblyLoadContext(name)
{
    /// <summary>Whose types stand in the signatures of handlers and of what is injected into them.</summary>
    private static readonly string[] Shared = ["WebhookService.", "MediatR", "Microsoft.Extensions.", "Microsoft.AspNetCore."];

    private readonly AssemblyDependencyResolver resolver = new(file);

    /// <summary>The version of an assembly that plug-ins share with the service; null if it is none of these.</summary>
    public static Version? VersionOfShared(AssemblyName wanted)
    {
        if (!Array.Exists(Shared, prefix => wanted.Name!.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))) return null;
        try
        {
            return Default.LoadFromAssemblyName(new AssemblyName(wanted.Name!)).GetName().Version;
        }
        catch (FileNotFoundException)
        {
            return null; // not here: the plug-in brings it
        }
    }

    protected override Assembly? Load(AssemblyName assemblyName) =>
        VersionOfShared(assemblyName) is null && resolver.ResolveAssemblyToPath(assemblyName) is { } path ? LoadFromAssemblyPath(path) : null; // null: as the service has it

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : nint.Zero;
}
