using System.Globalization;
using System.Text;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Devices;
using WebhookService.Application.Messages;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Deadlines;

/// <summary>The worker, the table and the handlers together, on a clock that the test moves. Times are seconds after noon.</summary>
public sealed class DeadlineWorkerTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly (string, string) ShortHold = ("Presence:OfflineHold", "00:00:20");
    private const int Hour = 3_600;

    private readonly AClock clock = new(Noon);

    [Fact]
    public async Task What_is_due_is_told_at_its_time_also_when_it_was_armed_while_the_worker_slept()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await store.SendAsync(Connected("early", 0));
        await store.SendAsync(Connected("late", 0));
        await PassAsync(store, 10);

        await store.SendAsync(Disconnected("late", 0, 10));
        await PassAsync(store, 29);
        Assert.DoesNotContain("offline-confirmed", Told(store, "late"), StringComparison.Ordinal);

        await PassAsync(store, 1_000);
        Assert.Equal("discovered@0 went-online@0 went-offline@10 offline-confirmed@30", Told(store, "late"));
        Assert.Equal("discovered@0 went-online@0 went-stale@900", Told(store, "early"));
    }

    [Fact]
    public async Task A_deadline_that_shares_its_transaction_with_a_deletion_still_wakes_the_worker()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await store.SendAsync(Connected("a", 0));
        await store.SendAsync(Connected("forgotten", 0));
        await AsleepAsync(store);

        await InOneTransactionAsync(store, Disconnected("a", 0, 0), new ForgetDevice(new ClientId("forgotten")));

        await PassAsync(store, 20);
        Assert.EndsWith("offline-confirmed@20", Told(store, "a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadline_that_shares_its_transaction_with_a_failure_still_wakes_the_worker()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await store.SendAsync(Connected("a", 0));
        await AsleepAsync(store);

        await InOneTransactionAsync(store, Disconnected("a", 0, 0), new ConnectAndFail(new ClientId("failing")));

        await PassAsync(store, 20);
        Assert.EndsWith("offline-confirmed@20", Told(store, "a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_subscription_that_runs_out_and_a_device_that_is_given_up_are_told_with_what_their_sessions_become()
    {
        await using var store = await AStore.OpenAsync(clock, ("Presence:StaleAfter", "00:00:30"), ("Presence:ExpireAfter", "00:01:00"));
        await store.SendAsync(Connected("kept", 0, expiry: 100));
        await store.SendAsync(new RecordSubscribed(new ClientId("kept"), "a/#", new SubscriptionOptions(0, null, null, null), At(1), null, At(1)));
        await store.SendAsync(Disconnected("kept", 0, 2));
        await store.SendAsync(Connected("lost", 0));

        await PassAsync(store, 101);
        Assert.Equal([1L], store.Query<long>("SELECT subscription_count FROM devices WHERE client_id = 'kept'"));
        await PassAsync(store, 110);

        Assert.EndsWith("offline-confirmed@62 subscription.ended@102", Told(store, "kept"), StringComparison.Ordinal);
        Assert.Equal([0L], store.Query<long>("SELECT subscription_count FROM devices WHERE client_id = 'kept'"));
        Assert.Equal("discovered@0 went-online@0 went-stale@30 went-unknown@90", Told(store, "lost"));
        Assert.Equal(["expired"], store.Query<string>("SELECT ended_by FROM sessions JOIN devices USING (client_no) WHERE client_id = 'lost'"));
    }

    [Fact]
    public async Task A_device_of_which_nothing_is_due_has_no_row()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await store.SendAsync(Connected("a", 0));
        await store.SendAsync(Disconnected("a", 0, 0));
        Assert.Equal([1L], store.Query<long>("SELECT count(*) FROM deadlines"));

        await PassAsync(store, 30);

        Assert.Equal([0L], store.Query<long>("SELECT count(*) FROM deadlines"));
    }

    [Fact]
    public async Task A_device_that_is_forgotten_or_gone_leaves_nothing_due()
    {
        await using var store = await AStore.OpenAsync(clock);
        await store.SendAsync(Connected("forgotten", 0));
        await store.SendAsync(Connected("gone", 0));
        await AsleepAsync(store);

        while (await store.SendAsync(new ForgetDevice(new ClientId("forgotten"))) is not Forgotten.Completely) { }
        Assert.Equal(["gone"], store.Query<string>("SELECT client_id FROM deadlines JOIN clients USING (client_no)"));

        Intrude(store, "DELETE FROM device_activity; DELETE FROM devices; UPDATE deadlines SET due_at = 0"); // what must not make the worker turn in circles
        clock.Advance(TimeSpan.FromSeconds(60));
        await AsleepAsync(store);
        Assert.Equal([0L], store.Query<long>("SELECT count(*) FROM deadlines"));
    }

    [Fact]
    public async Task A_message_moves_no_row_and_a_late_look_finds_it()
    {
        await using var store = await AStore.OpenAsync(clock, ("Activity:ExpectedInterval", "00:00:50"));
        await AsleepAsync(store);
        await store.SendAsync(Connected("a", 0));
        await store.SendAsync(Message("a", 1));
        var due = store.Query<long>("SELECT due_at FROM deadlines");

        await PassAsync(store, 30);
        await store.SendAsync(Message("a", 30));
        Assert.Equal(due, store.Query<long>("SELECT due_at FROM deadlines"));

        await PassAsync(store, 79);
        Assert.Equal("discovered@0 went-online@0", Told(store, "a"));
        await PassAsync(store, 100);
        await store.SendAsync(Message("a", 100));
        Assert.Equal("discovered@0 went-online@0 went-silent@80 resumed@100", Told(store, "a"));
    }

    // ---- starts ----------------------------------------------------------------------------------------------------------

    [Fact]
    public async Task A_restart_keeps_what_is_due()
    {
        await using var first = await AStore.OpenAsync(clock);
        await first.SendAsync(Connected("a", 0));
        await first.SendAsync(Disconnected("a", 0, 0));
        await AsleepAsync(first);

        await using var second = await first.RestartAsync(() => clock.Advance(TimeSpan.FromSeconds(10)));
        await PassAsync(second, 59);
        Assert.EndsWith("went-offline@0", Told(second, "a"), StringComparison.Ordinal);

        await PassAsync(second, 100);
        Assert.EndsWith("offline-confirmed@60", Told(second, "a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_a_restart_a_report_that_makes_nothing_due_leaves_what_is_due()
    {
        await using var first = await AStore.OpenAsync(clock);
        await first.SendAsync(Connected("a", 0));
        await first.SendAsync(Disconnected("a", 0, 0));
        await AsleepAsync(first);

        await using var second = await first.RestartAsync(() => clock.Advance(TimeSpan.FromSeconds(10)));
        await second.SendAsync(new RecordDeliveryDropped(Message("b", 10).Content, new ClientId("a"), At(10), "queue_full", At(10)));

        await PassAsync(second, 100);
        Assert.EndsWith("offline-confirmed@60", Told(second, "a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_great_fleet_that_wakes_after_hours_raises_no_alarm_before_everybody_had_his_time_again()
    {
        await using var first = await AStore.OpenAsync(clock);
        await AsleepAsync(first);

        await using var second = await first.RestartAsync(() =>
        {
            Intrude(first, Bulk(30_000));
            clock.Advance(TimeSpan.FromHours(5));
        });
        await PassAsync(second, (5 * Hour) + 30);

        Assert.Empty(second.Query<string>("SELECT name FROM journal JOIN event_types USING (type_no) LIMIT 9"));
        Assert.Equal([0L], second.Query<long>("SELECT count(*) FROM deadlines WHERE due_at <= @now", new { now = At((5 * Hour) + 30).ToMs() }));
        Assert.Equal([20_000], second.Query<int>("SELECT count(*) FROM deadlines WHERE due_at = @due", new { due = At((5 * Hour) + 30 + 60).ToMs() }));

        await second.SendAsync(Connected("client-1", (5 * Hour) + 20)); // the broker's backlog and the clients themselves
        await second.SendAsync(Connected("client-2", (5 * Hour) + 20));
        await PassAsync(second, (5 * Hour) + 89);
        Assert.Equal(["device.went-online", "session.started", "session.started"], second.Query<string>(
            "SELECT name FROM journal JOIN event_types USING (type_no) WHERE name NOT IN ('session.ended') ORDER BY name"));
    }

    [Fact]
    public async Task What_became_due_since_the_start_goes_before_what_waited_for_it()
    {
        await using var store = await AStore.OpenAsync(clock);
        await AsleepAsync(store);
        Intrude(store, Bulk(9));
        Intrude(store, $"UPDATE deadlines SET due_at = {At(0).ToMs()} + client_no * 1000");

        var (clients, first) = store.Get<Infrastructure.Deadlines.Deadlines>().Due(At(8), upSince: At(4), limit: 6);
        var (few, _) = store.Get<Infrastructure.Deadlines.Deadlines>().Due(At(8), upSince: At(4), limit: 2);
        var (old, none) = store.Get<Infrastructure.Deadlines.Deadlines>().Due(At(2), upSince: At(2), limit: 6);

        Assert.Equal("5 6 7 8 1 2", string.Join(' ', clients.Select(client => client.Value["client-".Length..])));
        Assert.Equal(["client-5", "client-6"], few.Select(client => client.Value));
        Assert.Equal(["client-1", "client-2"], old.Select(client => client.Value));
        Assert.Equal((At(5), null), (first, none));
    }

    [Fact]
    public async Task Other_rules_than_at_the_last_start_reach_devices_that_send_nothing_any_more()
    {
        await using var first = await AStore.OpenAsync(clock);
        await first.SendAsync(Connected("a", 0));
        await first.SendAsync(Message("a", 1));
        await AsleepAsync(first);

        await using var second = await first.RestartAsync(settings: ("Activity:ExpectedInterval", "00:01:40"));
        await PassAsync(second, 100);
        Assert.Equal("discovered@0 went-online@0", Told(second, "a"));
        await PassAsync(second, 200);
        Assert.Equal("discovered@0 went-online@0 went-silent@101", Told(second, "a"));

        await using var third = await second.RestartAsync(settings: ("Presence:StaleAfter", "00:05:00"));
        await PassAsync(third, 400);
        Assert.Equal("discovered@0 went-online@0 went-silent@101 went-stale@301", Told(third, "a"));
    }

    [Fact]
    public async Task The_same_rules_as_at_the_last_start_make_nobody_due()
    {
        await using var first = await AStore.OpenAsync(clock);
        await first.SendAsync(Connected("a", 0));
        await AsleepAsync(first);

        await using var second = await first.RestartAsync(() => Intrude(first, $"UPDATE deadlines SET due_at = {At(500).ToMs()}"));
        await AsleepAsync(second);

        Assert.Equal([At(500).ToMs()], second.Query<long>("SELECT due_at FROM deadlines"));
    }

    [Fact]
    public async Task Devices_of_a_database_of_version_1_are_armed()
    {
        var folder = Directory.CreateTempSubdirectory("store-").FullName;
        using (var old = new SqliteConnection($"Data Source={Path.Combine(folder, "webhooks.db")};Pooling=False"))
        {
            old.Open();
            old.Execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (1, 0)");
            old.Execute(Script("0001"));
            old.Execute(
                """
                INSERT INTO clients VALUES (1, 'on'), (2, 'off');
                INSERT INTO devices (client_no, client_id, first_seen_at, status, confidence, since, evidence, session_count, subscription_count, node, connected_at)
                VALUES (1, 'on', @noon, 1, 0, @noon, 'session', 1, 0, 'n1', @noon), (2, 'off', @noon, 2, 0, @noon, 'session-end', 1, 1, 'n1', @noon);
                INSERT INTO device_activity (client_no, published, delivered, dropped, version, status) VALUES (1, 0, 0, 0, 1, 1), (2, 0, 0, 0, 1, 2);
                INSERT INTO sessions (client_no, node, connected_at, opened, time_is_arrival, clean_start, expiry, end_at, end_reason, ended_by, closed_at, closed_reason,
                  published_start, delivered_start, dropped_start)
                VALUES (1, 'n1', @noon, 1, 0, 1, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0), (2, 'n1', @noon, 1, 0, 0, 300, @noon, 'client-disconnect', 'event', @noon, 'client-disconnect', 0, 0, 0);
                INSERT INTO subscriptions (client_no, filter, qos, subscribed_at, ends_at, ended_by) VALUES (2, 'a/#', 0, @noon, @noon + 300000, 'expired');
                """,
                new { noon = Noon.ToMs() });
        }

        await using var store = await AStore.OpenInAsync(folder, clock);
        await PassAsync(store, 1_000);

        Assert.Equal("went-stale@900", Told(store, "on"));
        Assert.Equal("subscription.ended@300", Told(store, "off")); // that it is offline nobody wants to hear now
    }

    [Fact]
    public async Task Who_stood_still_for_hours_gives_the_grace_of_a_start()
    {
        await using var store = await AStore.OpenAsync(clock);
        await store.SendAsync(Connected("a", 0));
        await AsleepAsync(store);

        clock.Advance(TimeSpan.FromHours(2)); // in one jump: the worker meant to wake up a minute later
        await PassAsync(store, (2 * Hour) + 929);
        Assert.Equal("discovered@0 went-online@0", Told(store, "a"));

        await PassAsync(store, (2 * Hour) + 931);
        Assert.Equal("discovered@0 went-online@0 went-stale@8130", Told(store, "a"));
    }

    [Fact]
    public async Task A_clock_that_is_set_back_to_before_the_start_delays_nothing_that_begins_then()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await AsleepAsync(store);

        clock.Advance(TimeSpan.FromHours(-1)); // to before the start
        await store.SendAsync(Connected("a", -3_600));
        await PassAsync(store, -3_590);
        await store.SendAsync(Disconnected("a", -3_600, -3_590));
        await PassAsync(store, -3_500);

        Assert.EndsWith("offline-confirmed@-3570", Told(store, "a"), StringComparison.Ordinal);
    }

    // ---- failures --------------------------------------------------------------------------------------------------------

    [Fact]
    public async Task A_device_that_cannot_be_looked_at_waits_an_hour_and_stops_no_other()
    {
        await using var store = await AStore.OpenAsync(clock);
        foreach (var client in new[] { "a", "broken", "c" })
        {
            await store.SendAsync(Connected(client, 0));
            await store.SendAsync(Disconnected(client, 0, 0));
        }
        await AsleepAsync(store);
        Intrude(store, "UPDATE devices SET tags = 'no JSON' WHERE client_id = 'broken'");

        await PassAsync(store, 120);

        Assert.EndsWith("offline-confirmed@60", Told(store, "a"), StringComparison.Ordinal);
        Assert.EndsWith("offline-confirmed@60", Told(store, "c"), StringComparison.Ordinal);
        Assert.EndsWith("went-offline@0", Told(store, "broken"), StringComparison.Ordinal);
        Assert.Equal([At(60 + Hour).ToMs()], store.Query<long>("SELECT due_at FROM deadlines"));

        Intrude(store, "UPDATE devices SET tags = '{}' WHERE client_id = 'broken'");
        await PassAsync(store, 70 + Hour);
        Assert.EndsWith($"offline-confirmed@{60 + Hour}", Told(store, "broken"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_cannot_be_read_for_a_while_is_read_again()
    {
        await using var store = await AStore.OpenAsync(clock, ShortHold);
        await store.SendAsync(Connected("a", 0));
        await store.SendAsync(Disconnected("a", 0, 0));
        await AsleepAsync(store);

        Intrude(store, "ALTER TABLE deadlines RENAME TO hidden");
        clock.Advance(TimeSpan.FromSeconds(20));
        await Eventually.IsAsync(() => clock.NextAlarm == At(21)); // a second's pause after the failure
        Intrude(store, "ALTER TABLE hidden RENAME TO deadlines");
        clock.Advance(TimeSpan.FromSeconds(1));
        await AsleepAsync(store);

        Assert.EndsWith("offline-confirmed@21", Told(store, "a"), StringComparison.Ordinal);
    }

    // ---- how the tests talk ----------------------------------------------------------------------------------------------

    private static DateTimeOffset At(double seconds) => Noon.AddSeconds(seconds);

    private static RecordClientConnected Connected(string client, double at, long expiry = 0) => new(
        new ClientId(client), "n1", At(at), "10.0.0.1:1", new ConnectionDetails { KeepAliveSeconds = 10, ProtocolVersion = "5", CleanStart = expiry == 0, ExpirySeconds = expiry }, At(at));

    private static RecordClientDisconnected Disconnected(string client, double connectedAt, double at) =>
        new(new ClientId(client), "n1", At(connectedAt), "10.0.0.1:1", At(at), "normal", null, At(at));

    private static RecordMessagePublished Message(string client, double at) => new(
        new MessageContent(
            new MessageId((ulong)(at + 1)), new ClientId(client), FromDevice: true, null, "t", 0, Retain: false, At(at), Payload.OfText(Encoding.UTF8.GetBytes("x")), null),
        "10.0.0.1:1", IsEvidence: true, At(at));

    /// <summary>What the journal holds of a device, sessions left out, such as "went-stale@900".</summary>
    private static string Told(AStore store, string client) => string.Join(' ', store.Query<(string Name, long At)>(
        """
        SELECT name, at FROM journal JOIN event_types USING (type_no) JOIN clients USING (client_no)
        WHERE client_id = @client AND name NOT IN ('session.started', 'session.ended', 'subscription.started', 'message.published') ORDER BY seq
        """, new { client })
        .Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Name.Replace("device.", "", StringComparison.Ordinal)}@{(one.At.ToTime() - Noon).TotalSeconds}")));

    private static void Intrude(AStore store, string sql)
    {
        using var connection = store.Database.OpenForWriting();
        connection.Execute(sql);
    }

    /// <summary>Devices of a fleet that was heard of at noon: a third idle, a third of which a message is expected, a third offline and not yet confirmed.</summary>
    private static string Bulk(int devices) =>
        $"""
        BEGIN;
        CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {devices}) SELECT i FROM n;
        INSERT INTO clients SELECT i, 'client-' || i FROM n;
        INSERT INTO devices (client_no, client_id, message_interval, first_seen_at, status, confidence, fresh_confidence, since, evidence, session_count,
          subscription_count, node, connected_at, peer, keep_alive, offline_confirmed_at)
        SELECT i, 'client-' || i, CASE i % 3 WHEN 0 THEN 60 END, {Noon.ToMs()}, 1 + (i % 3 = 1), 0, 0, {Noon.ToMs()}, iif(i % 3 = 1, 'session-end', 'session'), 1,
          0, 'n1', {Noon.ToMs()} - i, '10.0.0.1:1', 60, CASE i % 3 WHEN 1 THEN {At(60).ToMs()} END
        FROM n;
        INSERT INTO device_activity (client_no, last_message_at, published, delivered, dropped, version, status)
        SELECT i, CASE i % 3 WHEN 0 THEN {Noon.ToMs()} END, 0, 0, 0, 1, 1 + (i % 3 = 1) FROM n;
        INSERT INTO deadlines SELECT i, {At(60).ToMs()} + i % 1000 FROM n;
        COMMIT;
        """;

    private static string Script(string number)
    {
        var assembly = typeof(Migrator).Assembly;
        var name = assembly.GetManifestResourceNames().Single(one => one.Contains($".{number}_", StringComparison.Ordinal));
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private static async Task InOneTransactionAsync(AStore store, RecordClientDisconnected one, object other)
    {
        using var gate = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = store.SendAsync(new WaitInTheWriter(gate, running));
        await running.Task.WaitAsync(Eventually.Patience);
        var first = store.SendAsync(one);
        var second = other switch
        {
            ForgetDevice forget => (Task)store.SendAsync(forget),
            ConnectAndFail failing => Assert.ThrowsAsync<InvalidOperationException>(() => store.SendAsync(failing)),
            _ => throw new ArgumentOutOfRangeException(nameof(other)),
        };

        gate.Set();
        await Task.WhenAll(blocking, first, second);
    }

    /// <summary>Lets time pass until then. The worker is waited for whenever its alarm rings.</summary>
    private async Task PassAsync(AStore store, double until)
    {
        await AsleepAsync(store);
        while (clock.GetUtcNow() < At(until))
        {
            var next = clock.NextAlarm!.Value < At(until) ? clock.NextAlarm.Value : At(until);
            clock.Advance(next - clock.GetUtcNow());
            await AsleepAsync(store);
        }
    }

    /// <summary>Until the worker has met all that is due, and sleeps no longer than until the next.</summary>
    private Task AsleepAsync(AStore store) => Eventually.IsAsync(() =>
    {
        var due = store.Query<long?>("SELECT min(due_at) FROM deadlines")[0]; // first: the worker may wake up meanwhile
        return store.Get<Infrastructure.Deadlines.Deadlines>().IsAsleep && clock.NextAlarm is { } alarm && alarm > clock.GetUtcNow() && !(due < alarm.ToMs());
    });
}
