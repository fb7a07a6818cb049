using System.Text;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>What the repositories write is what they read: a service that is told everything again after a restart learns nothing.</summary>
public sealed class RememberingTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ClientId Exact = new("exact");
    private static readonly ClientId Loose = new("loose/ü 😀");
    private static readonly ClientId Subscriber = new("subscriber");

    private static readonly string[] Tables =
        ["clients", "topics", "devices", "activity", "sessions", "farewells", "subscriptions", "deadlines", "messages", "streams", "deliveries", "journal"];

    [Fact]
    public async Task All_reports_told_again_after_a_restart_change_nothing()
    {
        await using var first = await AStore.OpenAsync(new AClock(Noon));
        foreach (var command in Story()) Assert.NotEqual(Outcome.Repeated, await first.SendAsync(command));
        var before = Dump(first);

        await using var second = await first.RestartAsync();
        foreach (var command in Story()) Assert.Equal((command, Outcome.Repeated), (command, await second.SendAsync(command)));

        Assert.Equal(before, Dump(second));
    }

    [Fact]
    public async Task A_restart_between_any_two_reports_leads_to_the_same_rows()
    {
        var noon = new AClock(Noon); // so that nothing falls due
        await using var whole = await AStore.OpenAsync(noon);
        foreach (var command in Story()) await whole.SendAsync(command);

        var pieces = await AStore.OpenAsync(noon);
        foreach (var command in Story())
        {
            await pieces.SendAsync(command);
            pieces = await pieces.RestartAsync();
        }

        await using (pieces) Assert.Equal(Dump(whole), Dump(pieces));
    }

    [Fact]
    public async Task A_session_older_than_the_window_is_recognised_when_it_is_told_again()
    {
        await using var first = await AStore.OpenAsync();
        for (var i = 0; i < SessionSet.Window + 20; i++) await first.SendAsync(Open(Exact, Noon.AddMinutes(i), "10.0.0.1:1"));
        await using var second = await first.RestartAsync();

        var outcome = await second.SendAsync(Open(Exact, Noon, "10.0.0.1:1"));

        Assert.Equal(Outcome.Repeated, outcome);
        Assert.Equal([SessionSet.Window + 20L], second.Query<long>("SELECT count(*) FROM sessions"));
    }

    [Fact]
    public async Task A_forgotten_device_leaves_nothing_but_the_note_that_it_was_forgotten()
    {
        await using var store = await AStore.OpenAsync();
        foreach (var command in Story()) await store.SendAsync(command);

        foreach (var client in new[] { Exact, Loose, Subscriber })
            while (await store.SendAsync(new ForgetDevice(client)) is not Forgotten.Completely) { }

        foreach (var table in Tables.Except(["clients", "topics", "journal"]))
            Assert.Equal((table, 0L), (table, store.Query<long>($"SELECT count(*) FROM {table}")[0]));
        Assert.Equal(["device.forgotten", "device.forgotten", "device.forgotten"], store.Query<string>(
            "SELECT name FROM journal JOIN event_types USING (type_no) WHERE name LIKE 'device.%' OR client_no IS NOT NULL"));
    }

    [Fact]
    public async Task Numbers_of_deleted_rows_are_not_given_again()
    {
        await using var store = await AStore.OpenAsync();
        foreach (var command in Story()) await store.SendAsync(command);
        var (seq, message) = (store.Query<long>("SELECT max(seq) FROM journal")[0], store.Query<long>("SELECT max(message_no) FROM messages")[0]);
        foreach (var client in new[] { Exact, Loose, Subscriber })
            while (await store.SendAsync(new ForgetDevice(client)) is not Forgotten.Completely) { }

        await using var next = await store.RestartAsync();
        await next.SendAsync(new RecordMessagePublished(Message(9, "new"), null, IsEvidence: true, Noon));

        Assert.True(next.Query<long>("SELECT min(seq) FROM journal")[0] > seq);
        Assert.True(next.Query<long>("SELECT min(message_no) FROM messages")[0] > message);
    }

    [Theory]
    [InlineData("journal", "seq")]
    [InlineData("messages", "message_no")]
    [InlineData("downlinks", "downlink_no")]
    public async Task The_highest_number_is_known_whoever_deletes_its_row(string table, string column)
    {
        await using var store = await AStore.OpenAsync();
        foreach (var command in Story()) await store.SendAsync(command);

        await using var next = await store.RestartAsync(() =>
        {
            using var file = new SqliteConnection($"Data Source={store.File};Pooling=False;Foreign Keys=False");
            file.Execute(
                """
                INSERT INTO downlinks (downlink_no, client_no, broker, topic, qos, retain, kind, payload, timeout, accepted_at, expects_no_ack, status, finished)
                SELECT value, 1, '', '', 0, 0, 0, x'', 0, 0, 0, '', 1 FROM json_each('[1, 2, 3]')
                """);
            var last = file.ExecuteScalar<long>($"SELECT max({column}) FROM {table}");
            foreach (var which in new[] { $"{column} = {last}", $"{column} = {last - 1}", "TRUE" })
            {
                Assert.Equal(last, file.ExecuteScalar<long>(Sequence.ReadLast(table, table, column)));
                file.Execute($"DELETE FROM {table} WHERE {which}");
            }
            Assert.Equal((0, last), file.QuerySingle<(long, long)>($"SELECT (SELECT count(*) FROM {table}), ({Sequence.ReadLast(table, table, column)})"));
        });
    }

    /// <summary>Ends that name no session, more sessions than the window holds, and a restart in between: the ledger stays as it was.</summary>
    [Fact]
    public async Task Sessions_older_than_the_window_keep_their_ends_over_a_restart()
    {
        await using var first = await AStore.OpenAsync();
        for (var i = 0; i < 101; i++)
        {
            await first.SendAsync(Open(Exact, Noon.AddMinutes(i), $"10.0.0.1:{i}"));
            await first.SendAsync(new RecordClientDisconnected(Exact, "n1", null, $"10.0.0.1:{i}", Noon.AddMinutes(i).AddSeconds(30), "normal", null, Noon));
        }
        var before = Dump(first, "sessions", "farewells");

        await using var second = await first.RestartAsync();
        Assert.Equal(Outcome.Repeated, await second.SendAsync(Open(Exact, Noon.AddMinutes(3), "10.0.0.1:3")));
        await second.SendAsync(Open(Exact, Noon.AddMinutes(200), "10.0.0.1:200"));

        Assert.Equal(before, Dump(second, "sessions", "farewells", $"connected_at < {Noon.AddMinutes(200).ToUnixTimeMilliseconds()}"));
    }

    [Fact]
    public async Task Many_sessions_told_in_reverse_end_as_if_told_in_order()
    {
        var connects = Enumerable.Range(0, 150).Select(i => Open(Exact, Noon.AddMinutes(i), $"10.0.0.1:{i}")).ToList();
        await using var inOrder = await AStore.OpenAsync();
        foreach (var connect in connects) await inOrder.SendAsync(connect);

        await using var reversed = await AStore.OpenAsync();
        foreach (var connect in Enumerable.Reverse(connects)) await reversed.SendAsync(connect);

        const string Ends = "SELECT connected_at || ' ' || coalesce(end_at, 'open') FROM sessions ORDER BY connected_at";
        Assert.Equal(inOrder.Query<string>(Ends), reversed.Query<string>(Ends));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_end_of_a_subscription_that_ran_out_is_told_once_restart_or_not(bool restart)
    {
        var store = await AStore.OpenAsync();
        await store.SendAsync(Open(Exact, Noon, "10.0.0.1:1") with { Details = new ConnectionDetails { CleanStart = false, ExpirySeconds = 4 } });
        await store.SendAsync(new RecordSubscribed(Exact, "a", new SubscriptionOptions(1, null, null, null), Noon.AddSeconds(1), null, Noon.AddSeconds(1)));
        await store.SendAsync(new RecordClientDisconnected(Exact, "n1", Noon, "10.0.0.1:1", Noon.AddSeconds(2), "normal", null, Noon.AddSeconds(2)));
        if (restart) store = await store.RestartAsync();
        await using var _ = store;

        await store.SendAsync(Open(Exact, Noon.AddSeconds(60), "10.0.0.1:2") with { ReceivedAt = Noon.AddSeconds(60) });

        Assert.Equal(["subscription.ended"], store.Query<string>("SELECT name FROM journal JOIN event_types USING (type_no) WHERE name = 'subscription.ended'"));
    }

    [Fact]
    public async Task A_message_to_very_many_receivers_keeps_each_delivery()
    {
        await using var store = await AStore.OpenAsync();
        for (var i = 0; i < 350; i++)
            await store.SendAsync(new RecordMessageDelivered(Message(1, "to all"), new ClientId($"receiver-{i}"), Noon, null, Duplicate: false, Noon));

        Assert.Equal(Outcome.Repeated, await store.SendAsync(new RecordMessageDelivered(Message(1, "to all"), new ClientId("receiver-3"), Noon, null, Duplicate: false, Noon)));
        Assert.Equal([350L], store.Query<long>("SELECT count(*) FROM deliveries"));
    }

    [Fact]
    public async Task A_discovery_stands_in_the_journal_before_what_the_device_did()
    {
        await using var store = await AStore.OpenAsync();

        await store.SendAsync(new RecordMessageDelivered(Message(1, "x"), Subscriber, Noon, null, Duplicate: false, Noon));

        Assert.Equal(
            ["device.discovered", "message.delivered", "device.went-online"],
            store.Query<string>("SELECT name FROM journal JOIN event_types USING (type_no) ORDER BY seq"));
    }

    private static IEnumerable<ICommand> Story()
    {
        yield return Open(Exact, Noon, "10.0.0.1:1");
        yield return new RecordClientDisconnected(Exact, "n1", Noon.AddMinutes(1), "10.0.0.1:2", Noon.AddMinutes(3), "keepalive_timeout", 60, Noon.AddMinutes(3));
        yield return new RecordClientDisconnected(Exact, "n1", Noon, "10.0.0.1:1", Noon.AddMinutes(1), "takenover", null, Noon.AddMinutes(1));
        yield return Open(Loose, Noon, "[::1]:9");
        yield return new RecordClientDisconnected(Loose, "n1", null, "[::1]:9", Noon.AddMinutes(2), "normal", null, Noon.AddMinutes(2));
        yield return new RecordClientDisconnected(Loose, "n1", null, "10.9.9.9:9", Noon.AddMinutes(3), "tcp_closed", null, Noon.AddMinutes(3));
        yield return Open(Subscriber, Noon, null);
        yield return new RecordSubscribed(Subscriber, "a/+", new SubscriptionOptions(1, true, false, 2), Noon.AddSeconds(1), null, Noon);
        yield return new RecordSubscribed(Subscriber, "b/#", new SubscriptionOptions(0, null, null, null), Noon.AddSeconds(1), null, Noon);
        yield return new RecordUnsubscribed(Subscriber, "b/#", Noon.AddSeconds(2), Noon);
        yield return new RecordMessagePublished(Message(1, "text"), "10.0.0.1:1", IsEvidence: true, Noon);
        yield return new RecordMessageDelivered(Message(1, "text"), Subscriber, Noon.AddSeconds(5), null, Duplicate: false, Noon);
        yield return new RecordMessageAcked(Message(1, "text"), Subscriber, Noon.AddSeconds(6), null, Noon);
        yield return new RecordMessageAcked(Message(2, "overtaken"), Subscriber, Noon.AddSeconds(6), null, Noon);
        yield return new RecordMessageDropped(Message(3, new string('x', 10_000)), Noon.AddSeconds(7), "no_subscribers", Noon);
        yield return new RecordMessagePublished(Message(3, new string('x', 10_000)), "10.0.0.1:1", IsEvidence: true, Noon);
        yield return new RecordDeliveryDropped(Message(1, "text"), Exact, Noon.AddSeconds(7), "queue_full", Noon);
        yield return new RecordReport("emqx.client.connack", new ReportKey(77), Subscriber, IsDevice: true, Noon, """{"event":"client.connack"}""", Noon);
    }

    private static RecordClientConnected Open(ClientId client, DateTimeOffset at, string? peer) => new(
        client, "n1", at, peer,
        new ConnectionDetails
        {
            Username = "user",
            Ip = "10.0.0.1",
            Port = 1,
            Protocol = "MQTT",
            ProtocolVersion = "5",
            KeepAliveSeconds = 30,
            CleanStart = false,
            ExpirySeconds = 4_294_967_295,
            More = """{"client_attrs":{"site":"3"}}""",
        },
        at);

    private static MessageContent Message(ulong id, string payload) => new(
        new MessageId(id), Exact, FromDevice: true, "user", $"t/{id}", 1, Retain: true, Noon.AddSeconds(id), Payload.OfText(Encoding.UTF8.GetBytes(payload)),
        """{"Content-Type":"text/plain"}""");

    private static string Dump(AStore store, string one, string other, string ofTheFirst = "TRUE") => string.Join(
        '\n',
        store.Lines($"SELECT * FROM {one} WHERE {ofTheFirst} ORDER BY 1").Concat(store.Lines($"SELECT * FROM {other} ORDER BY 1")));

    private static string Dump(AStore store) => string.Join(
        '\n', Tables.SelectMany(table => store.Lines($"SELECT * FROM {table} ORDER BY 1, 2").Select(row => $"{table} {row}")));
}
