using System.Collections.Frozen;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using WebhookService.Domain;

namespace WebhookService.Api.Webhooks;

/// <summary><c>Ingest</c>: what is taken in, and from whom.</summary>
internal sealed class IngestOptions
{
    /// <summary>The largest body in bytes; a larger one is answered 413 and its beginning kept in quarantine.</summary>
    [Range(1024, 256 * 1024 * 1024)]
    public int MaxBodyBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>
    /// How many webhooks that one connection pipelines are handled at the same time at most; 1: one after another. All connections that pipeline share 256,
    /// or up to four each where they are many.
    /// </summary>
    [Range(1, 1000)]
    public int Pipelining { get; init; } = 100;

    /// <summary>The source that <c>POST /webhook</c> and the tutorials' paths stand for.</summary>
    [Required]
    public string DefaultSource { get; init; } = WebhookSources.Emqx;

    /// <summary>The sources by name, as in <c>POST /webhook/‹name›</c>. <c>emqx</c> exists without being named here.</summary>
    public Dictionary<string, SourceOptions> Sources { get; init; } = new(StringComparer.OrdinalIgnoreCase);
}

/// <summary>
/// <c>Ingest:Sources:‹name›</c>. Where a value is to be found is written <c>header:Name</c> or as the path of a body member, <c>data.id</c>.
/// </summary>
internal sealed class SourceOptions
{
    /// <summary>Who sends: <c>emqx</c>, <c>json</c>.</summary>
    [Required]
    public string Kind { get; init; } = WebhookSources.Emqx;

    /// <summary>Kind <c>emqx</c>: how the broker writes the field <c>payload</c>. Nothing in a body tells, so it must be said here.</summary>
    [RegularExpression("^(plain|base64|base62)$", ErrorMessage = "PayloadEncoding knows 'plain', 'base64' and 'base62'.")]
    public string PayloadEncoding { get; init; } = Webhooks.PayloadEncoding.Plain;

    /// <summary>Kind <c>json</c>: where the event's name is; without one all events are called <c>received</c>.</summary>
    public string? Event { get; init; }

    /// <summary>Kind <c>json</c>: where the sender's id of the delivery is, by which a repetition is known; without one every body is news.</summary>
    public string? DeliveryId { get; init; }

    /// <summary>Kind <c>json</c>: where the id of the client is that the event speaks of.</summary>
    public string? ClientId { get; init; }

    /// <summary>Kind <c>json</c>: where the time of the event is, RFC 3339 or Unix time; else the time of arrival counts.</summary>
    public string? Time { get; init; }
}

/// <summary>Checks what no single option shows: names, kinds, the default.</summary>
internal sealed partial class IngestOptionsCheck(IEnumerable<IWebhookSource> kinds) : IValidateOptions<IngestOptions>
{
    /// <summary>Paths of their own, see <see cref="WebhookController"/>.</summary>
    private static readonly string[] Taken = ["publishHook", "eventHook"];

    /// <summary>First words of our own event types. A source's events begin with its name, and are not to pass for ours.</summary>
    private static readonly FrozenSet<string> OwnWords = typeof(EventNameAttribute).Assembly.GetTypes()
        .Select(type => type.GetCustomAttribute<EventNameAttribute>()?.Name.Split('.')[0]).OfType<string>().ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public ValidateOptionsResult Validate(string? name, IngestOptions options)
    {
        var mistakes = new List<string>();
        foreach (var (source, of) in options.Sources)
        {
            if (!Name().IsMatch(source))
                mistakes.Add($"Ingest:Sources:{source}: a name is made of letters and digits, joined by single '-' or '_', and has at most 64.");
            if (Taken.Contains(source, StringComparer.OrdinalIgnoreCase))
                mistakes.Add($"Ingest:Sources:{source}: /webhook/{source} is the path of EMQX tutorials; choose another name.");
            if (OwnWords.Contains(source))
                mistakes.Add($"Ingest:Sources:{source}: '{source}.…' are event types of the service's own; choose another name.");
            if (kinds.All(kind => kind.Kind != of.Kind))
                mistakes.Add($"Ingest:Sources:{source}:Kind is '{of.Kind}'; known are {string.Join(", ", kinds.Select(kind => kind.Kind).Order(StringComparer.Ordinal))}.");
            var found = new List<ValidationResult>();
            if (!Validator.TryValidateObject(of, new ValidationContext(of), found, validateAllProperties: true))
                mistakes.AddRange(found.Select(one => $"Ingest:Sources:{source}: {one.ErrorMessage}"));
        }
        if (!options.DefaultSource.Equals(WebhookSources.Emqx, StringComparison.OrdinalIgnoreCase) && !options.Sources.ContainsKey(options.DefaultSource))
            mistakes.Add($"Ingest:DefaultSource is '{options.DefaultSource}', which Ingest:Sources does not have.");
        return mistakes.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    [GeneratedRegex("^(?=.{1,64}$)[A-Za-z0-9]+([-_][A-Za-z0-9]+)*$", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Name();
}
