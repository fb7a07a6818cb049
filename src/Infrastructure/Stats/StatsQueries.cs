using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Stats;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Stats;

/// <summary>
/// Counts. count(*) without a condition counts pages of the smallest index, which is quick; the rest counts the smaller share in a covering
/// or partial index, and of messages those that are in no index yet. A million devices cost tens of milliseconds.
/// </summary>
internal sealed class StatsQueries(Database database, IIngestGauge ingest, ConsumerDesk desk, ServiceMetrics metrics, RetentionReport retention, TimeProvider time) : IQueryHandler<GetStats, StatsView>
{
    private static readonly TimeSpan RateWindow = TimeSpan.FromMinutes(1);

    private static readonly string Counts = $"""
        SELECT (SELECT count(*) FROM devices) AS devices,
               (SELECT count(*) FROM devices INDEXED BY devices_status WHERE status = 2) AS offline,
               (SELECT count(*) FROM devices INDEXED BY devices_status WHERE status = 0) AS unknown,
               (SELECT count(*) FROM devices INDEXED BY devices_unsure WHERE confidence <> 0 AND confidence = 1) AS inferred,
               (SELECT count(*) FROM devices INDEXED BY devices_unsure WHERE confidence <> 0 AND confidence = 2) AS stale,
               (SELECT count(*) FROM devices INDEXED BY devices_flapping WHERE flapping_until > @now) AS flapping,
               (SELECT count(*) FROM sessions INDEXED BY sessions_open WHERE end_at IS NULL) AS open,
               (SELECT count(*) FROM subscriptions) AS subscriptions,
               (SELECT count(*) FROM subscriptions INDEXED BY subscriptions_end WHERE ends_at <= @now) AS ended,
               (SELECT max(message_no) FROM messages) AS last_message,
               (SELECT min(message_no) FROM messages WHERE message_no > {MessageRetention.Edge}) AS first_message,
               {MessageRetention.Latest} AS latest_messages,
               (SELECT count(*) FROM messages_by_time WHERE published_at > @minute AND published_at <= @now)
                 + (SELECT count(*) FROM messages WHERE message_no > {MessageIndexes.Indexed} AND published_at > @minute AND published_at <= @now) AS recent,
               ({Journal.Journal.ReadHead}) AS head,
               (SELECT min(seq) FROM journal) AS oldest,
               (SELECT count(*) FROM quarantine) AS quarantine,
               (SELECT count(*) FROM consumers c WHERE EXISTS (SELECT 1 FROM dead_letters d WHERE d.consumer = c.name)) AS with_dead_letters
        """;

    public Task<StatsView> Handle(GetStats query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        using var connection = database.OpenForReading();
        var row = connection.QuerySingle<Row>(Counts, new { now = now.ToMs(), minute = (now - RateWindow).ToMs() });
        return Task.FromResult(new StatsView(
            new DeviceStats(row.Devices, row.Devices - row.Offline - row.Unknown, row.Offline, row.Unknown, row.Inferred, row.Stale, row.Flapping),
            new SessionStats(row.Open),
            new SubscriptionStats(row.Subscriptions - row.Ended),
            new MessageStats((row.LastMessage - row.FirstMessage + 1 ?? 0) + row.LatestMessages, Math.Round(row.Recent / RateWindow.TotalSeconds, 2)),
            new JournalStats(row.Head, row.Oldest),
            new QuarantineStats(row.Quarantine),
            new IngestStats(ingest.QueueDepth, ingest.QueueCapacity),
            new StorageStats(SizeOf(database.Path) + SizeOf(database.Path + "-wal"), DatabaseSize.Of(connection).Used),
            new CorrectionStats(metrics.Corrections.Online, metrics.Corrections.Offline))
        {
            At = now,
            Consumers = new(desk.All.Select(engine => engine.Lag).DefaultIfEmpty().Max(), row.WithDeadLetters),
            Retention = [.. retention.Kinds.Select(kind => new RetentionStats(kind.Kind, kind.Removed, kind.OldestAt))],
        });
    }

    private static long SizeOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    private sealed class Row
    {
        public long Devices { get; init; }
        public long Offline { get; init; }
        public long Unknown { get; init; }
        public long Inferred { get; init; }
        public long Stale { get; init; }
        public long Flapping { get; init; }
        public long Open { get; init; }
        public long Subscriptions { get; init; }
        public long Ended { get; init; }
        public long? FirstMessage { get; init; }
        public long? LastMessage { get; init; }
        public long LatestMessages { get; init; }
        public long Recent { get; init; }
        public long Head { get; init; }
        public long? Oldest { get; init; }
        public long Quarantine { get; init; }
        public int WithDeadLetters { get; init; }
    }
}
