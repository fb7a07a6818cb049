using System.Diagnostics.Metrics;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests;

/// <summary>A SQLite file of its own, with the schema of the product and rows put in by hand.</summary>
internal sealed class ADatabase : IDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("webhooks-");
    private readonly SqliteConnection writer;
    private long number;

    public ADatabase()
    {
        Database = new Database(Options.Create(new StorageOptions { ConnectionString = $"Data Source={Path.Combine(folder.FullName, "test.db")}" }));
        writer = Database.OpenForWriting();
        Migrator.Migrate(writer);
        writer.Execute("PRAGMA synchronous=OFF");
        var (work, meters) = (new UnitOfWork(Database, new Checkpoints(Database, NullLogger<Checkpoints>.Instance)), new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());
        ActivityLog = new(work);
        ActivityMover = new(
            ActivityLog, new Writer(work, Options.Create(new QueueOptions()), new ServiceMetrics(meters), NullLogger<Writer>.Instance), NullLogger<ActivityMover>.Instance);
    }

    public Database Database { get; }

    /// <summary>Empty, as all is put into the table by hand.</summary>
    public ActivityLog ActivityLog { get; }

    public ActivityMover ActivityMover { get; }

    public TimeProvider Time { get; } = new StoppedClock();

    /// <summary>A device and its activity; what is not said is null or nothing.</summary>
    public long Device(
        string clientId, int status = 1, int confidence = 0, string? username = null, string? name = null, string tags = "{}", long? interval = null,
        DateTimeOffset? firstSeen = null, DateTimeOffset? lastSeen = null, DateTimeOffset? lastMessage = null, DateTimeOffset? connected = null,
        string? node = null, string? ip = null, string? peer = null, string? reason = null, DateTimeOffset? flappingUntil = null,
        int subscriptions = 0, long published = 0, long version = 1, DateTimeOffset? since = null, string evidence = "session")
    {
        var no = ++number;
        writer.Execute(
            """
            INSERT INTO clients VALUES (@no, @clientId);
            INSERT INTO devices (client_no, client_id, username, name, tags, message_interval, first_seen_at, status, confidence, since, evidence, last_reason,
              flapping_until, session_count, subscription_count, node, connected_at, peer, ip, protocol, protocol_version, clean_start)
            VALUES (@no, @clientId, @username, @name, @tags, @interval, @firstSeen, @status, @confidence, @since, @evidence, @reason,
              @flappingUntil, 1, @subscriptions, @node, @connected, @peer, @ip, 'MQTT', '5', 1);
            INSERT INTO device_activity (client_no, last_seen_at, last_message_at, published, delivered, dropped, version, status)
            VALUES (@no, @lastSeen, @lastMessage, @published, 0, 0, @version, @status)
            """,
            new
            {
                no,
                clientId,
                username,
                name,
                tags,
                interval,
                firstSeen = firstSeen ?? Now,
                status,
                confidence,
                reason,
                flappingUntil,
                subscriptions,
                node,
                connected,
                peer,
                ip,
                lastSeen,
                lastMessage,
                published,
                version,
                since,
                evidence,
            });
        return no;
    }

    public void Session(
        long device, DateTimeOffset connected, DateTimeOffset? end = null, string node = "n1", string? peer = null, string? username = null, string? ip = null,
        string? reason = null, string? endedBy = null, bool opened = true, long publishedStart = 0, long? publishedEnd = null,
        DateTimeOffset? aliveUntil = null, string? rawReason = null) => writer.Execute(
        """
        INSERT INTO sessions (client_no, node, connected_at, peer, opened, time_is_arrival, username, ip, end_at, end_reason, end_raw, ended_by, alive_until,
          published_start, delivered_start, dropped_start, published_end, delivered_end, dropped_end)
        VALUES (@device, @node, @connected, @peer, @opened, 0, @username, @ip, @end, @reason, @rawReason, @endedBy, @aliveUntil, @publishedStart, 0, 0, @publishedEnd, @publishedEnd, @publishedEnd)
        """,
        new { device, node, connected, peer, opened, username, ip, end, reason, endedBy, publishedStart, publishedEnd, aliveUntil, rawReason });

    public void Farewell(long device, DateTimeOffset at, string? node = "n1", string? peer = null, string reason = "other", int kind = 0, bool matched = false) => writer.Execute(
        "INSERT INTO farewells (client_no, kind, node, peer, at, reason, matched) VALUES (@device, @kind, @node, @peer, @at, @reason, @matched)",
        new { device, kind, node, peer, at, reason, matched });

    public void Subscription(long device, string filter, DateTimeOffset? made, DateTimeOffset? ends = null) => writer.Execute(
        "INSERT INTO subscriptions (client_no, filter, qos, subscribed_at, ends_at) VALUES (@device, @filter, 1, @made, @ends)", new { device, filter, made, ends });

    public void InOneTransaction(Action fill)
    {
        writer.Execute("BEGIN TRANSACTION");
        fill();
        writer.Execute("COMMIT TRANSACTION");
    }

    public void Dispose()
    {
        writer.Dispose();
        SqliteConnection.ClearAllPools();
        folder.Delete(recursive: true);
    }

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
