using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Messages;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Devices;

public sealed class ActivityLogTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private ulong messages;

    [Fact]
    public async Task A_message_shows_at_once_whatever_the_table_says()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon.AddMinutes(2)));
        await store.SendAsync(Connected("a"));
        await store.SendAsync(Published("a"));
        await store.SendAsync(Published("a"));
        var version = SetBack(store, "a"); // as it stands until it is moved there
        await store.SendAsync(Connected("b"));

        var device = await store.SendAsync(new GetDevice(new ClientId("a")));
        var listed = (await store.SendAsync(List(DeviceSortKey.ClientId))).Items[0];
        var asked = (await store.SendAsync(new GetDeviceStates([new ClientId("a")])))[0];

        Assert.All([device!, listed, asked], view => Assert.Equal(
            (2L, Noon.AddSeconds(2), Noon.AddSeconds(2), "t/a", ActivityStatus.Active, version),
            (view.MessagesPublished, view.LastSeenAt, view.LastMessageAt, view.LastTopic, view.Activity, view.Version)));
    }

    [Fact]
    public async Task Values_that_rest_on_a_later_change_of_the_device_are_not_mixed_with_an_earlier_one()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon.AddMinutes(2)));
        await store.SendAsync(Connected("a"));
        await store.SendAsync(Published("a"));
        var log = store.Get<ActivityLog>();
        while (!log.IsEmpty) await store.Get<ActivityMover>().CatchUpAsync(default);
        var end = new RecordClientDisconnected(new ClientId("a"), "n", Noon, "10.0.0.1:1", Noon.AddSeconds(30), "normal", null, Noon.AddSeconds(30));
        await store.SendAsync(end);
        var written = store.Query<long>("SELECT version FROM device_activity")[0];
        await store.SendAsync(Published("a"));

        var shown = await store.SendAsync(new GetDevice(new ClientId("a")));

        Assert.True(log.Find("a") is not { } newer || newer.RestsOn >= written, "It rests on what was before the device went.");
        Assert.Equal((ConnectivityStatus.Offline, 2L), (shown!.Status, shown.MessagesPublished));
    }

    [Fact]
    public async Task A_list_by_time_last_seen_knows_what_was_answered_before_it()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon.AddHours(1)));
        var names = Enumerable.Range(0, 200).Select(i => $"device-{i:000}").ToList();
        foreach (var name in names) await store.SendAsync(Connected(name));
        for (var round = 0; round < 5; round++)
        {
            names = [.. names.Skip(37), .. names.Take(37)];
            await Task.WhenAll(names.Select(name => store.SendAsync(Published(name))));

            var listed = await store.SendAsync(List(DeviceSortKey.LastSeenAt));

            Assert.Equal(names, listed.Items.Select(device => device.ClientId));
        }
    }

    [Fact]
    public async Task What_was_moved_is_in_the_table_and_no_longer_in_the_log()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon.AddMinutes(2)));
        await store.SendAsync(Connected("a"));
        for (var i = 0; i < 300; i++) await store.SendAsync(Published("a"));

        await Eventually.IsAsync(async () =>
        {
            await store.Get<ActivityMover>().CatchUpAsync(default);
            return store.Query<long>("SELECT count(*) FROM activity_log")[0] == 0;
        });

        Assert.Equal([300L], store.Query<long>("SELECT published FROM device_activity"));
        Assert.Equal(store.Query<long>("SELECT version FROM activity"), store.Query<long>("SELECT version FROM device_activity"));
        Assert.Equal([0L], store.Query<long>("SELECT count(*) FROM activity_log"));
    }

    [Fact]
    public async Task What_is_moved_in_the_transaction_that_deletes_the_device_does_not_come_back()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon.AddMinutes(2)));
        await store.SendAsync(Connected("a"));
        for (var i = 0; i < 3; i++) await store.SendAsync(Published("a"));
        SetBack(store, "a"); // so that it is to be moved
        await store.SendAsync(Connected("b"));
        Assert.Equal(Forgotten.InPart, await store.SendAsync(new ForgetDevice(new ClientId("a")))); // messages and events first
        using var gate = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = store.SendAsync(new WaitInTheWriter(gate, running));
        await running.Task;
        var deleting = store.SendAsync(new ForgetDevice(new ClientId("a")));
        var moving = store.Get<ActivityMover>().CatchUpAsync(default);
        await Eventually.IsAsync(() => store.Get<IIngestGauge>().QueueDepth > 1);

        gate.Set();
        await Task.WhenAll(blocking, moving);
        Assert.Equal(Forgotten.Completely, await deleting);

        Assert.Equal(["b"], store.Query<string>("SELECT client_id FROM device_activity JOIN clients USING (client_no)"));
        await store.SendAsync(Published("a"));
        Assert.Equal(["a 1", "b 0"], (await store.SendAsync(List(DeviceSortKey.LastSeenAt))).Items.Select(device => $"{device.ClientId} {device.MessagesPublished}").Order());
    }

    [Fact]
    public async Task A_log_with_a_row_for_each_device_is_moved_when_the_schema_changes()
    {
        var folder = Directory.CreateTempSubdirectory("store-").FullName;
        using (var old = OldDatabase.Create(folder, version: 10, Noon, "a", "b"))
            old.Execute(
                """
                INSERT INTO clients VALUES (3, 'c');
                INSERT INTO device_activity VALUES (1, 1, 1, 't', 10, 0, 0, NULL, NULL, 5, 1), (2, 1, 1, 't', 20, 0, 0, NULL, NULL, 9, 1);
                INSERT INTO activity_log (no, rests_on, client_no, last_seen_at, last_message_at, last_topic, published, delivered, dropped, version, status) VALUES
                  (1, 1, 1, 2, 2, 'u', 11, 0, 0, 6, 1), (2, 1, 1, 3, 3, 'v', 12, 1, 2, 7, 1), -- the newest holds
                  (3, 1, 2, 1, 1, 't', 19, 0, 0, 8, 1), -- older than the table
                  (4, 1, 3, 1, 1, 't', 30, 0, 0, 8, 1), (5, 0, 3, NULL, NULL, NULL, 0, 0, 0, 0, 0); -- deleted
                """);

        await using var store = await AStore.OpenInAsync(folder, new AClock(Noon));

        Assert.Equal(
            [("a", 12L, 1L, 2L, "v"), ("b", 20, 0, 0, "t")],
            store.Query<(string, long, long, long, string)>("SELECT client_id, published, delivered, dropped, last_topic FROM activity JOIN clients USING (client_no) ORDER BY 1"));
    }

    [Fact]
    public async Task An_entry_of_the_log_keeps_every_value_and_its_view_says_them()
    {
        var sign = new Activity
        {
            ClientNo = 7,
            RestsOn = 3,
            LastSeenAt = 1_767_225_600_001,
            LastMessageAt = 1_767_225_600_002,
            LastTopic = "a/\"ü\"/\u001f😀",
            Published = 1,
            Delivered = 2,
            Dropped = 3,
            SignAt = 1_767_225_600_003,
            SignPeer = "[::1]:1",
            Version = 9,
            Status = 1,
        };
        foreach (var values in new[] { sign, new Activity { ClientNo = 7 } })
        {
            await using var store = await AStore.OpenAsync();
            using var connection = store.Database.OpenForWriting();
            var written = new ArrayBufferWriter<byte>();
            using (var json = new Utf8JsonWriter(written, ActivityLog.AsItIs)) values.WriteTo(json);
            var text = Encoding.UTF8.GetString(written.WrittenSpan);
            connection.Execute("INSERT INTO activity_log VALUES (1, '[' || @text || ']')", new { text });

            Assert.Equal(values, Activity.Read(text));
            Assert.Equal(values, connection.QuerySingle<Activity>("SELECT * FROM logged_activity"));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Counts_are_exact_through_failures_deletions_and_restarts(int seed)
    {
        var random = new Random(seed);
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var store = await AStore.OpenAsync(new AClock(Noon.AddDays(1)));
        try
        {
            for (var step = 0; step < 60; step++)
            {
                var client = $"device-{random.Next(8)}";
                switch (random.Next(10))
                {
                    case 0:
                        while (await store.SendAsync(new ForgetDevice(new ClientId(client))) is not Forgotten.Completely) { }
                        counts.Remove(client);
                        break;
                    case 1:
                        store = await store.RestartAsync();
                        break;
                    case 2:
                        await store.SendAsync(List(DeviceSortKey.LastSeenAt));
                        break;
                    default:
                        await BatchAsync(store, random, counts);
                        break;
                }
                if (random.Next(4) == 0) await AssertAsync(store, counts);
            }
            store = await store.RestartAsync();
            await AssertAsync(store, counts);
        }
        finally
        {
            await store.DisposeAsync();
        }
    }

    /// <summary>Some in one turn, so that they share a transaction, with commands that fail and deletions among them.</summary>
    private async Task BatchAsync(AStore store, Random random, SortedDictionary<string, long> counts)
    {
        var sent = new List<Task>();
        for (var i = random.Next(1, 40); i > 0; i--)
        {
            var client = $"device-{random.Next(8)}";
            switch (random.Next(12))
            {
                case 0:
                    sent.Add(Assert.ThrowsAsync<InvalidOperationException>(() => store.SendAsync(new ConnectAndFail(new ClientId(client)))));
                    break;
                case 1:
                    sent.Add(store.SendAsync(Connected(client) with { ConnectedAt = Noon.AddSeconds(++messages), ReceivedAt = Noon.AddSeconds(messages) }));
                    counts.TryAdd(client, 0);
                    break;
                default:
                    sent.Add(store.SendAsync(Published(client)));
                    counts[client] = counts.GetValueOrDefault(client) + 1;
                    break;
            }
        }
        await Task.WhenAll(sent);
    }

    private static async Task AssertAsync(AStore store, SortedDictionary<string, long> counts)
    {
        Assert.Equal(
            counts.Select(one => $"{one.Key} {one.Value}"),
            store.Query<string>("SELECT d.client_id || ' ' || a.published FROM activity a JOIN devices d USING (client_no) ORDER BY d.client_id"));
        Assert.Equal(
            counts.Select(one => (one.Key, one.Value)),
            (await store.SendAsync(List(DeviceSortKey.ClientId))).Items.Select(device => (device.ClientId, device.MessagesPublished)));
        Assert.Equal(
            counts.Select(one => (one.Key, one.Value)),
            (await store.SendAsync(new GetDeviceStates([.. counts.Keys.Select(client => new ClientId(client))]))).Select(device => (device.ClientId, device.MessagesPublished)));
    }

    private static long SetBack(AStore store, string client)
    {
        var version = store.Query<long>("SELECT version FROM activity")[0];
        using var connection = store.Database.OpenForWriting();
        connection.Execute(
            """
            BEGIN IMMEDIATE;
            INSERT INTO activity_log (no, entries)
            SELECT 1000000, json_array(json_array(client_no, 1, last_seen_at, last_message_at, last_topic, published, delivered, dropped, sign_at, sign_peer, version, status))
            FROM activity JOIN clients USING (client_no) WHERE client_id = @client;
            UPDATE device_activity SET last_seen_at = 0, last_message_at = NULL, last_topic = NULL, published = 0, version = 1
            WHERE client_no = (SELECT client_no FROM clients WHERE client_id = @client);
            COMMIT;
            """, new { client });
        return version;
    }

    private static ListDevices List(DeviceSortKey key) => new(new DeviceFilter(), new(key, false), new(1_000, null), false);

    private static RecordClientConnected Connected(string client) =>
        new(new ClientId(client), "n", Noon, "10.0.0.1:1", new ConnectionDetails { Ip = "10.0.0.1", Port = 1 }, Noon);

    private RecordMessagePublished Published(string client) => new(
        new MessageContent(
            new MessageId(++messages), new ClientId(client), FromDevice: true, null, $"t/{client}", 1, Retain: false, Noon.AddSeconds(messages),
            Payload.OfText(Encoding.UTF8.GetBytes(messages.ToString(CultureInfo.InvariantCulture))), null),
        "10.0.0.1:1", IsEvidence: true, Noon.AddSeconds(messages));
}
