using System.Diagnostics;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Fleet;

/// <summary>
/// Writes a planned fleet into a new database file: the rows that the service would have written, in the order in which it would have heard of
/// them, so that they lie in the file as they would there. The schema comes from the service's own migrations.
/// </summary>
internal sealed class FleetGenerator : IDisposable
{
    private const int RowsPerTransaction = 500_000;
    private const int Alarms = 200;
    private const int NeverKept = 0;

    /// <summary>A deadline that the benchmark does not see: 2100.</summary>
    private const long Never = 4_102_444_800_000;
    private const int KeepAlive = 60;

    private readonly FleetPlan plan;
    private readonly SqliteConnection connection;
    private readonly Random random = new(1);
    private readonly Traffic[] traffic;
    private readonly long[] lastMessageAt;
    private readonly string?[] lastTopic;
    private readonly ClientId[] ids;
    private readonly Dictionary<string, long> topics = [];

    public FleetGenerator(FleetPlan plan, string path)
    {
        this.plan = plan;
        connection = BulkDatabase.Create(path);
        traffic = new Traffic[plan.Devices];
        lastMessageAt = new long[plan.Devices];
        lastTopic = new string?[plan.Devices];
        ids = [.. Enumerable.Range(0, plan.Devices).Select(device => new ClientId(FleetPlan.ClientId(device)))];
    }

    public void Run(CancellationToken cancellation)
    {
        var aside = new IndexesAside(connection);
        using (var tables = new BulkTables(connection))
        {
            Timed("what happened", () => PlayHistory(tables, cancellation));
            Timed("devices", () => WriteDevices(tables));
        }
        Timed("indexes", () => aside.PutBack(cancellation));
        Timed("late indexes", () => WriteLateIndexes(cancellation));
        connection.Execute("PRAGMA journal_mode=WAL");
    }

    public void Dispose() => connection.Dispose();

    /// <summary>The indexes that the service writes later, as it would have written them by now.</summary>
    private void WriteLateIndexes(CancellationToken cancellation)
    {
        string[] all =
        [
            "INSERT INTO messages_by_id SELECT id, message_no FROM messages ORDER BY id",
            "INSERT INTO messages_by_time SELECT published_at, message_no FROM messages ORDER BY published_at, message_no",
            "INSERT INTO counters (name, value) SELECT 'messages.indexed', max(message_no) FROM messages HAVING count(*) > 0",
        ];
        foreach (var sql in all)
        {
            cancellation.ThrowIfCancellationRequested();
            connection.Execute(sql, commandTimeout: 0);
        }

        var size = new StorageOptions().EntriesOfRun;
        Write("journal", "seq", """
            INSERT INTO journal_runs SELECT @first, client_no, 0, seq FROM journal WHERE seq BETWEEN @first AND @last ORDER BY client_no, seq;
            INSERT INTO runs (name, run, last_no, newest_at, oldest_at) VALUES ('journal', @first, @last, 0, 0);
            """);
        Write("messages", "message_no", """
            INSERT INTO messages_runs
            SELECT @first, s.stream_no, m.published_at, m.message_no FROM messages m CROSS JOIN streams s ON s.client_no = m.client_no AND s.topic_no = m.topic_no
            WHERE m.message_no BETWEEN @first AND @last ORDER BY 2, 3, 4;
            INSERT INTO runs (name, run, last_no, newest_at, oldest_at)
            SELECT 'messages', @first, @last, max(published_at), min(published_at) FROM messages WHERE message_no BETWEEN @first AND @last;
            UPDATE streams SET last_no = h.no, newest_no = h.no, newest_at = h.at
            FROM (SELECT key, max(no) AS no, max(at) AS at FROM messages_runs WHERE run = @first GROUP BY key) h WHERE stream_no = h.key; -- times grow with the numbers
            """);

        void Write(string table, string number, string sql)
        {
            var head = connection.ExecuteScalar<long>($"SELECT max({number}) FROM {table}");
            for (var first = 1L; first + size <= head; first += size)
            {
                cancellation.ThrowIfCancellationRequested();
                connection.Execute(sql, new { first, last = first + size - 1 });
            }
        }
    }

