using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace WebhookService.Infrastructure.Plugins;

/// <summary>`Plugins`.</summary>
public sealed class PluginsOptions
{
    public const string Section = "Plugins";
    public const string DefaultFolder = "plugins";

    /// <summary>Where plug-ins are; a path is taken from where the program is. The default may be missing, another may not.</summary>
    public string Folder { get; init; } = DefaultFolder;
}

/// <summary>
/// Loads business handlers that were built apart: `plugins/‹Name›/‹Name›.dll`, with whatever it needs beside it. One that does not load ends the
/// start: a handler that does not run without anybody knowing would be worse.
/// </summary>
public static class PluginFolder
{
    /// <param name="root">What a relative folder is relative to.</param>
    /// <exception cref="OptionsValidationException">Plug-ins do not load, or clash: a sentence for each, with the file and what to do.</exception>
    public static IServiceCollection AddPlugins(this IServiceCollection services, IConfiguration configuration, string root)
    {
        var options = new PluginsOptions();
        configuration.GetSection(PluginsOptions.Section).Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
        var folder = new DirectoryInfo(Path.Combine(root, options.Folder));
        if (!folder.Exists && options.Folder is PluginsOptions.DefaultFolder) return services;

        var mistakes = new List<string>();
        try
        {
            var loaded = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var stray in folder.EnumerateFiles("*.dll"))
                mistakes.Add($"{stray.FullName} lies beside the plug-ins. Give it a folder of its own: {Path.Combine(folder.FullName, Path.GetFileNameWithoutExtension(stray.Name), stray.Name)}.");
            foreach (var one in folder.EnumerateDirectories().Where(one => !one.Name.StartsWith('.')).OrderBy(one => one.Name, StringComparer.Ordinal))
            {
                var file = Path.Combine(one.FullName, one.Name + ".dll");
                try
                {
                    var plugin = Plugin.Load(file);
                    if (!loaded.TryAdd(plugin.Name, file)) throw new PluginException($"is the same assembly as {loaded[plugin.Name]}. Remove one of them");
                    plugin.AddTo(services, configuration, $"{folder.Name}/{one.Name}/{one.Name}.dll");
                }
                catch (PluginException mistake)
                {
                    mistakes.Add($"The plug-in {file} {mistake.Message.TrimEnd('.')}.");
                }
            }
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            mistakes.Add($"{PluginsOptions.Section}:{nameof(PluginsOptions.Folder)} cannot be read: {unreadable.Message.TrimEnd('.')}. Create it, let this user read it, or name another.");
        }
        return mistakes.Count == 0 ? services : throw new OptionsValidationException(PluginsOptions.Section, typeof(PluginsOptions), mistakes);
    }
}

/// <summary>What is wrong with a plug-in, as the end of a sentence that begins with its file.</summary>
internal sealed class PluginException(string what, Exception? cause = null) : Exception(what, cause);
