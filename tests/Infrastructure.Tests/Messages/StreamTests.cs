using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;
using WebhookService.Infrastructure.Tests.Persistence;

namespace WebhookService.Infrastructure.Tests.Messages;

/// <summary>Messages by streams: what is in memory, in a run that is being written and in complete runs, against a plain model.</summary>
public sealed class StreamTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Clients: three devices, one that nobody met, and the broker's own.</summary>
    private static readonly string[] Clients = ["d0", "d1", "d2", "unmet", "http_api"];

    private static readonly string[] Topics = ["a", "a/b", "site/1", "site/2", "rare"];

    [Theory]
    [InlineData(1, 8, 1_000_000, true)]
    [InlineData(2, 8, 1_000_000, true)]
    [InlineData(3, 8, 5, true)]
    [InlineData(4, 8, 0, true)]
    [InlineData(5, 30, 1_000_000, true)]
    [InlineData(6, 1, 1_000_000, false)]
    [InlineData(7, 100_000, 3, true)]
    public async Task Lists_and_states_are_those_of_a_plain_model_whatever_happens(int seed, int entriesOfRun, int latest, bool restarts)
    {
        var random = new Random(seed);
        var clock = new AClock(Noon);
        (string, string)[] settings =
        [
            ("Storage:EntriesOfRun", $"{entriesOfRun}"), ("Retention:Messages:MaxCount", "120"), ("Retention:LatestMessages", $"{latest}"), ("Retention:Interval", "01:00:00"),
        ];
        var store = await AStore.OpenAsync(clock, settings);
        await store.Get<RetentionWorker>().StopAsync(CancellationToken.None); // rounds are the test's
        var model = new Model(latest, most: 120);
        var id = 0;
        try
        {
            for (var step = 0; step < 60; step++)
            {
                switch (random.Next(10))
                {
                    case 0:
                        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);
                        model.Retain();
                        break;
                    case 1 when restarts:
                        store = await store.RestartAsync(null, settings);
                        await store.Get<RetentionWorker>().StopAsync(CancellationToken.None);
                        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);
                        model.Retain();
                        break;
                    case 2 when random.Next(4) == 0:
                        var gone = Clients[random.Next(Clients.Length)];
                        while (await store.SendAsync(new ForgetDevice(new ClientId(gone))) is not Forgotten.Completely) { }
                        model.Forget(gone);
                        break;
                    default:
                        var some = Enumerable.Range(0, random.Next(1, 25)).Select(_ => AnyMessage(random, ++id)).ToList();
                        foreach (var one in some) model.Add(one);
                        await Task.WhenAll(some.Select(one => store.SendAsync(Publish(one))));
                        break;
                }
                clock.Advance(TimeSpan.FromSeconds(1));
                await AssertAsModelAsync(store, model, random);
            }
            if (entriesOfRun <= 8) Assert.True(store.Query<long>("SELECT max(last_no) FROM runs WHERE name = 'messages'")[0] > 100, "no runs were written");
            Assert.True(model.Gone > 100, "nothing went");
        }
        finally
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task Messages_are_found_while_their_run_is_being_written_and_after_it_broke_off()
    {
        var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "100000"));
        var random = new Random(3);
        var model = new Model(1_000_000, 1_000_000);
        await PublishAsync(store, model, random, 1, 300);
        var file = store.File;
        store = await store.RestartAsync(null, ("Storage:EntriesOfRun", "250"));
        await UntilAsync(() => store.Query<long>("SELECT count(*) FROM runs WHERE name = 'messages'")[0] == 1);
        await PublishAsync(store, model, random, 301, 100);
        await AssertAsModelAsync(store, model, random);

        // As if the process had died when half of the next run was written: streams had heard of it.
        store = await store.RestartAsync(() => Execute(file, """
            INSERT INTO messages_runs SELECT 301, stream_no, published_at, message_no FROM messages JOIN streams USING (client_no, topic_no) WHERE message_no > 300 AND stream_no % 2 = 0;
            UPDATE streams SET last_no = n.last, newest_at = CASE WHEN (n.at, n.no) > (newest_at, newest_no) THEN n.at ELSE newest_at END,
              newest_no = CASE WHEN (n.at, n.no) > (newest_at, newest_no) THEN n.no ELSE newest_no END
            FROM (SELECT key, at, no, max(no) OVER (PARTITION BY key) AS last, row_number() OVER (PARTITION BY key ORDER BY at DESC, no DESC) AS place FROM messages_runs WHERE run = 301) n
            WHERE n.key = stream_no AND n.place = 1;
            """), ("Storage:EntriesOfRun", "250"));
        await using var _ = store;
        await AssertAsModelAsync(store, model, random);

        await PublishAsync(store, model, random, 401, 200);
        await UntilAsync(() => store.Query<long>("SELECT count(*) FROM runs WHERE name = 'messages'")[0] == 2);

        await AssertAsModelAsync(store, model, random);
        Assert.Equal(
            store.Query<(long, long)>("SELECT stream_no, message_no FROM messages JOIN streams USING (client_no, topic_no) WHERE message_no <= (SELECT max(last_no) FROM runs WHERE name = 'messages') ORDER BY 1, 2"),
            store.Query<(long, long)>("SELECT key, no FROM messages_runs ORDER BY 1, 2"));
    }

    [Fact]
    public async Task A_run_tells_its_streams_what_it_holds_in_each_of_its_steps()
    {
        await using var store = await AStore.OpenAsync();
        var (writer, model, random) = (store.Get<Writer>(), new Model(1_000_000, 1_000_000), new Random(5));
        await PublishAsync(store, model, random, 1, 400);
        // A second index over the same rows, which nobody but this test writes.
        var index = await writer.RunAsync(() =>
        {
            var one = new StreamMessages(store.Get<UnitOfWork>(), Options.Create(new StorageOptions { EntriesOfRun = 1 }));
            one.Opened();
            return Task.FromResult(one);
        });
        Assert.True(index.IsWaiting);
        index.Prepare();

        var steps = 0;
        for (; index.IsWaiting; steps++)
        {
            await writer.RunAsync(() =>
            {
                index.Write(new StepTime(TimeSpan.Zero));
                return Task.FromResult(true);
            });
            Assert.Equal(
                store.Query<(long, long, long, long)>("""
                    SELECT key, max(no), (SELECT at FROM messages_runs n WHERE n.key = r.key ORDER BY at DESC, no DESC LIMIT 1),
                      (SELECT no FROM messages_runs n WHERE n.key = r.key ORDER BY at DESC, no DESC LIMIT 1)
                    FROM messages_runs r GROUP BY key ORDER BY key
                    """),
                store.Query<(long, long, long, long)>("SELECT stream_no, last_no, newest_at, newest_no FROM streams WHERE newest_no > 0 ORDER BY stream_no"));
            await AssertAsModelAsync(store, model, random);
        }

        Assert.Equal(7, steps); // of 64 entries
        Assert.Equal([(1L, 400L)], store.Query<(long, long)>("SELECT run, last_no FROM runs WHERE name = 'messages'"));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    public async Task A_stream_forgets_its_newest_message_when_that_goes_before_its_run_is_written_or_after(int entriesOfRun)
    {
        await using var store = await AStore.OpenAsync(
            new AClock(Noon), ("Storage:EntriesOfRun", $"{entriesOfRun}"), ("Retention:Messages:MaxCount", "4"), ("Retention:LatestMessages", "1"), ("Retention:Interval", "01:00:00"));
        await store.Get<RetentionWorker>().StopAsync(CancellationToken.None);
        var index = store.Get<StreamMessages>();
        (int Id, string Topic, int At)[] some = [(1, "a", 100), (2, "b", 1), (3, "a", 50), (4, "c", 2), (5, "c", 3), (6, "c", 4)];
        foreach (var (id, topic, at) in some) await store.SendAsync(Publish(new(id, "d0", topic, Noon.AddSeconds(at), 0)));
        await UntilAsync(() => !index.IsWaiting);

        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None); // 1 and 2 are last ones, and one too many

        Assert.Equal([2L, 3, 4, 5, 6], store.Query<long>("SELECT message_no FROM messages ORDER BY message_no"));
        for (var id = 7; id <= 8; id++) await store.SendAsync(Publish(new(id, "d0", "c", Noon.AddSeconds(id), 0)));
        await UntilAsync(() => !index.IsWaiting);
        Assert.Equal([3L], store.Query<long>("SELECT newest_no FROM streams JOIN topics USING (topic_no) WHERE topic = 'a'"));

        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);

        Assert.Equal([3L, 5, 6, 7, 8], store.Query<long>("SELECT message_no FROM messages ORDER BY message_no"));
        var list = await store.SendAsync(new ListMessages(new PageRequest(10, null)) { Client = new ClientId("d0") });
        Assert.Equal([3, 8, 7, 6, 5], list.Items.Select(message => IdOf(message.Id)));
    }

    [Fact]
    public async Task A_message_is_found_that_is_committed_and_not_yet_in_memory()
    {
        var between = new InBetween();
        await using var store = await AStore.OpenAsync(between);
        await store.SendAsync(Publish(new(1, "d0", "a", Noon, 0)));
        Page<MessageView>? list = null;
        LatestStateView? state = null;

        between.Act = () =>
        {
            if (store.Query<long>("SELECT max(message_no) FROM messages")[0] < 2) return; // a worker's commit
            between.Act = null;
            list = store.SendAsync(new ListMessages(new PageRequest(10, null)) { Client = new ClientId("d0") }).GetAwaiter().GetResult();
            state = store.SendAsync(new GetLatestState(new ClientId("d0"), new PageRequest(10, null))).GetAwaiter().GetResult();
        };
        await store.SendAsync(Publish(new(2, "d0", "a", Noon.AddSeconds(1), 0)));

        Assert.Equal([2, 1], list!.Items.Select(message => IdOf(message.Id)));
        Assert.Equal(2, IdOf(Assert.Single(state!.Items).MessageId));
    }

    [Fact]
    public async Task A_stream_stays_where_its_next_message_comes_in_the_transaction_that_removes_the_last_one()
    {
        await using var store = await AStore.OpenAsync(new AClock(Noon), ("Retention:Messages:MaxCount", "1"), ("Retention:LatestMessages", "0"), ("Retention:Interval", "01:00:00"));
        await store.Get<RetentionWorker>().StopAsync(CancellationToken.None);
        await store.SendAsync(Publish(new(1, "d0", "a", Noon, 0)));
        await store.SendAsync(Publish(new(2, "d0", "b", Noon, 0)));
        using var reader = store.Database.OpenForReading();
        var step = store.Get<IEnumerable<IRetained>>().Single(kind => kind.Kind == "messages").Next(reader, Noon, pressure: null)!;

        await store.Get<Writer>().RunAsync(async () =>
        {
            var next = Message.Of(Publish(new(3, "d0", "a", Noon.AddSeconds(1), 0)).Content, Noon);
            await store.Get<IMessageRepository>().SaveAsync(next, CancellationToken.None);
            return step.Remove(new StepTime(TimeSpan.FromSeconds(10)));
        });

        var list = await store.SendAsync(new ListMessages(new PageRequest(10, null)) { Topic = TopicFilter.Parse("a") });
        Assert.Equal([2L, 3], store.Query<long>("SELECT message_no FROM messages ORDER BY message_no"));
        Assert.Equal([3], list.Items.Select(message => IdOf(message.Id)));
    }

    /// <summary>Acts after a commit, before the index hears of it.</summary>
    private sealed class InBetween : IUnitOfWorkPart
    {
        private volatile Action? act;

        public Action? Act { set => act = value; }

        public void Flush() { }

        public void Forget() { }

        public void Committed() => act?.Invoke();
    }

    [Fact]
    public async Task A_stream_knows_whether_others_than_its_device_publish_on_it()
    {
        var store = await AStore.OpenAsync();
        await store.SendAsync(Publish(new(1, "d0", "a", Noon, 0)));
        await store.SendAsync(Publish(new(2, "d0", "b", Noon, 0)));
        store = await store.RestartAsync();
        await using var _ = store;

        await store.SendAsync(Publish(new(3, "d0", "a", Noon, 0), fromDevice: false)); // a will
        await store.SendAsync(Publish(new(4, "d0", "b", Noon, 0)));

        Assert.Equal([("a", 0L), ("b", 1L)], store.Query<(string, long)>("SELECT topic, from_device FROM streams JOIN topics USING (topic_no) ORDER BY topic"));
    }

    [Fact]
    public async Task The_last_message_of_a_stream_is_found_when_its_run_is_gone()
    {
        var clock = new AClock(Noon);
        await using var store = await AStore.OpenAsync(clock, ("Storage:EntriesOfRun", "10"), ("Retention:Messages:MaxCount", "1"));
        await store.SendAsync(Publish(new(1, "d0", "rare", Noon, 0)));
        for (var i = 2; i <= 60; i++) await store.SendAsync(Publish(new(i, "d0", "a", Noon, 0)));
        await UntilAsync(() => !store.Get<StreamMessages>().IsWaiting);
        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);
        var more = true;
        while (more)
            await store.Get<Writer>().RunAsync(() =>
            {
                more = store.Get<StreamMessages>().RemoveOutdated(new StepTime(TimeSpan.FromMilliseconds(5)));
                return Task.FromResult(true);
            });
        Assert.Empty(store.Query<long>("SELECT no FROM messages_runs WHERE no = 1"));

        var list = await store.SendAsync(new ListMessages(new PageRequest(10, null)) { Client = new ClientId("d0") });
        var rare = await store.SendAsync(new ListMessages(new PageRequest(10, null)) { Topic = TopicFilter.Parse("rare") });
        var state = await store.SendAsync(new GetLatestState(new ClientId("d0"), new PageRequest(10, null)));

        Assert.Equal([60, 1], list.Items.Select(message => IdOf(message.Id)));
        Assert.Equal([1], rare.Items.Select(message => IdOf(message.Id)));
        Assert.Equal([60, 1], state!.Items.Select(message => IdOf(message.MessageId)));
    }

    [Fact]
    public async Task A_state_is_the_newest_message_that_is_here_where_somebody_deleted_newer_ones()
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "4"));
        for (var i = 1; i <= 12; i++) await store.SendAsync(Publish(new(i, "d0", "a", Noon.AddSeconds(i), 0)));
        Execute(store.File, "DELETE FROM messages WHERE message_no BETWEEN 3 AND 12");

        var state = await store.SendAsync(new GetLatestState(new ClientId("d0"), new PageRequest(10, null)));

        Assert.Equal(2, IdOf(Assert.Single(state!.Items).MessageId));
    }

    [Fact]
    public async Task Runs_that_cannot_hold_what_is_next_are_not_looked_into()
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "20"));
        // Runs of one minute each; "rare" had three messages long ago.
        for (var i = 1; i <= 400; i++)
        {
            await store.SendAsync(Publish(new(i, $"d{i % 2}", i is 25 or 30 or 45 ? "rare" : "a", Noon.AddSeconds(3 * i), 0)));
            if (i % 20 == 0) await UntilAsync(() => !store.Get<StreamMessages>().IsWaiting);
        }
        await UntilAsync(() => store.Query<long>("SELECT count(*) FROM runs WHERE name = 'messages'")[0] == 20);
        var (newest, deep) = (Noon.AddYears(1), Noon.AddSeconds(600));

        var ofOne = Look(store, "s.topic_no = (SELECT topic_no FROM topics WHERE topic = 'rare')", newest, 50);
        Assert.Equal([45L, 30, 25], ofOne.Places.Select(place => place.No));
        Assert.Equal(3, ofOne.Looks); // two streams, each between its first and its last message
        Assert.InRange(Look(store, "TRUE", newest, 10).Looks, 1, 4);
        Assert.InRange(Look(store, "TRUE", deep, 10).Looks, 1, 8);
        Assert.Equal(Enumerable.Range(190, 10).Reverse().Select(no => (long)no), Look(store, "TRUE", deep, 10).Places.Select(place => place.No));
    }

    [Fact]
    public async Task A_database_from_before_streams_says_what_it_said()
    {
        var folder = Directory.CreateTempSubdirectory("store-").FullName;
        using (var old = OldDatabase.Create(folder, version: 8, Noon, "d0", "d1"))
        {
            // Up to 20 all were judged: of d0's "a" two were left, because the broker's clock had run ahead.
            old.Execute(
                """
                INSERT INTO clients VALUES (3, 'http_api');
                INSERT INTO topics VALUES (5, 'a', 'a'), (6, 'b', 'b'), (7, 'nobody', 'nobody');
                INSERT INTO counters VALUES ('messages', 40), ('messages.edge', 20), ('messages.latest', 3);
                """);
            foreach (var (no, client, topic, at) in Old)
                old.Execute(
                    """
                    INSERT INTO messages (message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload)
                    VALUES (@no, @id, @client, @topic, 1, 0, @at, @at, 1, @client < 3, 0, 0, x'7b7d');
                    INSERT INTO deliveries (message_no, client_no, redelivered) VALUES (@no, 2, 0);
                    """,
                    new { no, id = new byte[15].Append((byte)no).ToArray(), client, topic, at = Noon.AddSeconds(at).ToMs() });
        }

        var store = await AStore.OpenInAsync(folder, new AClock(Noon), ("Retention:Messages:MaxCount", "30"));
        await SaysAsync();
        await store.SendAsync(Publish(new(41, "d1", "b", Noon.AddSeconds(41), 0)));
        store = await store.RestartAsync(null, ("Retention:Messages:MaxCount", "10"));
        await using var _ = store;
        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);

        Assert.Equal([4L, 31, 32, 33, 34, 35, 36, 41], store.Query<long>("SELECT message_no FROM messages ORDER BY message_no"));
        Assert.Equal(["a", "b"], store.Query<string>("SELECT topic FROM topics ORDER BY topic"));
        Assert.Equal([41, 36, 35, 34, 33, 32, 4], await ListAsync("b"));

        async Task SaysAsync()
        {
            Assert.Equal([31, 23, 3], await ListAsync("a"));
            Assert.Equal([36, 35, 34, 33, 32, 25, 22, 21, 4], await ListAsync("b"));
            Assert.Equal([31, 4], (await store.SendAsync(new GetLatestState(new ClientId("d0"), new PageRequest(10, null))))!.Items.Select(item => IdOf(item.MessageId)));
            Assert.Equal([36], (await store.SendAsync(new GetLatestState(new ClientId("d1"), new PageRequest(10, null))))!.Items.Select(item => IdOf(item.MessageId)));
            Assert.Equal(
                [
                    ("d0", "a", 1L, 1L, 31L, 31L, 3L), ("d0", "b", 1, 4, 4, 4, 4), ("d1", "b", 1, 21, 36, 36, null),
                    ("http_api", "a", 0, 23, 23, 23, null),
                ],
                store.Query<(string, string, long, long, long, long, long?)>("""
                    SELECT client_id, topic, from_device, first_no, last_no, newest_no, kept_no FROM streams JOIN clients USING (client_no) JOIN topics USING (topic_no) ORDER BY 1, 2
                    """));
            Assert.Equal(store.Query<long>("SELECT count(*) FROM messages"), store.Query<long>("SELECT count(*) FROM deliveries"));
            Assert.Equal([2L], store.Query<long>("SELECT value FROM counters WHERE name = 'messages.latest'"));
        }

        async Task<IEnumerable<int>> ListAsync(string topic) =>
            (await store.SendAsync(new ListMessages(new PageRequest(50, null)) { Topic = TopicFilter.Parse(topic) })).Items.Select(item => IdOf(item.Id));
    }

    /// <summary>Number, client, topic, seconds.</summary>
    private static readonly (long No, int Client, int Topic, int At)[] Old =
    [
        (1, 1, 5, 2), (3, 1, 5, 3), (4, 1, 6, 4), // outlived their age
        (21, 2, 6, 21), (22, 2, 6, 22), (23, 3, 5, 23), (25, 2, 6, 25), (31, 1, 5, 31), (32, 2, 6, 32), (33, 2, 6, 33), (34, 2, 6, 34), (35, 2, 6, 35), (36, 2, 6, 36),
    ];

    private static (List<Place> Places, long Looks) Look(AStore store, string which, DateTimeOffset before, int count)
    {
        using var index = store.Get<StreamMessages>().Reader();
        using var connection = store.Database.OpenForReading();
        var streams = connection.Query<StreamRow>($"SELECT {StreamRow.Columns} FROM streams s WHERE {which}").AsList();
        var places = new StreamMerge(connection, index).NewestFirst(streams, new Place(before.ToMs(), 0), long.MinValue).Take(count).ToList();
        return (places, index.Looks);
    }

    private static async Task PublishAsync(AStore store, Model model, Random random, int first, int count)
    {
        var some = Enumerable.Range(first, count).Select(id => AnyMessage(random, id)).ToList();
        foreach (var one in some) model.Add(one);
        await Task.WhenAll(some.Select(one => store.SendAsync(Publish(one))));
    }

    /// <summary>Times go on with the numbers, but for some that come late or from a clock that runs ahead.</summary>
    private static One AnyMessage(Random random, int id)
    {
        var at = Noon.AddSeconds(id / 4);
        at = random.Next(8) switch { 0 => at.AddSeconds(-random.Next(100)), 1 => at.AddSeconds(random.Next(60)), _ => at };
        var client = Clients[random.Next(Clients.Length)];
        var topic = random.Next(20) == 0 ? $"once/{id}" : Topics[random.Next(random.Next(3) == 0 ? Topics.Length : Topics.Length - 1)];
        return new(id, client, topic, at, 0);
    }

    private static async Task AssertAsModelAsync(AStore store, Model model, Random random)
    {
        // Numbers are given as the writer comes to the messages, not as they were sent.
        model.Number(store.Query<(byte[] Id, long No)>("SELECT id, message_no FROM messages").ToDictionary(row => row.Id[15] + (row.Id[14] << 8), row => row.No));
        Assert.Equal(model.Here.Select(one => one.No).Order(), store.Query<long>("SELECT message_no FROM messages ORDER BY message_no"));
        Assert.Equal(
            model.Here.Select(one => (one.Client, one.Topic)).Distinct().Order(),
            store.Query<(string, string)>("SELECT client_id, topic FROM streams JOIN clients USING (client_no) JOIN topics USING (topic_no)").Order());
        Assert.Equal(model.Here.Select(one => one.Topic).Distinct().Order(StringComparer.Ordinal), store.Query<string>("SELECT topic FROM topics").Order(StringComparer.Ordinal));
        Assert.Equal((model.KeptCount, model.KeptCount), store.Query<(long, long)>($"SELECT count(kept_no), {MessageRetention.Latest} FROM streams").Single());

        foreach (var query in Queries(random))
        {
            var (found, cursor) = (new List<int>(), (string?)null);
            do
            {
                var page = await store.SendAsync(query with { Page = query.Page with { Cursor = cursor } });
                found.AddRange(page.Items.Select(item => IdOf(item.Id)));
                cursor = page.Next;
            }
            while (cursor is not null);
            var expected = model.Here
                .Where(one => (query.Client is null || query.Client.Value.Value == one.Client) && (query.Topic is null || query.Topic.Matches(one.Topic)))
                .Where(one => (query.From is null || one.At >= query.From) && (query.To is null || one.At < query.To))
                .OrderByDescending(one => (one.At, one.No)).Select(one => one.Id);
            Assert.True(expected.SequenceEqual(found), $"{query.Client}, {query.Topic}, {query.From:O} to {query.To:O}: [{string.Join(' ', found)}] instead of [{string.Join(' ', expected)}]");
        }

        foreach (var client in Clients)
        {
            var (found, cursor, known) = (new List<int>(), (string?)null, true);
            do
            {
                var page = await store.SendAsync(new GetLatestState(new ClientId(client), new PageRequest(2, cursor)));
                known = page is not null;
                found.AddRange(page?.Items.Select(item => IdOf(item.MessageId)) ?? []);
                cursor = page?.Next;
            }
            while (cursor is not null);
            if (!known) continue;
            var expected = model.Here.Where(one => one.Client == client).GroupBy(one => one.Topic).Select(topic => topic.MaxBy(one => (one.At, one.No))!.Id);
            Assert.Equal(expected.Order(), found.Order());
        }
    }

    private static IEnumerable<ListMessages> Queries(Random random)
    {
        ListMessages Any() => new(new PageRequest(random.Next(3) == 0 ? 200 : random.Next(3, 30), null))
        {
            From = random.Next(4) == 0 ? Noon.AddSeconds(random.Next(100)) : null,
            To = random.Next(4) == 0 ? Noon.AddSeconds(random.Next(150)) : null,
        };
        var client = new ClientId(Clients[random.Next(Clients.Length)]);
        var topic = TopicFilter.Parse(Topics[random.Next(Topics.Length)]);
        yield return Any() with { Client = client };
        yield return Any() with { Topic = topic };
        yield return Any() with { Client = client, Topic = topic };
        yield return Any() with { Topic = TopicFilter.Parse("site/+") };
        yield return Any() with { Topic = TopicFilter.Parse("once/#"), Client = random.Next(2) == 0 ? client : null };
        yield return Any();
    }

    private static RecordMessagePublished Publish(One one, bool? fromDevice = null) => new(
        new MessageContent(
            new MessageId((UInt128)one.Id), new ClientId(one.Client), fromDevice ?? one.Client.StartsWith('d'), null, one.Topic, 1, false, one.At,
            Payload.OfText("{}"u8.ToArray()), null),
        null, one.Client.StartsWith('d'), Noon);

    private static int IdOf(string id) => int.Parse(id[^8..], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static async Task UntilAsync(Func<bool> holds)
    {
        for (var tries = 0; tries < 3_000 && !holds(); tries++) await Task.Delay(10);
        Assert.True(holds());
    }

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Execute(sql);
    }

    private sealed record One(int Id, string Client, string Topic, DateTimeOffset At, long No);

    /// <summary>What is here by the rules as README and docs/retention.md say them, looking at each message.</summary>
    private sealed class Model(int latest, int most)
    {
        private readonly HashSet<long> kept = [];
        private readonly HashSet<string> devices = [];
        private List<One> here = [];
        private long edge;
        private long newest;

        public IReadOnlyList<One> Here => here;

        public long KeptCount => kept.Count;

        public int Gone { get; private set; }

        public void Add(One one)
        {
            here.Add(one);
            if (one.Client.StartsWith('d')) devices.Add(one.Client);
        }

        public void Number(Dictionary<int, long> numbers)
        {
            here = [.. here.Select(one => one with { No = numbers.GetValueOrDefault(one.Id, one.No) })];
            newest = Math.Max(newest, here.Count == 0 ? 0 : here.Max(one => one.No));
        }

        public void Forget(string client)
        {
            foreach (var one in here.Where(one => one.Client == client).ToList()) Drop(one);
            devices.Remove(client);
        }

        public void Retain()
        {
            foreach (var one in here.Where(one => one.No > edge && one.No <= newest - most).OrderBy(one => one.No).ToList())
            {
                var stream = here.Where(other => (other.Client, other.Topic) == (one.Client, one.Topic)).ToList();
                foreach (var before in stream.Where(other => other.No <= edge && (other.At, other.No).CompareTo((one.At, one.No)) < 0)) Drop(before);
                edge = one.No;
                if (latest == 0 || !devices.Contains(one.Client) || stream.Any(other => (other.At, other.No).CompareTo((one.At, one.No)) > 0)) Drop(one);
                else kept.Add(one.No);
            }
            edge = Math.Max(edge, newest - most);
            foreach (var one in here.Where(one => kept.Contains(one.No)).OrderBy(one => one.No).SkipLast(latest).ToList()) Drop(one);
        }

        private void Drop(One one)
        {
            here.Remove(one);
            kept.Remove(one.No);
            Gone++;
        }
    }
}