    /// <summary>Everything with a time of its own, in the order of time: connections come and go, messages between them.</summary>
    private void PlayHistory(BulkTables tables, CancellationToken cancellation)
    {
        var sessions = Enumerable.Range(0, plan.Devices).SelectMany(plan.Sessions).OrderBy(session => session.Start).ToArray();
        var trafficAtStart = new Traffic[sessions.Length];
        var turns = Turns(sessions);
        var (turn, from) = (0, plan.Now - (long)FleetPlan.MessageWindow.TotalMilliseconds);

        void PlayUntil(long time)
        {
            for (; turn < turns.Length && turns[turn].At <= time; turn++)
            {
                var (at, number, isEnd) = turns[turn];
                if (isEnd) End(tables, number, sessions[number], trafficAtStart[number], at);
                else trafficAtStart[number] = Start(tables, sessions[number]);
                if (turn % RowsPerTransaction == 0) CommitAndGoOn();
            }
        }

        Begin();
        for (var number = 0L; number < plan.Messages; number++)
        {
            var at = from + (long)((double)(plan.Now - from) * number / plan.Messages);
            PlayUntil(at);
            Publish(tables, number, at);
            if (number % RowsPerTransaction != 0) continue;
            CommitAndGoOn();
            cancellation.ThrowIfCancellationRequested();
        }
        PlayUntil(plan.Now);
        for (var number = 0; number < sessions.Length; number++)
            if (sessions[number].End is null) WriteSession(tables, number, sessions[number], trafficAtStart[number]);
        Commit();
        Console.WriteLine($"  {sessions.Length:N0} sessions, {plan.Messages:N0} messages on {topics.Count:N0} topics, {tables.JournalRows:N0} journal entries");
    }

    private static (long At, int Session, bool IsEnd)[] Turns(PlannedSession[] sessions)
    {
        var turns = new List<(long At, int Session, bool IsEnd)>(2 * sessions.Length);
        for (var number = 0; number < sessions.Length; number++)
        {
            turns.Add((sessions[number].Start, number, false));
            if (sessions[number].End is { } end) turns.Add((end, number, true));
        }
        turns.Sort((one, other) => one.At.CompareTo(other.At));
        return [.. turns];
    }

    private Traffic Start(BulkTables tables, PlannedSession session)
    {
        var (device, at, id) = (session.Device, session.Start.ToTime(), ids[session.Device]);
        var (node, ip) = (NodeOf(session), FleetPlan.Ip(device));
        if (session.Start == plan.FirstSeen(device))
        {
            tables.Clients.Add(device + 1).Add(id.Value).Run();
            tables.Append(new DeviceDiscovered(id, at), device + 1);
        }
        tables.Append(new SessionStarted(id, at, node, ip, FleetPlan.Port(session.Start), "5", CleanStart: true, Cause.Event), device + 1);
        tables.Append(new DeviceWentOnline(id, at, Confidence.Confirmed, node, ip, "session", Cause.Event, Flapping: false), device + 1);
        if (FleetPlan.Subscription(device) is { } filter) tables.Append(new SubscriptionStarted(id, at, filter, 1), device + 1);
        return traffic[device];
    }

    private void End(BulkTables tables, int number, PlannedSession session, Traffic atStart, long end)
    {
        var (device, at, id) = (session.Device, end.ToTime(), ids[session.Device]);
        tables.Append(
            new SessionEnded(id, at, NodeOf(session), session.Start.ToTime(), session.Reason, session.RawReason, EndedBy.Event), device + 1);
        tables.Append(new DeviceWentOffline(id, at, Confidence.Confirmed, session.Reason, session.RawReason, "session-end", Cause.Event, Flapping: false), device + 1);
        if (FleetPlan.Subscription(device) is { } filter) tables.Append(new SubscriptionEnded(id, at, filter, SubscriptionEndedBy.SessionEnd), device + 1);
        WriteSession(tables, number, session, atStart);
    }

