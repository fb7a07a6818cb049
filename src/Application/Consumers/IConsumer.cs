using System.ComponentModel.DataAnnotations;
using WebhookService.Application.Journal;
using WebhookService.Domain;

namespace WebhookService.Application.Consumers;

/// <summary>Something that follows the journal: a business handler, an endpoint that is posted to. Its place is durable under its name.</summary>
public interface IConsumer
{
    /// <summary>Unique, and never changed: under another name it begins anew.</summary>
    string Name { get; }

    ConsumerOptions Options { get; }

    /// <summary>Which events it wants, for people to read.</summary>
    string Wanted { get; }

    /// <summary>The event types that it may want; the journal is searched for no other.</summary>
    EventTypes Types { get; }

    /// <summary>Whether messages come with their payload.</summary>
    bool NeedsPayload { get; }

    /// <summary>Whether it wants this very event. Must not throw, and must say the same each time.</summary>
    bool Wants(JournalEntry entry);

    /// <summary>Does what it is for. An exception means: not done, try again later; a <see cref="GiveUpException"/>: never try again.</summary>
    Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation);
}

/// <summary>Consumers that come from configuration rather than from a class.</summary>
public interface IConsumerSource
{
    IEnumerable<ConsumerPlan> Plans();
}

/// <summary>A consumer to be, whose options can be set under `Handlers:‹name›` as those of any other.</summary>
/// <param name="Make">Makes it with the options as they were set.</param>
public sealed record ConsumerPlan(string Name, ConsumerOptions Defaults, Func<ConsumerOptions, IConsumer> Make);

/// <summary>One handling of an event.</summary>
/// <param name="Key">The journal's sequence number: the same each time the event comes, so what was done under it need not be done again.</param>
/// <param name="Attempt">From 1.</param>
/// <param name="IsReplay">The event was handled before, or became a dead letter, and somebody asked for it again.</param>
public sealed record Handling(long Key, int Attempt, bool IsReplay);

/// <summary>An event as the journal has it.</summary>
public sealed record JournalEntry
{
    public required long Seq { get; init; }
    public required string Type { get; init; }
    public required DateTimeOffset At { get; init; }
    public ClientId? Client { get; init; }

    /// <summary>What happened; a <see cref="Domain.Reports.ReportReceived"/> for what is only reported.</summary>
    public required IDomainEvent Happened { get; init; }

    /// <summary>The message it is about; null if it is about none, or the message is gone by retention.</summary>
    public JournalMessage? Message { get; init; }

    /// <summary>It is about a message that retention removed.</summary>
    public bool IsMessageGone { get; init; }

    /// <summary>Why the row could not be read, so that <see cref="Happened"/> is only its raw form; null as a rule. Becomes a dead letter of all who want its type.</summary>
    public string? Unreadable { get; init; }
}

/// <summary>The message of an event.</summary>
/// <param name="Payload">There for a consumer that needs it; others may get null.</param>
public sealed record JournalMessage(string Id, ClientId Publisher, string Topic, int Qos, bool Retain, DateTimeOffset PublishedAt, ReadOnlyMemory<byte>? Payload);

/// <summary>A consumer throws it where another try would end the same way: the event becomes a dead letter at once.</summary>
public sealed class GiveUpException(string reason, Exception? cause = null) : Exception(reason, cause);

/// <summary>A consumer throws it where it was told when to come again: the event waits as long as that, if its own wait is shorter.</summary>
/// <param name="after">An hour at the most: who asks for more is asked in between.</param>
public sealed class TryAgainException(string reason, TimeSpan after) : Exception(reason)
{
    public TimeSpan After { get; } = after < TimeSpan.FromHours(1) ? after : TimeSpan.FromHours(1);
}

/// <summary>What the consumer needs of the event was removed by retention. It is counted as missed.</summary>
public sealed class EventGoneException(string what) : Exception(what);

/// <summary>How patiently and how broadly a consumer works.</summary>
public sealed record ConsumerOptions
{
    public static readonly ConsumerOptions Default = new();

    /// <summary>Events that are handled at the same time. Those of one client never are.</summary>
    [Range(1, 256)]
    public int Lanes { get; init; } = 4;

    /// <summary>How often an event is tried before it becomes a dead letter.</summary>
    [Range(1, 100)]
    public int Attempts { get; init; } = 8;

    /// <summary>The wait after the first failure; it doubles with each further one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    [Range(typeof(TimeSpan), "00:00:00.010", "1.00:00:00")]
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long one try may take.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether a consumer that is new begins with the oldest event that is kept, not with the next one.</summary>
    public bool FromBeginning { get; init; }

    /// <summary>The wait before the next try: doubled each time, up to the longest, and spread by up to a fifth so that not all come at once.</summary>
    /// <param name="attempts">Tries so far.</param>
    /// <param name="spread">0 to 1.</param>
    public TimeSpan DelayAfter(int attempts, double spread)
    {
        var doubled = FirstDelay * Math.Pow(2, Math.Min(attempts - 1, 30));
        return (doubled < LongestDelay ? doubled : LongestDelay) * (0.8 + (0.2 * spread));
    }
}
