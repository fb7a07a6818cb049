using System.Threading.Channels;
using MediatR;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;

namespace WebhookService.Application.Consumers;

/// <summary>
/// Runs one consumer. It reads the journal in pages, hands events to lanes (those of one client always to the same lane, so in order), and
/// writes down how far it came. An event that fails is parked with those of its client behind it, and the others go on. What was not
/// written down when the process dies is handled again, under the same key: at least once.
/// </summary>
/// <remarks>One loop owns all that is remembered. Lanes only run the handler and tell the loop how it went.</remarks>
public sealed class ConsumerEngine
{
    /// <summary>Events that are on their way through the lanes at once, and so in memory.</summary>
    private const int Window = 512;

    /// <summary>Parked events beyond which no more are read: the target is down, and waiting is better than piling up.</summary>
    private const int MostParked = 10_000;

    private const int PageSize = 256;
    private const int SaveAfter = 1_000;
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMilliseconds(250);

    private readonly IConsumer consumer;
    private readonly IJournalReader journal;
    private readonly IJournalBell bell;
    private readonly IMediator mediator;
    private readonly TimeProvider time;

    private readonly Channel<Outcome> outcomes = Channel.CreateUnbounded<Outcome>(new() { SingleReader = true });
    private readonly Channel<Order> orders = Channel.CreateUnbounded<Order>(new() { SingleReader = true });
    private readonly Channel<Work>[] lanes;
    private readonly HashSet<string> blocked = new(StringComparer.Ordinal); // lanes skip the events of these; guarded by itself

    // ---- what the loop remembers ---------------------------------------------------------------------------------------
    private readonly Queue<Work> underWay = new(); // in order of the journal; without retries
    private readonly Dictionary<string, int> inLanes = new(StringComparer.Ordinal); // how many of underWay are not settled, by client
    private readonly ParkedClients parked = new();
    private readonly Dictionary<long, ParkedEvent> parkedNow = [];
    private readonly HashSet<long> unparkedNow = [];
    private readonly List<DeadLetter> deadNow = [];
    private ConsumerState state = new(0, false, null, 0, 0, null, null);
    private ConsumerState saved = new(-1, false, null, 0, 0, null, null);
    private long read;
    private int retries;
    private int unsaved;
    private long savedAt;

    public ConsumerEngine(IConsumer consumer, IJournalReader journal, IJournalBell bell, IMediator mediator, TimeProvider time)
    {
        (this.consumer, this.journal, this.bell, this.mediator, this.time) = (consumer, journal, bell, mediator, time);
        lanes = [.. Enumerable.Range(0, consumer.Options.Lanes).Select(_ => Channel.CreateUnbounded<Work>(new() { SingleReader = true, SingleWriter = true }))];
    }

    public IConsumer Consumer => consumer;

    /// <summary>Where it is, as the loop last knew.</summary>
    public ConsumerState State => Volatile.Read(ref state);

    public int Parked => parked.Count;

    /// <summary>Events of the journal that it has not got to.</summary>
    public long Lag => Math.Max(0, bell.Head - State.Position);