    private void WriteSession(BulkTables tables, int number, PlannedSession session, Traffic atStart)
    {
        var (device, reason, now) = (session.Device, Words.Of(session.Reason), traffic[session.Device]);
        var ended = session.End is not null;
        tables.Sessions
            .Add(number + 1).Add(device + 1).Add(NodeOf(session)).Add(session.Start).Add(PeerOf(session)).Add(true).Add(false)
            .Add(FleetPlan.Username(device)).Add(FleetPlan.Ip(device)).Add(FleetPlan.Port(session.Start)).Add("MQTT").Add("5").Add(KeepAlive).Add(true).Add(NeverKept)
            .Add(session.End).Add(ended ? reason : null).Add(session.RawReason)
            .Add(session.End).Add(ended ? reason : null).Add(session.RawReason).Add(ended ? Words.Of(EndedBy.Event) : null)
            .Add(atStart.Published).Add(atStart.Delivered).Add(atStart.Dropped)
            .Add(ended ? now.Published : null).Add(ended ? now.Delivered : null).Add(ended ? now.Dropped : null)
            .Run();
    }

    private void Publish(BulkTables tables, long number, long at)
    {
        var device = plan.APublisher(random, at);
        var isAlarm = number < Alarms * 10 && number % 10 == 5; // a few, and all of them at the beginning
        var about = isAlarm ? "alarm" : FleetPlan.TellsState(device) && random.NextDouble() < 0.15 ? "state" : "telemetry";
        var topic = FleetPlan.Topic(device, about);
        if (!topics.TryGetValue(topic, out var topicNo))
        {
            topics[topic] = topicNo = topics.Count + 1;
            tables.Topics.Add(topicNo).Add(topic).Add(TopicSearch.Reversed(topic)).Run();
            tables.Streams.Add(topicNo).Add(device + 1).Add(topicNo).Add(true).Add(number + 1).Run(); // a topic names its device: nobody else publishes on it
        }

        var qos = random.NextDouble() < 0.6 ? 1 : 0;
        var receiver = random.NextDouble() < 0.1 ? plan.ABackend(random.NextDouble()) : (int?)null;
        var acked = receiver is not null && qos == 1;
        var status = acked ? MessageStatus.Acked : receiver is not null ? MessageStatus.Delivered : MessageStatus.Published;
        var (messageNo, received) = (number + 1, at + 1 + random.Next(5));
        Span<byte> id = stackalloc byte[16];
        var messageId = new MessageId(new UInt128((ulong)(at * 1_000), (0x2617_0000_0299UL << 16) | ((ulong)number & 0xFFFF)));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(id, messageId.Value);
        Span<byte> payload = stackalloc byte[128];
        tables.Messages
            .Add(messageNo).Add(id).Add(device + 1).Add(topicNo).Add(qos).Add(about == "state").Add(at).Add(received).Add(true).Add(true)
            .Add((long)status).Add((long)PayloadKind.Text).Add(payload[..WritePayload(payload, about, number)]).Add(FleetPlan.Username(device))
            .Run();
        tables.Append(new MessagePublished(messageId, ids[device], at.ToTime()), device + 1, messageNo);
        traffic[device] = traffic[device] with { Published = traffic[device].Published + 1 };
        (lastMessageAt[device], lastTopic[device]) = (at, topic);
        if (receiver is not { } backend) return;

        tables.Deliveries.Add(messageNo).Add(backend + 1).Add(received).Add(acked ? received + 2 : null).Add(false).Run();
        tables.Append(new MessageDelivered(messageId, ids[backend], received.ToTime()), backend + 1, messageNo);
        if (acked) tables.Append(new MessageAcked(messageId, ids[backend], (received + 2).ToTime()), backend + 1, messageNo);
        traffic[backend] = traffic[backend] with { Delivered = traffic[backend].Delivered + 1 };
    }

