using System.Collections.Concurrent;
using MediatR;
using NSubstitute;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Infrastructure.Tests;
using WebhookService.Tests;

namespace WebhookService.Application.Tests.Consumers;

/// <summary>A journal, a store of places and a clock, in memory, and a consumer that does what a test says. Engines come and go on it.</summary>
internal sealed class AWorld
{
    private readonly Dictionary<long, ParkedEvent> parked = [];
    private readonly Lock gate = new();
    private ConsumerState? state;
    private long ids;

    public AWorld()
    {
        Mediator.Send(Arg.Any<SaveConsumerProgress>(), Arg.Any<CancellationToken>()).Returns(call => Save(call.Arg<SaveConsumerProgress>().Progress));
        Mediator.Send(Arg.Any<RedeliverDeadLetter>(), Arg.Any<CancellationToken>()).Returns(call => Redeliver(call.Arg<RedeliverDeadLetter>()));
    }

    public AClock Clock { get; } = new(Ports.Noon);
    public AJournal Journal { get; } = new();
    public IMediator Mediator { get; } = Substitute.For<IMediator>();
    public Dictionary<long, DeadLetter> Dead { get; } = [];
    public IReadOnlyList<long> DeadIds
    {
        get
        {
            lock (gate) return [.. Dead.Keys.Order()];
        }
    }

    public int Saves { get; private set; }

    /// <summary>Runs before and after each save; what it throws ends the engine.</summary>
    public Action BeforeSave { get; set; } = () => { };
    public Action AfterSave { get; set; } = () => { };

    /// <summary>Runs when a dead letter has been taken back, in the engine's loop.</summary>
    public Action<long> Redelivered { get; set; } = _ => { };

    /// <summary>What a save got wrong: events that the position passed and nobody answers for.</summary>
    public ConcurrentQueue<string> Lost { get; } = [];

    /// <summary>Successful handlings, in order.</summary>
    public ConcurrentQueue<(long Seq, string? Client, Handling Handling)> Handled { get; } = [];

    public ConsumerState? State
    {
        get
        {
            lock (gate) return state;
        }
        set => state = value;
    }

    public IReadOnlyList<ParkedEvent> Parked
    {
        get
        {
            lock (gate) return [.. parked.Values.OrderBy(one => one.Seq)];
        }
    }

    public IEnumerable<long> HandledOf(string client) => Handled.Where(one => one.Client == client).Select(one => one.Seq);

    /// <summary>The clock of the tests runs on while a handler waits for a processor, and its time with it: so there is plenty.</summary>
    public static ConsumerOptions Options { get; } = new() { FromBeginning = true, Timeout = TimeSpan.FromHours(1) };

    public Running Start(ConsumerOptions? options = null, Func<JournalEntry, Handling, CancellationToken, Task>? handle = null, Func<JournalEntry, bool>? wants = null, long? startsAfter = null)
    {
        var consumer = new Scripted(this, options ?? Options, handle ?? ((_, _, _) => Task.CompletedTask), wants ?? (_ => true));
        return new Running(this, new ConsumerEngine(consumer, new ReaderOf(this), Journal, Mediator, Clock, startsAfter));
    }

    private Outcome Save(ConsumerProgress progress)
    {
        BeforeSave();
        lock (gate)
        {
            state = progress.State;
            foreach (var seq in progress.Unparked) parked.Remove(seq);
            foreach (var one in progress.Parked) parked[one.Seq] = one;
            foreach (var dead in progress.Dead) Dead[++ids] = dead;
            Saves++;
            var answered = Handled.Select(one => one.Seq).Concat(parked.Keys).Concat(Dead.Values.Select(dead => dead.Entry.Seq)).ToHashSet();
            foreach (var entry in Journal.Entries.TakeWhile(entry => entry.Seq <= progress.State.Position))
                if (!answered.Contains(entry.Seq)) Lost.Enqueue($"{entry.Seq} was passed by {progress.State.Position}");
        }
        AfterSave();
        return Outcome.Applied;
    }

    private ParkedEvent? Redeliver(RedeliverDeadLetter command)
    {
        ParkedEvent again;
        lock (gate)
        {
            if (!Dead.Remove(command.Id, out var dead)) return null;
            parked[dead.Entry.Seq] = again = new(dead.Entry.Seq, dead.Entry.Client, 0, command.Now, false);
        }
        Redelivered(again.Seq);
        return again;
    }