    /// <summary>Works until it is stopped; then lets what is under way end, and writes down how far it came.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        Begin();
        using var hurry = new CancellationTokenSource();
        var running = lanes.Select(lane => Task.Run(() => RunLaneAsync(lane.Reader, hurry.Token), CancellationToken.None)).ToList();
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                var busy = Settle() | await ObeyAsync(stopping) | Retry() | await ReadAsync();
                if (unsaved >= SaveAfter || (unsaved > 0 && time.GetElapsedTime(savedAt) >= SaveEvery)) await SaveAsync(stopping);
                if (!busy) await RestAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // what is under way is let end below
        }
        foreach (var lane in lanes) lane.Writer.Complete();
        hurry.CancelAfter(consumer.Options.Timeout < Farewell ? consumer.Options.Timeout : Farewell);
        await Task.WhenAll(running);
        Settle();
        await SaveAsync(CancellationToken.None);
    }

    /// <summary>How long handlers may go on when the service stops.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    // ---- orders from outside -------------------------------------------------------------------------------------------

    public Task PauseAsync() => OrderAsync(() => state = state with { IsPaused = true });

    public Task ResumeAsync() => OrderAsync(() => state = state with { IsPaused = false });

    /// <summary>Goes back (or forward) so that the event of that sequence number is the next one. What is parked stays parked.</summary>
    public Task ReplayAsync(long from) => OrderAsync(() =>
    {
        var until = Math.Max(read, state.ReplayUntil ?? 0);
        read = Math.Max(0, from - 1);
        state = state with { Position = read, ReplayUntil = until > read ? until : null };
    });

    /// <summary>Ends a replay: goes on where it was before.</summary>
    public Task EndReplayAsync() => OrderAsync(() =>
    {
        if (state.ReplayUntil is not { } until) return;
        read = Math.Max(read, until);
        state = state with { Position = read, ReplayUntil = null };
    });

    /// <summary>A dead letter was taken back: tries it again.</summary>
    public Task RedeliverAsync(ParkedEvent again) => OrderAsync(() =>
    {
        var lane = LaneOf(again.Client?.Value, again.Seq);
        Block(lane);
        parked.Put(lane, again);
    });

    private Task OrderAsync(Action act)
    {
        var order = new Order(act);
        orders.Writer.TryWrite(order);
        return order.Done.Task;
    }

    // ---- the loop ------------------------------------------------------------------------------------------------------

    private void Begin()
    {
        if (journal.Load(consumer.Name) is var (known, waiting))
        {
            state = known;
            foreach (var one in waiting)
            {
                var lane = LaneOf(one.Client?.Value, one.Seq);
                Block(lane);
                parked.Put(lane, one);
            }
        }
        else
        {
            state = state with { Position = consumer.Options.FromBeginning ? 0 : bell.Head };
            unsaved = 1; // its place is durable from its first moment on
        }
        read = state.Position;
        savedAt = time.GetTimestamp();
    }

    /// <summary>Takes in how events went.</summary>
    private bool Settle()
    {
        var any = false;
        while (outcomes.Reader.TryRead(out var outcome))
        {
            any = true;
            var (work, failure) = outcome;
            if (work.IsRetry) retries--;
            else if (--inLanes[work.Lane] == 0) inLanes.Remove(work.Lane);
            if (outcome.WasSkipped) Park(work, 0, time.GetUtcNow());
            else if (failure is null) Succeeded(work);
            else Failed(work, failure);
            work.IsSettled = true;
            Unblock(work.Lane);
            unsaved++;
        }
        while (underWay.TryPeek(out var first) && first.IsSettled)
        {
            state = state with { Position = first.Entry.Seq };
            underWay.Dequeue();
        }
        if (underWay.Count == 0 && state.Position < read) state = state with { Position = read };
        if (state.ReplayUntil <= state.Position) state = state with { ReplayUntil = null };
        return any;
    }

    private void Succeeded(Work work)
    {
        state = state with { Handled = state.Handled + 1 };
        if (work.IsRetry) Unpark(work);
    }

    private void Failed(Work work, Exception failure)
    {
        var now = time.GetUtcNow();
        state = state with { LastError = $"Event {work.Entry.Seq}: {failure.Message}", LastErrorAt = now };
        if (work.Attempt < consumer.Options.Attempts)
        {
            Park(work, work.Attempt, now + consumer.Options.DelayAfter(work.Attempt, Random.Shared.NextDouble()));
            return;
        }
        deadNow.Add(new(work.Entry, work.Attempt, failure.Message, failure.ToString(), now));
        if (work.IsRetry) Unpark(work);
    }

    private void Park(Work work, int attempts, DateTimeOffset at)
    {
        var one = new ParkedEvent(work.Entry.Seq, work.Entry.Client, attempts, at);
        parked.Put(work.Lane, one);
        parkedNow[one.Seq] = one;
        unparkedNow.Remove(one.Seq);
    }

    private void Unpark(Work work)
    {
        parked.Remove(work.Lane, work.Entry.Seq);
        parkedNow.Remove(work.Entry.Seq);
        unparkedNow.Add(work.Entry.Seq);
    }

    /// <summary>Orders are carried out when nothing is under way, so that none meets half a state.</summary>
    private async Task<bool> ObeyAsync(CancellationToken cancellation)
    {
        if (!orders.Reader.TryPeek(out _)) return false;
        while (underWay.Count > 0 || retries > 0)
        {
            await outcomes.Reader.WaitToReadAsync(cancellation);
            Settle();
        }
        while (orders.Reader.TryRead(out var order))
        {
            order.Act();
            unsaved = Math.Max(unsaved, 1);
            await SaveAsync(cancellation);
            order.Done.TrySetResult();
        }
        return true;
    }

    /// <summary>Tries again what is due.</summary>
    private bool Retry()
    {
        var any = false;
        while (!state.IsPaused && retries + underWay.Count < Window && parked.TakeDue(time.GetUtcNow()) is var (lane, one))
        {
            any = true;
            if (journal.Find(one.Seq, consumer.NeedsPayload) is { } entry)
            {
                retries++;
                Dispatch(new Work(entry, lane, one.Attempts + 1, IsRetry: true));
            }
            else
            {
                state = state with { Missed = state.Missed + 1, LastError = $"Event {one.Seq} was removed by retention before it was handled.", LastErrorAt = time.GetUtcNow() };
                parked.Remove(lane, one.Seq);
                parkedNow.Remove(one.Seq);
                unparkedNow.Add(one.Seq);
                Unblock(lane);
                unsaved++;
            }
        }
        return any;
    }

    /// <summary>Reads the next page and hands its events out.</summary>
    private async Task<bool> ReadAsync()
    {
        if (state.IsPaused || underWay.Count > Window - PageSize || parked.Count >= MostParked || read >= bell.Head) return false;

        var page = journal.Read(read, consumer.Types, consumer.NeedsPayload, PageSize);
        if (page.Oldest > read + 1)
        {
            var missed = page.Oldest.Value - read - 1;
            state = state with { Missed = state.Missed + missed, LastError = $"{missed} events from {read + 1} on were removed by retention before they were read.", LastErrorAt = time.GetUtcNow() };
        }
        foreach (var entry in page.Entries)
        {
            if (!consumer.Wants(entry)) continue;
            var lane = LaneOf(entry.Client?.Value, entry.Seq);
            if (parked.Holds(lane, entry.Seq)) continue; // of a replay
            var work = new Work(entry, lane, 1, IsRetry: false);
            if (IsBlocked(lane)) Park(work, 0, time.GetUtcNow());
            else
            {
                underWay.Enqueue(work);
                inLanes[lane] = inLanes.GetValueOrDefault(lane) + 1;
                Dispatch(work);
            }
        }
        var moved = page.Next > read;
        read = Math.Max(read, page.Next);
        unsaved++;
        Settle();
        await Task.Yield();
        return moved;
    }

    private void Dispatch(Work work) => lanes[(uint)string.GetHashCode(work.Lane, StringComparison.Ordinal) % lanes.Length].Writer.TryWrite(work);

    /// <summary>Writes down how far it came.</summary>
    private async Task SaveAsync(CancellationToken cancellation)
    {
        savedAt = time.GetTimestamp();
        if (state == saved && parkedNow.Count == 0 && unparkedNow.Count == 0 && deadNow.Count == 0)
        {
            unsaved = 0;
            return;
        }
        var progress = new ConsumerProgress(consumer.Name, state, [.. parkedNow.Values], [.. unparkedNow], [.. deadNow]);
        while (true)
        {
            try
            {
                await mediator.Send(new SaveConsumerProgress(progress), CancellationToken.None);
                break;
            }
            catch (OverloadedException overloaded) when (!cancellation.IsCancellationRequested)
            {
                await Task.Delay(overloaded.RetryAfter, time, cancellation);
            }
        }
        parkedNow.Clear();
        unparkedNow.Clear();
        deadNow.Clear();
        (saved, unsaved) = (progress.State, 0);
    }

    /// <summary>Sleeps until there is something to do.</summary>
    private async Task RestAsync(CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reasons = new List<Task> { outcomes.Reader.WaitToReadAsync(over.Token).AsTask(), orders.Reader.WaitToReadAsync(over.Token).AsTask() };
        if (!state.IsPaused && parked.Count < MostParked && underWay.Count <= Window - PageSize) reasons.Add(bell.WaitBeyondAsync(read, over.Token).AsTask());
        var until = unsaved > 0 ? SaveEvery : (TimeSpan?)null;
        if (!state.IsPaused && parked.NextAt - time.GetUtcNow() is { } wait && !(wait > until)) until = wait;
        if (until is { } rest) reasons.Add(Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, time, over.Token));
        await Task.WhenAny(reasons);
        await over.CancelAsync();
        cancellation.ThrowIfCancellationRequested();
    }

    // ---- the lanes -----------------------------------------------------------------------------------------------------

    private async Task RunLaneAsync(ChannelReader<Work> lane, CancellationToken hurry)
    {
        await foreach (var work in lane.ReadAllAsync(CancellationToken.None))
        {
            if (!work.IsRetry && IsBlocked(work.Lane))
            {
                outcomes.Writer.TryWrite(new(work, null) { WasSkipped = true }); // one before it failed
                continue;
            }
            var failure = hurry.IsCancellationRequested ? new OperationCanceledException("The service stopped.") : await HandleAsync(work, hurry);
            if (hurry.IsCancellationRequested && failure is not null) continue; // not its fault: it comes again after the start
            if (failure is not null) Block(work.Lane);
            outcomes.Writer.TryWrite(new(work, failure));
        }
    }

    private async Task<Exception?> HandleAsync(Work work, CancellationToken hurry)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(hurry);
        limit.CancelAfter(consumer.Options.Timeout);
        try
        {
            var handling = new Handling(work.Entry.Seq, work.Attempt, work.Entry.Seq <= State.ReplayUntil);
            await consumer.HandleAsync(work.Entry, handling, limit.Token).WaitAsync(limit.Token); // one that does not listen is left behind
            return null;
        }
        catch (OperationCanceledException late) when (limit.IsCancellationRequested)
        {
            return hurry.IsCancellationRequested ? late : new TimeoutException($"It took longer than {consumer.Options.Timeout}.", late);
        }
        catch (Exception failure)
        {
            return failure; // whatever it is: it must not take the lane along
        }
    }

    // ---- small parts ---------------------------------------------------------------------------------------------------

    /// <summary>Events of one client share its lane; others have one of their own each.</summary>
    private static string LaneOf(string? client, long seq) => client ?? $"\0{seq}";

    private void Block(string lane)
    {
        lock (blocked) blocked.Add(lane);
    }

    /// <summary>Lets a client's events through again, but only when none is parked or still to be skipped: else a later one would overtake it.</summary>
    private void Unblock(string lane)
    {
        if (parked.Blocks(lane) || inLanes.ContainsKey(lane)) return;
        lock (blocked) blocked.Remove(lane);
    }

    private bool IsBlocked(string lane)
    {
        lock (blocked) return blocked.Contains(lane);
    }

    private sealed record Work(JournalEntry Entry, string Lane, int Attempt, bool IsRetry)
    {
        public bool IsSettled { get; set; }
    }

    private readonly record struct Outcome(Work Work, Exception? Failure)
    {
        public bool WasSkipped { get; init; }
    }

    private sealed record Order(Action Act)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