    private int WritePayload(Span<byte> payload, string about, long number)
    {
        var value = random.Next(1_000);
        var written = 0;
        _ = about switch
        {
            "alarm" => System.Text.Unicode.Utf8.TryWrite(payload, $$"""{"alarm":"overheat","level":"critical","celsius":{{90 + (value / 100)}}}""", out written),
            "state" => System.Text.Unicode.Utf8.TryWrite(payload, $$"""{"on":true,"firmware":"2.4.{{value % 10}}","uptime":{{value * 3_600}}}""", out written),
            _ => System.Text.Unicode.Utf8.TryWrite(
                payload, $$"""{"celsius":{{value / 25}}.{{value % 10}},"humidity":{{value / 10}},"battery":3.{{value % 90 + 10}},"seq":{{number}}}""", out written),
        };
        return written;
    }

    private void WriteDevices(BulkTables tables)
    {
        Begin();
        for (var device = 0; device < plan.Devices; device++)
        {
            var sessions = plan.Sessions(device).ToArray();
            var (last, before) = (sessions[^1], sessions.Length > 1 ? sessions[^2] : default);
            var ended = last.End is not null ? last : before; // the newest end, if there was one
            var (online, filter, counters) = (last.End is null, FleetPlan.Subscription(device), traffic[device]);
            var status = (long)(online ? ConnectivityStatus.Online : ConnectivityStatus.Offline);
            tables.Devices
                .Add(device + 1).Add(ids[device].Value).Add(FleetPlan.Username(device)).Add(sessions[0].Start)
                .Add(status).Add((long)Confidence.Confirmed).Add(last.End ?? last.Start).Add(online ? "session" : "session-end")
                .Add(last.Start).Add(ended.End).Add(ended.End is null ? null : Words.Of(ended.Reason)).Add(ended.RawReason)
                .Add(sessions.Length).Add(filter is not null && online ? 1L : 0L)
                .Add(NodeOf(last)).Add(last.Start).Add(PeerOf(last)).Add(FleetPlan.Ip(device)).Add(FleetPlan.Port(last.Start))
                .Add("MQTT").Add("5").Add(KeepAlive).Add(true).Add(NeverKept).Add((long)Confidence.Confirmed)
                .Run();
            tables.Deadlines.Add(device + 1).Add(Never).Run();
            var (messageAt, changes) = (lastMessageAt[device], counters.Published + counters.Delivered + (2L * sessions.Length));
            tables.Activity
                .Add(device + 1).Add(Math.Max(messageAt, last.End ?? last.Start)).Add(messageAt == 0 ? null : messageAt).Add(lastTopic[device])
                .Add(counters.Published).Add(counters.Delivered).Add(counters.Dropped).Add(changes).Add(status)
                .Run();
            if (filter is not null)
                tables.Subscriptions
                    .Add(device + 1).Add(filter).Add(1).Add(last.Start).Add(last.End).Add(online ? null : Words.Of(SubscriptionEndedBy.SessionEnd))
                    .Run();
            if (device % RowsPerTransaction == 0) CommitAndGoOn();
        }
        Commit();
    }

    private static string NodeOf(PlannedSession session) => FleetPlan.Node(session.Device, session.Start);

    private static string PeerOf(PlannedSession session) => $"{FleetPlan.Ip(session.Device)}:{FleetPlan.Port(session.Start)}";

    private void Begin() => connection.Execute("BEGIN TRANSACTION");

    private void Commit() => connection.Execute("COMMIT TRANSACTION");

    private void CommitAndGoOn()
    {
        Commit();
        Begin();
    }

    private static void Timed(string what, Action work)
    {
        var watch = Stopwatch.StartNew();
        work();
        Console.WriteLine($"  {what}: {watch.Elapsed.TotalSeconds:0} s");
    }
}
