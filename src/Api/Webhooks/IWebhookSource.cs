using WebhookService.Application.Common;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// One kind of sender: checks that a webhook is genuine, where its senders sign, and says it in our commands. The only place that knows the
/// sender's names. To add a kind, add one file with an implementation: it is found by itself, and configured by <c>Ingest:Sources</c>.
/// One instance serves all sources of the kind, concurrently.
/// </summary>
internal interface IWebhookSource
{
    /// <summary>The word for <c>Ingest:Sources:‹name›:Kind</c>.</summary>
    string Kind { get; }

    Translation Translate(Webhook webhook);
}

/// <summary>A webhook as it came, for a source that exists. <paramref name="Body"/> lends its memory: what is to outlive the request is copied.</summary>
internal readonly record struct Webhook(string Source, SourceOptions Options, IHeaderDictionary Headers, ReadOnlyMemory<byte> Body, DateTimeOffset ReceivedAt);

/// <summary>What a source made of a webhook.</summary>
internal abstract record Translation
{
    private Translation()
    {
    }

    /// <summary>It says these things, one an element; enumerated once, lazily where there are many.</summary>
    internal sealed record Understood(IEnumerable<Element> Elements) : Translation;

    /// <summary>The body as a whole is not what the source sends.</summary>
    internal sealed record Malformed(Mistake Mistake) : Translation;

    /// <summary>It does not come from whom it says: nothing is kept, the answer is 401.</summary>
    internal sealed record Refused(string Reason) : Translation;
}

/// <summary>A part of a body that stands for itself: a command, a mistake, or neither where it says nothing to keep.</summary>
/// <param name="Event">What it is called in metrics: a name that the source documents, else <see cref="OtherEvent"/>.</param>
internal readonly record struct Element(ReadOnlyMemory<byte> Bytes, ICommand? Command, Mistake? Mistake = null, string Event = Element.OtherEvent)
{
    public const string OtherEvent = "other";
}

/// <summary>What is wrong, as a sentence for the sender, and the field at fault where there is one.</summary>
internal sealed record Mistake(string Reason, string? Parameter = null);
