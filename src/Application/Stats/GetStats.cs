using WebhookService.Application.Common;

namespace WebhookService.Application.Stats;

/// <summary>The service in numbers. Cheap enough to be asked every second, however much is stored.</summary>
public sealed record GetStats : IQuery<StatsView>;

public sealed record StatsView(DeviceStats Devices, SessionStats Sessions, SubscriptionStats Subscriptions, MessageStats Messages, JournalStats Journal, QuarantineStats Quarantine, IngestStats Ingest, StorageStats Storage, CorrectionStats Corrections)
{
    /// <summary>The moment the numbers are of.</summary>
    public required DateTimeOffset At { get; init; }
    public required ConsumerStats Consumers { get; init; }

    /// <summary>What retention removed of each kind, and how far back what is kept reaches.</summary>
    public required IReadOnlyList<RetentionStats> Retention { get; init; }
}

/// <param name="Lag">Events of the journal that the slowest business handler has not got to.</param>
/// <param name="WithDeadLetters">Business handlers that have dead letters.</param>
public sealed record ConsumerStats(long Lag, int WithDeadLetters);

/// <param name="Inferred">Of all, those whose status rests on evidence that allows another reading.</param>
/// <param name="Stale">Of all, those that were not heard for longer than their keep alive allows.</param>
/// <param name="Flapping">Of all, those that come and go too often at present.</param>
public sealed record DeviceStats(long Total, long Online, long Offline, long Unknown, long Inferred, long Stale, long Flapping);

/// <param name="Open">Connections that have begun and not ended.</param>
public sealed record SessionStats(long Open);

/// <param name="Current">Subscriptions in force.</param>
public sealed record SubscriptionStats(long Current);

/// <param name="Total">Those that are kept, as their numbers tell: exact as long as no device was forgotten, else a little too high.</param>
/// <param name="PerSecond">Mean over the last minute, by the broker's time of publishing.</param>
public sealed record MessageStats(long Total, double PerSecond);

/// <param name="Head">The newest sequence number; 0 while nothing has happened.</param>
/// <param name="Oldest">The oldest one that is kept.</param>
public sealed record JournalStats(long Head, long? Oldest);

/// <param name="Size">Bodies that were refused and kept.</param>
public sealed record QuarantineStats(long Size);

/// <param name="QueueDepth">Commands that wait for the writer.</param>
/// <param name="QueueCapacity">Commands that may wait before senders are told to try again later.</param>
public sealed record IngestStats(int QueueDepth, int QueueCapacity);

/// <summary>Devices whose status a broker's own client list corrected since the service started: how far the reports alone are to be trusted.</summary>
public sealed record CorrectionStats(long Online, long Offline);

/// <param name="Bytes">The size of the database file with its write-ahead log.</param>
/// <param name="Used">Bytes of the file that hold something, which Retention:MaxDatabaseBytes bounds.</param>
public sealed record StorageStats(long Bytes, long Used);

/// <param name="Kind">Such as `messages`.</param>
/// <param name="Removed">Rows, since the start.</param>
/// <param name="Oldest">By when the oldest that is kept had come in; null if none is, or it came just now.</param>
public sealed record RetentionStats(string Kind, long Removed, DateTimeOffset? Oldest);
