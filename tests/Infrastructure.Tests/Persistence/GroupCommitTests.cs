using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Persistence;

public sealed class GroupCommitTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task What_was_answered_is_in_the_file()
    {
        await using var store = await AStore.OpenAsync();

        var outcome = await store.SendAsync(Connected("a"));

        Assert.Equal(Outcome.Applied, outcome);
        Assert.Equal(["a"], store.Query<string>("SELECT client_id FROM devices WHERE status = 1"));
        Assert.Equal(["device.discovered", "session.started", "device.went-online"], Journal(store));
    }

    [Fact]
    public async Task Many_commands_at_once_are_all_kept_once_and_in_order_of_the_journal()
    {
        await using var store = await AStore.OpenAsync();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 3_000).Select(i => store.SendAsync(Connected($"client-{i % 1_000}"))));

        Assert.Equal(1_000, outcomes.Count(outcome => outcome is Outcome.Applied));
        Assert.Equal(2_000, outcomes.Count(outcome => outcome is Outcome.Repeated));
        Assert.Equal([1_000L], store.Query<long>("SELECT count(*) FROM sessions"));
        var sequence = store.Query<long>("SELECT seq FROM journal ORDER BY seq");
        Assert.Equal(Enumerable.Range(1, 3_000).Select(i => (long)i), sequence);
    }

    [Fact]
    public async Task A_command_that_fails_takes_nothing_with_it()
    {
        await using var store = await AStore.OpenAsync();

        // All in one turn, so that some of them share the failing command's transaction.
        var before = Enumerable.Range(0, 200).Select(i => store.SendAsync(Connected($"before-{i}"))).ToList();
        var failing = store.SendAsync(new ConnectAndFail(new ClientId("failing")));
        var after = Enumerable.Range(0, 200).Select(i => store.SendAsync(Connected($"after-{i}"))).ToList();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        Assert.Equal("This handler always fails.", fault.Message);
        Assert.All(await Task.WhenAll(before.Concat(after)), outcome => Assert.Equal(Outcome.Applied, outcome));
        Assert.Equal([400L], store.Query<long>("SELECT count(*) FROM devices"));
        Assert.Empty(store.Query<long>("SELECT 1 FROM clients WHERE client_id = 'failing'"));
        Assert.Equal([1_200L], store.Query<long>("SELECT max(seq) FROM journal"));
    }

    [Fact]
    public async Task A_full_queue_refuses_with_the_time_to_wait_and_recovers()
    {
        await using var store = await AStore.OpenAsync(
            ("Ingest:Queue:Capacity", "1"), ("Ingest:Queue:Hold", "00:00:03"), ("Ingest:Queue:RetryAfter", "00:00:07"));
        using var gate = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = store.SendAsync(new WaitInTheWriter(gate, running));
        await running.Task.WaitAsync(Eventually.Patience);

        // The one place may be taken by a command of the service's own, so the first is in it or refused as well.
        var sent = Enumerable.Range(0, 5).ToDictionary(i => $"device-{i}", i => store.SendAsync(Connected($"device-{i}")));
        await Assert.ThrowsAsync<OverloadedException>(() => Task.WhenAll(sent.Values.Skip(1)));
        gate.Set();
        await Task.WhenAll(sent.Values.Append(blocking).Select(one => one.ContinueWith(_ => { }, TaskScheduler.Default)));

        var refused = sent.Values.Where(one => one.IsFaulted).Select(one => Assert.IsType<OverloadedException>(one.Exception?.InnerException)).ToList();
        Assert.InRange(refused.Count, 4, 5);
        Assert.All(refused, one => Assert.Equal(TimeSpan.FromSeconds(7), one.RetryAfter));
        Assert.Equal(Outcome.Applied, await store.SendAsync(Connected("later")));
        var taken = sent.Where(one => !one.Value.IsFaulted).Select(one => one.Key).Append("later");
        Assert.Equal(taken.Order(), store.Query<string>("SELECT client_id FROM devices ORDER BY client_id"));
    }

    [Fact]
    public async Task The_writer_begins_though_all_threads_of_the_pool_are_busy()
    {
        await using var store = await AStore.OpenAsync();
        await store.SendAsync(Connected("before"));
        await Task.Delay(300); // after which it waits
        var gate = new ManualResetEventSlim(); // not disposed of: some may still wait at it
        try
        {
            for (var i = 0; i < 1_000; i++) ThreadPool.UnsafeQueueUserWorkItem(static gate => gate.Wait(), gate, preferLocal: false);
            using var ran = new ManualResetEventSlim();

            _ = store.Get<Writer>().RunAsync(() =>
            {
                ran.Set();
                return Task.FromResult(true);
            });

            Assert.True(ran.Wait(TimeSpan.FromSeconds(20)));
        }
        finally
        {
            gate.Set();
            await Eventually.IsAsync(() => ThreadPool.PendingWorkItemCount == 0); // the next test has the pool for itself
        }
    }

    [Fact]
    public async Task Upkeep_waits_for_room_where_senders_are_refused()
    {
        await using var store = await AStore.OpenAsync(("Ingest:Queue:Capacity", "1"), ("Ingest:Queue:Hold", "00:00:00"));
        var writer = store.Get<Writer>();
        using var gate = new ManualResetEventSlim();
        var blocking = await BlockAsync(writer, gate);
        var upkeep = Enumerable.Range(0, 3).Select(i => writer.RunAsync(() => Task.FromResult(i))).ToList();
        try
        {
            await Eventually.IsAsync(() => writer.QueueDepth == 1);
            await Assert.ThrowsAsync<OverloadedException>(() => store.SendAsync(Connected("refused")));
        }
        finally
        {
            gate.Set();
        }

        await blocking;
        var done = await Task.WhenAll(upkeep);
        Assert.Equal([0, 1, 2], done);
    }

    [Fact]
    public async Task Upkeep_that_waits_for_room_ends_when_it_is_called_off_and_when_the_service_stops()
    {
        await using var store = await AStore.OpenAsync(("Ingest:Queue:Capacity", "1"));
        var writer = store.Get<Writer>();
        using var gate = new ManualResetEventSlim();
        var ran = 0;
        var blocking = await BlockAsync(writer, gate);
        var queued = writer.RunAsync(() => Task.FromResult(true));
        try
        {
            await Eventually.IsAsync(() => writer.QueueDepth == 1);
            using var end = new CancellationTokenSource();
            var calledOff = writer.RunAsync(() => Task.FromResult(++ran), end.Token);
            await end.CancelAsync();
            await Assert.ThrowsAsync<OverloadedException>(() => calledOff);

            var waiting = writer.RunAsync(() => Task.FromResult(++ran));
            var stopping = writer.StopAsync(CancellationToken.None);
            await Assert.ThrowsAsync<OverloadedException>(() => waiting);
            gate.Set();
            await Task.WhenAll(stopping, blocking, queued);
        }
        finally
        {
            gate.Set();
        }
        Assert.Equal(0, ran);
    }

    [Fact]
    public async Task A_locked_database_is_overload_and_not_an_error_of_the_command()
    {
        var folder = Directory.CreateTempSubdirectory("store-").FullName;
        await using var store = await AStore.OpenInAsync(
            folder, TimeProvider.System, ("Storage:ConnectionString", $"Data Source={Path.Combine(folder, "webhooks.db")};Default Timeout=1"));
        await store.SendAsync(Connected("before"));
        using var intruder = new SqliteConnection($"Data Source={store.File};Pooling=False");
        intruder.Open();
        using (var grip = intruder.BeginTransaction(deferred: false))
        {
            await Assert.ThrowsAsync<OverloadedException>(() => store.SendAsync(Connected("during")));
        }

        Assert.Equal(Outcome.Applied, await store.SendAsync(Connected("during")));
    }

    [Fact]
    public async Task What_another_program_changed_in_the_file_is_read_anew()
    {
        await using var store = await AStore.OpenAsync();
        await store.SendAsync(Connected("a"));
        using (var intruder = new SqliteConnection($"Data Source={store.File};Pooling=False"))
        {
            intruder.Open();
            using var command = intruder.CreateCommand();
            command.CommandText = "BEGIN IMMEDIATE; DELETE FROM sessions; DELETE FROM deadlines; DELETE FROM device_activity; DELETE FROM devices; COMMIT";
            command.ExecuteNonQuery();
        }

        var outcome = await store.SendAsync(Connected("a"));

        Assert.Equal(Outcome.Applied, outcome);
    }

    [Fact]
    public async Task A_stopped_service_writes_what_waits_and_takes_no_more()
    {
        var store = await AStore.OpenAsync();
        var pending = Enumerable.Range(0, 500).Select(i => store.SendAsync(Connected($"client-{i}"))).ToList();

        await using var next = await store.RestartAsync();

        Assert.All(await Task.WhenAll(pending), outcome => Assert.Equal(Outcome.Applied, outcome));
        Assert.Equal([500L], next.Query<long>("SELECT count(*) FROM devices"));
        await Assert.ThrowsAsync<OverloadedException>(() => store.SendAsync(Connected("late")));
    }

    [Fact]
    public async Task A_service_that_nobody_stopped_ends_its_transaction_before_it_closes_the_database()
    {
        var store = await AStore.OpenAsync();
        using var gate = new ManualResetEventSlim();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var last = store.SendAsync(new WaitInTheWriter(gate, running));
        await running.Task;

        var dropped = Task.Run(store.DropAsync);
        await Task.WhenAny(dropped, Task.Delay(TimeSpan.FromMilliseconds(500))); // so long for somebody to close it too early
        gate.Set();

        Assert.Equal(Outcome.Applied, await last);
        await dropped;
    }

    /// <returns>Ends with the gate; returned once the writer stands before it.</returns>
    private static async Task<Task<bool>> BlockAsync(Writer writer, ManualResetEventSlim gate)
    {
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var blocking = writer.RunAsync(() =>
        {
            running.SetResult();
            gate.Wait();
            return Task.FromResult(true);
        });
        await running.Task.WaitAsync(Eventually.Patience);
        return blocking;
    }

    private static RecordClientConnected Connected(string client) =>
        new(new ClientId(client), "node", Noon, "10.0.0.1:1234", new ConnectionDetails { Ip = "10.0.0.1", Port = 1234 }, Noon);

    private static IReadOnlyList<string> Journal(AStore store) =>
        store.Query<string>("SELECT name FROM journal JOIN event_types USING (type_no) ORDER BY seq");
}

internal sealed record ConnectAndFail(ClientId Client) : ICommand;

internal sealed class ConnectAndFailHandler(IDeviceRepository devices) : ICommandHandler<ConnectAndFail>
{
    public async Task<Outcome> Handle(ConnectAndFail command, CancellationToken cancellationToken)
    {
        await devices.SaveAsync(Device.Discovered(command.Client, DateTimeOffset.UnixEpoch), cancellationToken);
        throw new InvalidOperationException("This handler always fails.");
    }
}

internal sealed record WaitInTheWriter(ManualResetEventSlim Gate, TaskCompletionSource Running) : ICommand;

internal sealed class WaitInTheWriterHandler : ICommandHandler<WaitInTheWriter>
{
    public Task<Outcome> Handle(WaitInTheWriter command, CancellationToken cancellationToken)
    {
        command.Running.TrySetResult();
        command.Gate.Wait(Eventually.Patience, cancellationToken);
        return Task.FromResult(Outcome.Applied);
    }
}
