using WebhookService.Application.Journal;
using WebhookService.Domain;

namespace WebhookService.Application.Consumers;

/// <summary>Where a consumer is.</summary>
/// <param name="Position">All events up to this sequence number are done, parked or dead letters.</param>
/// <param name="ReplayUntil">Events up to this one were handled before; null outside a replay.</param>
/// <param name="Handled">Events that it handled since it exists.</param>
/// <param name="Missed">Events that retention removed before it read them.</param>
public sealed record ConsumerState(long Position, bool IsPaused, long? ReplayUntil, long Handled, long Missed, string? LastError, DateTimeOffset? LastErrorAt);

/// <summary>An event that failed, or that waits behind one of the same client that did.</summary>
/// <param name="Attempts">Tries so far; 0 for one that only waits.</param>
/// <param name="NextAt">When it is tried again.</param>
public sealed record ParkedEvent(long Seq, ClientId? Client, int Attempts, DateTimeOffset NextAt, bool IsReplay);

/// <summary>An event that failed for the last time.</summary>
public sealed record DeadLetter(JournalEntry Entry, int Attempts, string Reason, string Detail, DateTimeOffset FailedAt);

/// <summary>What happened to a consumer since the last time; written in one transaction, so that no event falls between.</summary>
public sealed record ConsumerProgress(
    string Name, ConsumerState State, IReadOnlyCollection<ParkedEvent> Parked, IReadOnlyCollection<long> Unparked, IReadOnlyCollection<DeadLetter> Dead);

/// <summary>The consumers' places. Read at any time; written in the writer's transaction.</summary>
public interface IConsumerStore
{
    ValueTask SaveAsync(ConsumerProgress progress, CancellationToken cancellation);

    /// <summary>Takes a dead letter back into the queue of its client.</summary>
    /// <returns>The event as it waits now; null if there is no such dead letter.</returns>
    ValueTask<ParkedEvent?> RedeliverAsync(string consumer, long deadLetter, DateTimeOffset now, CancellationToken cancellation);

    ValueTask<bool> HasDeadLettersAsync(string consumer, CancellationToken cancellation);

    ValueTask<bool> DropDeadLetterAsync(string consumer, long deadLetter, CancellationToken cancellation);
}

/// <summary>Reads the journal for consumers.</summary>
public interface IJournalReader
{
    /// <summary>The next events of these types, oldest first, a bounded number of them.</summary>
    JournalPage Read(long after, EventTypes types, bool withPayload, int limit);

    /// <summary>Events up to here are gone, removed by retention; 0 if none is.</summary>
    long ReadGone();

    /// <summary>One event; null if retention removed it.</summary>
    JournalEntry? Find(long seq, bool withPayload);

    /// <summary>Where the consumer is; null if it is new.</summary>
    (ConsumerState State, IReadOnlyList<ParkedEvent> Parked)? Load(string consumer);
}

/// <param name="Next">All up to here was looked at; go on behind it.</param>
/// <param name="Gone">Events up to here were removed, by retention or with their devices; 0 if none is known to be.</param>
public sealed record JournalPage(IReadOnlyList<JournalEntry> Entries, long Next, long Gone);