    private sealed class Scripted(
        AWorld world, ConsumerOptions options, Func<JournalEntry, Handling, CancellationToken, Task> handle, Func<JournalEntry, bool> wants) : IConsumer
    {
        public string Name => "scripted";
        public ConsumerOptions Options => options;
        public string Wanted => "*";
        public EventTypes Types => EventTypes.All;
        public bool NeedsPayload => false;

        public bool Wants(JournalEntry entry) => wants(entry);

        public async Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation)
        {
            await handle(entry, handling, cancellation);
            world.Handled.Enqueue((entry.Seq, entry.Client?.Value, handling));
        }
    }

    /// <summary>The journal together with the places, as the port has them.</summary>
    private sealed class ReaderOf(AWorld world) : IJournalReader
    {
        public JournalPage Read(long after, EventTypes types, bool withPayload, int limit) => world.Journal.Read(after, limit);

        public long ReadGone() => world.Journal.Read(0, 1).Gone;

        public JournalEntry? Find(long seq, bool withPayload) => world.Journal.Entries.FirstOrDefault(entry => entry.Seq == seq);

        public (ConsumerState State, IReadOnlyList<ParkedEvent> Parked)? Load(string consumer) => world.State is { } known ? (known, world.Parked) : null;
    }
}

/// <summary>A journal in memory, and its bell.</summary>
internal sealed class AJournal : IJournalBell
{
    private readonly Lock gate = new();
    private List<JournalEntry> entries = [];
    private TaskCompletionSource grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long head;

    public IReadOnlyList<JournalEntry> Entries => Volatile.Read(ref entries);
    public long Head => Volatile.Read(ref head);
    public int Reads { get; private set; }
    public Action AfterRead { get; set; } = () => { };

    /// <summary>One event for each client named; null for an event without one.</summary>
    public void Append(params string?[] clients)
    {
        lock (gate)
        {
            var (next, last) = (entries.ToList(), head);
            foreach (var client in clients)
            {
                var id = client is null ? (ClientId?)null : new(client);
                next.Add(new JournalEntry { Seq = ++last, Type = "device.went-stale", At = Ports.Noon, Client = id, Happened = new DeviceWentStale(new("any"), Ports.Noon, Ports.Noon) });
            }
            Volatile.Write(ref entries, next);
            Volatile.Write(ref head, last); // as the bell does: after the commit
            var call = grown;
            grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
            call.SetResult();
        }
    }

    public void Replace(long seq, Func<JournalEntry, JournalEntry> change) => entries = [.. entries.Select(entry => entry.Seq == seq ? change(entry) : entry)];

    /// <summary>Retention: what is before is gone.</summary>
    public void RemoveBefore(long seq)
    {
        lock (gate) Volatile.Write(ref entries, [.. entries.Where(entry => entry.Seq >= seq)]);
    }

    public JournalPage Read(long after, int limit)
    {
        Reads++;
        var last = Head; // before the entries, which are there before it says so: else none could be there and all be gone
        var all = Entries;
        var page = all.Where(entry => entry.Seq > after).Take(limit).ToList();
        AfterRead();
        return new(page, page.Count == limit ? page[^1].Seq : Math.Max(after, all.Count > 0 ? all[^1].Seq : after), all.Count > 0 ? all[0].Seq - 1 : last);
    }

    public async ValueTask WaitBeyondAsync(long seq, CancellationToken cancellation)
    {
        while (true)
        {
            Task wait;
            lock (gate)
            {
                if (head > seq) return;
                wait = grown.Task;
            }
            await wait.WaitAsync(cancellation);
        }
    }
}

/// <summary>An engine at work.</summary>
internal sealed class Running : IAsyncDisposable
{
    private readonly AWorld world;
    private readonly CancellationTokenSource stopping = new();

    public Running(AWorld world, ConsumerEngine engine)
    {
        (this.world, Engine) = (world, engine);
        Task = System.Threading.Tasks.Task.Run(() => engine.RunAsync(stopping.Token));
    }

    public ConsumerEngine Engine { get; }
    public Task Task { get; }

    /// <summary>Waits until something is true; the clock moves by a step each time it is not.</summary>
    public Task UntilAsync(Func<bool> condition, TimeSpan step = default) => Eventually.IsAsync(
        () =>
        {
            if (condition()) return true;
            if (step > TimeSpan.Zero) world.Clock.Advance(step);
            return false;
        },
        () => $"State: {Engine.State}; parked {Engine.Parked}; handled {world.Handled.Count}; engine {Task.Status} {Task.Exception}");

    /// <summary>All that the journal holds is passed and nothing waits.</summary>
    public Task UntilDoneAsync(TimeSpan step = default) => UntilAsync(() => Engine.State.Position == world.Journal.Head && Engine.Parked == 0, step);

    /// <summary>Gives the engine the time to do what it should not.</summary>
    public async Task SettleAsync()
    {
        await System.Threading.Tasks.Task.Delay(50);
        if (Task.IsFaulted) await Task;
    }

    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        await Task;
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        while (!Task.IsCompleted)
        {
            world.Clock.Advance(ConsumerEngine.Farewell);
            await System.Threading.Tasks.Task.Delay(1);
        }
        stopping.Dispose();
    }
}
