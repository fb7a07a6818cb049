using Microsoft.Extensions.Options;
using WebhookService.Api.Errors;

namespace WebhookService.Api.Webhooks;

/// <summary>The sources that are configured, by name in any case of letters.</summary>
internal sealed class WebhookSources
{
    public const string Emqx = "emqx";

    private readonly Dictionary<string, WebhookSource> byName = new(StringComparer.OrdinalIgnoreCase);

    public WebhookSources(IOptions<IngestOptions> options, IEnumerable<IWebhookSource> kinds)
    {
        var byKind = kinds.ToDictionary(kind => kind.Kind);
        byName[Emqx] = new(Emqx, byKind[Emqx], new SourceOptions());
        foreach (var (name, of) in options.Value.Sources) byName[name] = new(name.ToLowerInvariant(), byKind[of.Kind], of);
        Default = options.Value.DefaultSource;
    }

    /// <summary>The name of the source that <c>POST /webhook</c> stands for.</summary>
    public string Default { get; }

    /// <exception cref="ApiException">There is none of that name: 404.</exception>
    public WebhookSource Get(string name) => byName.TryGetValue(name, out var source)
        ? source
        : throw ApiException.NotFound(
            $"There is no webhook source '{name}'.",
            $"Configured are {string.Join(", ", byName.Values.Select(known => known.Name).Order(StringComparer.Ordinal))}; add others under Ingest:Sources.");
}

/// <summary>A name under which webhooks are taken in, who speaks there, and how.</summary>
internal sealed record WebhookSource(string Name, IWebhookSource Kind, SourceOptions Options);
