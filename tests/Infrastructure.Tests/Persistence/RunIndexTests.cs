using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Journal;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Persistence.Runs;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>An index of runs, at the example of the journal's by client, against the rows themselves.</summary>
public sealed class RunIndexTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(100_000)]
    public async Task Rows_are_found_whether_they_are_in_memory_in_a_run_or_in_one_that_is_being_written(int entriesOfRun)
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", $"{entriesOfRun}"));

        for (var round = 0; round < 20; round++)
        {
            await ConnectAsync(store, clients: 7, round);
            await AssertAllAreFoundAsync(store, clients: 7);
        }

        if (entriesOfRun <= 16) await Eventually.IsAsync(() => store.Query<long>("SELECT count(*) FROM runs WHERE name = 'journal'")[0] > 1);
        await AssertAllAreFoundAsync(store, clients: 7);
    }

    [Fact]
    public async Task Rows_are_found_after_a_restart_in_the_midst_of_a_run()
    {
        var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "40"));
        for (var round = 0; round < 6; round++) await ConnectAsync(store, clients: 10, round);
        await Eventually.IsAsync(() => store.Query<long>("SELECT count(*) FROM runs").Single() >= 2);
        store = await store.RestartAsync(() => Execute(store.File, BreakOffTheLast), ("Storage:EntriesOfRun", "40"));
        await using var _ = store;

        await AssertAllAreFoundAsync(store, clients: 10);

        await ConnectAsync(store, clients: 10, round: 6);
        await Eventually.IsAsync(() => store.Query<long>("SELECT count(*) FROM runs").Single() >= 2);
        await AssertAllAreFoundAsync(store, clients: 10);
    }

    private const string BreakOffTheLast = """
        DELETE FROM journal_runs WHERE run = (SELECT max(run) FROM runs) AND no % 3 = 0;
        DELETE FROM runs WHERE run = (SELECT max(run) FROM runs);
        """;

    [Fact]
    public async Task A_command_that_fails_takes_no_entries_of_others_with_it()
    {
        await using var store = await AStore.OpenAsync();
        await ConnectAsync(store, clients: 3, round: 0);

        var failing = new List<Task>();
        var fine = new List<Task<Outcome>>();
        for (var i = 0; i < 60; i++)
        {
            if (i % 10 == 5) failing.Add(store.SendAsync(new ConnectAndFail(new ClientId("client-1"))));
            fine.Add(store.SendAsync(Connected($"client-{i % 3}", round: 1 + (i / 3))));
        }
        await Task.WhenAll(fine);
        foreach (var one in failing) await Assert.ThrowsAsync<InvalidOperationException>(() => one);

        await AssertAllAreFoundAsync(store, clients: 3);
    }

    [Fact]
    public async Task Who_follows_a_client_misses_nothing_that_is_committed_and_not_yet_in_memory()
    {
        var between = new InBetween();
        await using var store = await AStore.OpenAsync(between);
        await ConnectAsync(store, clients: 2, round: 0);
        var client = new ClientId("client-1");
        var before = await store.SendAsync(new ListEvents(0, 100) { Client = client });
        EventPage? page = null;
        Page<EventView>? newest = null;

        between.Act = () =>
        {
            if (store.Query<long>("SELECT max(seq) FROM journal")[0] == before.Head) return; // a worker's commit
            between.Act = null;
            page = store.SendAsync(new ListEvents(before.Next, 100) { Client = client }).GetAwaiter().GetResult();
            newest = store.SendAsync(new ListDeviceEvents(client, new PageRequest(100, null))).GetAwaiter().GetResult();
        };
        await store.SendAsync(Connected(client.Value, round: 1));

        var expected = store.Query<long>("SELECT seq FROM journal JOIN clients USING (client_no) WHERE client_id = @Value ORDER BY seq DESC", new { client.Value });
        Assert.True(page!.Head > before.Head);
        Assert.Equal(expected.Where(seq => seq > before.Next).Reverse(), page.Items.Select(happened => happened.Seq));
        Assert.Equal(expected, newest!.Items.Select(happened => happened.Seq));
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

    [Theory]
    [InlineData(2_000, 0, 64)]
    [InlineData(2_000, 500, 1_024)]
    [InlineData(2_000, 1_500, 2_000)]
    [InlineData(20_000, 15_000, StepTime.MostRows)]
    public async Task A_step_goes_on_beyond_its_time_until_a_run_is_twice_as_far_as_the_next_one(int entriesOfRun, int next, int written)
    {
        await using var store = await AStore.OpenAsync();
        var index = await InTransactionAsync(store, () =>
        {
            // A second index, which nobody but this test writes.
            var one = new ClientEvents(store.Get<UnitOfWork>(), Options.Create(new StorageOptions { EntriesOfRun = entriesOfRun }));
            one.Opened();
            for (var no = 1; no <= entriesOfRun; no++) one.Add(key: 1, at: 0, no);
            return one;
        });
        Assert.True(index.IsWaiting);
        await InTransactionAsync(store, () =>
        {
            for (var no = 1; no <= next; no++) index.Add(key: 1, at: 0, entriesOfRun + no);
            return true;
        });

        index.Prepare();
        await InTransactionAsync(store, () =>
        {
            index.Write(new StepTime(TimeSpan.Zero));
            return true;
        });

        Assert.Equal([written], store.Query<long>("SELECT count(*) FROM journal_runs"));
    }

    private static Task<T> InTransactionAsync<T>(AStore store, Func<T> act) => store.Get<Writer>().RunAsync(() => Task.FromResult(act()));

    [Fact]
    public async Task A_forgotten_client_leaves_no_entries()
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "64"));
        for (var round = 0; round < 12; round++) await ConnectAsync(store, clients: 5, round);
        await Eventually.IsAsync(() => store.Query<long>("SELECT count(*) FROM runs").Single() >= 1);

        while (await store.SendAsync(new ForgetDevice(new ClientId("client-2"))) is not Forgotten.Completely) { }

        await AssertAllAreFoundAsync(store, clients: 5);
        Assert.Empty(store.Query<long>("SELECT seq FROM journal JOIN clients USING (client_no) WHERE client_id = 'client-2'"));
        Assert.Empty(store.Query<long>("SELECT no FROM journal_runs WHERE key = (SELECT client_no FROM clients WHERE client_id = 'client-2')"));
        using var index = store.Get<ClientEvents>().Reader();
        Assert.Empty(index.All(store.Database.OpenForReading(), key: store.Query<long>("SELECT client_no FROM clients WHERE client_id = 'client-2'").Single()));
    }

    [Fact]
    public void Entries_in_memory_stand_in_order_however_they_came()
    {
        var random = new Random(7);
        var all = Enumerable.Range(0, 15_000).Select(no => new IndexEntry(random.Next(20), random.Next(50) + (no / 10), no)).ToList();
        var entries = new RecentEntries();

        foreach (var some in all.Chunk(37)) entries.Add(some);
        entries.Remove([.. all.Where(entry => entry.No % 7 == 0)]);

        for (var key = 0; key < 20; key++)
        {
            var expected = all.Where(entry => entry.Key == key && entry.No % 7 != 0).OrderByDescending(entry => entry.At).ThenByDescending(entry => entry.No).ToList();
            Assert.Equal(expected, entries.NewestFirst(key, long.MaxValue, long.MaxValue));
            var middle = expected[expected.Count / 2];
            Assert.Equal(expected.Skip((expected.Count / 2) + 1), entries.NewestFirst(key, middle.At, middle.No));
        }
    }

    [Fact]
    public void A_reader_goes_on_into_what_came_since_it_began()
    {
        const int Before = 10_000, Then = 5_000; // some blocks of memory each
        var entries = new RecentEntries();
        entries.Add([.. Enumerable.Range(0, Before).Select(no => new IndexEntry(1, 10 * no, no))]);

        using var reader = entries.NewestFirst(1, long.MaxValue, long.MaxValue).GetEnumerator();
        Assert.True(reader.MoveNext());
        entries.Add([.. Enumerable.Range(0, Then).Select(no => new IndexEntry(1, 5, Before + no))]); // just after the first of all
        var seen = 1;
        while (reader.MoveNext()) seen++;

        Assert.Equal(Before + Then, seen);
    }

    [Fact]
    public void Entries_are_sorted_for_a_run_without_those_that_were_removed()
    {
        var random = new Random(11);
        var all = Enumerable.Range(0, 15_000).Select(no => new IndexEntry(random.Next(-40, 40), random.Next(50) + (no / 10), no)).ToList();
        var entries = new RecentEntries();
        entries.Add([.. all]);
        entries.Remove([.. all.Where(entry => entry.No % 3 == 0 || entry.Key == 5)]);

        var places = new List<int> { 1, 2, 3 };
        entries.Sort(places);

        Assert.Equal(
            all.Where(entry => entry.No % 3 != 0 && entry.Key != 5).OrderBy(entry => entry.Key).ThenBy(entry => entry.At).ThenBy(entry => entry.No),
            places.Select(place => entries[place]));
        Assert.Equal((0, 14_999, all.Min(entry => entry.At), all.Max(entry => entry.At)), entries.Bounds());
    }

    [Fact]
    public void Entries_are_emptied_when_no_reader_is_left()
    {
        var entries = new RecentEntries();
        entries.Add([new(1, 10, 100), new(2, 20, 200)]);

        Assert.True(entries.TryEnter());
        Assert.False(entries.TryEmpty());
        Assert.Equal([new(1, 10, 100)], entries.NewestFirst(1, long.MaxValue, long.MaxValue));
        entries.Leave();
        Assert.True(entries.TryEmpty());

        Assert.Equal(0, entries.Count);
        Assert.Empty(entries.NewestFirst(1, long.MaxValue, long.MaxValue));
        var others = new RecentEntries(); // of another index, in the memory that was given back
        others.Add([new(3, 40, 400)]);
        entries.Add([new(3, 30, 300)]);
        Assert.Equal([new(3, 30, 300)], entries.NewestFirst(3, long.MaxValue, long.MaxValue));
        Assert.Equal([new(3, 40, 400)], others.NewestFirst(3, long.MaxValue, long.MaxValue));
        Assert.True(entries.TryEnter());
    }

    [Fact]
    public async Task A_reader_keeps_what_it_saw_in_memory_while_run_after_run_is_written()
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", "50"));
        for (var round = 0; round < 7; round++) await ConnectAsync(store, clients: 5, round);
        using var index = store.Get<ClientEvents>().Reader();
        using var connection = store.Database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var keys = connection.Query<long>("SELECT client_no FROM clients").AsList();
        List<long> Rows(long key) => connection.Query<long>("SELECT seq FROM journal WHERE client_no = @key ORDER BY seq", new { key }).AsList();
        foreach (var key in keys) Assert.Equal(Rows(key), index.Numbers(connection, key, 0, ascending: true));
        Assert.Contains(keys, key => index.InNoRun(connection, key, long.MaxValue, long.MaxValue).Any(some => some.Any()));

        var runs = store.Query<long>("SELECT count(*) FROM runs").Single();
        for (var more = 2; more <= 6; more += 2)
        {
            for (var round = 10 * more; store.Query<long>("SELECT count(*) FROM runs").Single() < runs + more; round++) await ConnectAsync(store, clients: 5, round);
            foreach (var key in keys) Assert.Equal(Rows(key), index.Numbers(connection, key, 0, ascending: true));
        }

        await AssertAllAreFoundAsync(store, clients: 5);
    }

    [Fact]
    public void A_reader_leaves_all_entries_once_however_often_it_is_disposed()
    {
        RecentEntries active = new(), full = new();
        Assert.True(active.TryEnter() && full.TryEnter());

        var reader = new RunReader("journal", "", active, full, known: 0);
        reader.Dispose();
        reader.Dispose();
        Assert.Throws<ObjectDisposedException>(() => reader.InNoRun(null!, 1, 2, 3).First());

        Assert.True(active.TryEnter() && full.TryEnter());
        active.Leave();
        full.Leave();
        Assert.True(active.TryEmpty() && full.TryEmpty());
    }

    private static async Task AssertAllAreFoundAsync(AStore store, int clients)
    {
        for (var client = 0; client < clients; client++)
        {
            var id = new ClientId($"client-{client}");
            var expected = store.Query<long>("SELECT seq FROM journal JOIN clients USING (client_no) WHERE client_id = @Value ORDER BY seq", new { id.Value });

            var (upwards, after) = (new List<long>(), 0L);
            for (EventPage? page = null; page is null || page.Next < page.Head; after = page.Next)
            {
                page = await store.SendAsync(new ListEvents(after, 5) { Client = id });
                upwards.AddRange(page.Items.Select(happened => happened.Seq));
            }
            var (downwards, cursor) = (new List<long>(), (string?)null);
            do
            {
                var page = await store.SendAsync(new ListDeviceEvents(id, new PageRequest(5, cursor)));
                downwards.AddRange(page.Items.Select(happened => happened.Seq));
                cursor = page.Next;
            }
            while (cursor is not null);

            Assert.Equal(expected, upwards);
            Assert.Equal(expected.Reverse(), downwards);
        }
    }

    private static Task ConnectAsync(AStore store, int clients, int round) =>
        Task.WhenAll(Enumerable.Range(0, clients).Select(client => store.SendAsync(Connected($"client-{client}", round))));

    private static RecordClientConnected Connected(string client, int round) =>
        new(new ClientId(client), "n", Noon.AddMinutes(round), null, new ConnectionDetails(), Noon.AddMinutes(round));

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Execute(sql);
    }
}
