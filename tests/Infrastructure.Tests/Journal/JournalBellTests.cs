using System.Diagnostics;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Journal;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Journal;

public sealed class JournalBellTests
{
    private static readonly TimeSpan Patience = Eventually.Patience;

    [Fact]
    public async Task It_knows_the_head_before_and_after_each_commit_and_wakes_who_waits_for_it()
    {
        await using var store = await AStore.OpenAsync();
        var bell = store.Get<IJournalBell>();
        var (empty, waiting) = (bell.Head, bell.WaitBeyondAsync(0, CancellationToken.None).AsTask());
        var early = waiting.IsCompleted;

        await store.SendAsync(Connected("a"));
        await waiting.WaitAsync(Patience);

        Assert.Equal((0, false, 3), (empty, early, bell.Head));
        Assert.True(bell.WaitBeyondAsync(2, CancellationToken.None).AsTask().IsCompletedSuccessfully);
        Assert.False(bell.WaitBeyondAsync(3, CancellationToken.None).AsTask().IsCompleted);
    }

    [Fact]
    public async Task The_head_outlives_a_restart_and_the_retention_of_all_there_was()
    {
        await using var first = await AStore.OpenAsync();
        await first.SendAsync(Connected("a"));
        using (var intruder = new SqliteConnection($"Data Source={first.File};Pooling=False"))
        {
            intruder.Open();
            intruder.Execute("DELETE FROM journal");
        }

        await using var second = await first.RestartAsync();
        var page = await second.SendAsync(new ListEvents(3, 10));

        Assert.Equal(3, second.Get<IJournalBell>().Head);
        Assert.Equal((3, 3, null), (page.Head, page.Next, page.Oldest));
    }

    [Fact]
    public async Task It_rings_for_those_who_shared_a_transaction_with_one_that_failed()
    {
        await using var store = await AStore.OpenAsync();
        using var gate = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = store.SendAsync(new WaitInTheWriter(gate, running));
        await running.Task.WaitAsync(Patience);
        var good = store.SendAsync(Connected("good"));
        var failing = store.SendAsync(new ConnectAndFail(new ClientId("failing")));
        var news = store.Get<IJournalBell>().WaitBeyondAsync(0, CancellationToken.None).AsTask();

        gate.Set();
        await Task.WhenAll(blocking, good);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        await news.WaitAsync(Patience);

        Assert.Equal(store.Query<long>("SELECT max(seq) FROM journal").Single(), store.Get<IJournalBell>().Head);
    }

    [Fact]
    public async Task Who_does_not_want_to_wait_any_longer_leaves_and_the_others_stay()
    {
        using var database = new ADatabase();
        var bell = new JournalBell(database.Database);
        using var leaving = new CancellationTokenSource();
        var (left, stayed) = (bell.WaitBeyondAsync(0, leaving.Token).AsTask(), bell.WaitBeyondAsync(0, CancellationToken.None).AsTask());

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left.WaitAsync(Patience));
        var early = stayed.IsCompleted;
        bell.Ring(1);
        await stayed.WaitAsync(Patience);

        Assert.False(early);
    }

    [Fact]
    public async Task A_ring_that_brings_too_little_lets_one_wait_on()
    {
        using var database = new ADatabase();
        var bell = new JournalBell(database.Database);
        var (ten, eleven) = (bell.WaitBeyondAsync(9, CancellationToken.None).AsTask(), bell.WaitBeyondAsync(10, CancellationToken.None).AsTask());

        bell.Ring(10);
        await ten.WaitAsync(Patience);
        var early = eleven.IsCompleted;
        bell.Ring(11);
        await eleven.WaitAsync(Patience);

        Assert.False(early);
    }

    [Fact]
    public async Task Ten_thousand_wait_and_all_wake()
    {
        using var database = new ADatabase();
        var bell = new JournalBell(database.Database);
        var waiting = Enumerable.Range(0, 10_000).Select(_ => bell.WaitBeyondAsync(0, CancellationToken.None).AsTask()).ToList();

        bell.Ring(1);

        await Task.WhenAll(waiting).WaitAsync(Patience);
    }

    /// <summary>The next ring comes only when everybody heard the last, so one that is not heard stops it all.</summary>
    [Fact]
    public async Task No_ring_is_lost_however_it_meets_those_who_begin_to_wait()
    {
        const int Most = 100_000, Listeners = 2;
        using var database = new ADatabase();
        var bell = new JournalBell(database.Database);
        _ = bell.Head;
        var heard = new long[Listeners];
        using var given = new CancellationTokenSource(Patience);
        var listeners = Enumerable.Range(0, Listeners).Select(me => Task.Run(async () =>
        {
            for (var seq = 0L; seq < Most; seq = Volatile.Read(ref heard[me]))
            {
                await bell.WaitBeyondAsync(seq, given.Token);
                Volatile.Write(ref heard[me], bell.Head);
            }
        })).ToList();

        var ringing = Task.Run(() =>
        {
            var began = Stopwatch.GetTimestamp(); // on a busy machine a ring can take the turns of three threads: then fewer are enough
            for (var seq = 1L; seq < Most && Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(5); seq++) RingAndWait(seq);
            RingAndWait(Most);
        });

        await Task.WhenAll([ringing, .. listeners]);

        void RingAndWait(long seq)
        {
            Thread.SpinWait((int)(seq % 40)); // meets them earlier and later on their way
            bell.Ring(seq);
            var spin = new SpinWait();
            foreach (ref var last in heard.AsSpan())
                while (Volatile.Read(ref last) < seq && !given.IsCancellationRequested) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    [Fact]
    public void Ringing_where_nobody_waits_takes_no_memory()
    {
        using var database = new ADatabase();
        var bell = new JournalBell(database.Database);
        bell.Ring(1);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var seq = 2L; seq < 1_000; seq++) bell.Ring(seq);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static RecordClientConnected Connected(string client) =>
        new(new ClientId(client), "node", ADatabase.Now, "10.0.0.1:1234", new ConnectionDetails { Ip = "10.0.0.1", Port = 1234 }, ADatabase.Now);
}
