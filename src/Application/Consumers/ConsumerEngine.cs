using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using MediatR;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;

namespace WebhookService.Application.Consumers;

/// <summary>
/// Runs one consumer. It reads the journal in pages, handles several events at a time but one of each client, and writes down how far it came.
/// An event that fails is parked with those of its client behind it, and the others go on. What was not written down when the process dies
/// is handled again, under the same key: at least once.
/// </summary>
/// <remarks>One loop owns all that is remembered. Handlers run beside it and only tell it how they went.</remarks>
public sealed class ConsumerEngine
{
    /// <summary>Events between the position and the last one read, and so in memory.</summary>
    internal const int Window = 1_024;

    /// <summary>Parked events beyond which no more are read: the target is down, and waiting is better than piling up.</summary>
    internal const int MostParked = 10_000;

    private const int PageSize = 256;
    private const int SaveAfter = 1_000;
    private const int LongestReason = 1_000;
    private const int LongestDetail = 8_000;

    /// <summary>What was done is written down at the latest so long after.</summary>
    internal static readonly TimeSpan SaveEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>That events were looked at which it does not want is written down more seldom: looking again costs little.</summary>
    internal static readonly TimeSpan SavePlaceEvery = TimeSpan.FromSeconds(5);

    /// <summary>Idle lanes wait so long for an event that holds up the window.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Between two readings where nothing else is to be done: a busy service commits hundreds of times a second.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(5);

    /// <summary>Timers take no more than some weeks.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>How long handlers may go on when the service stops.</summary>
    internal static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    private readonly IConsumer consumer;
    private readonly IJournalReader journal;
    private readonly IJournalBell bell;
    private readonly IMediator mediator;
    private readonly TimeProvider time;
    private readonly long? startsAfter;
    private readonly Channel<object> inbox = Channel.CreateUnbounded<object>(new() { SingleReader = true }); // Handled, Order, Nudge
    private readonly Lane[] lanes;

    // ---- what the loop remembers ---------------------------------------------------------------------------------------
    private readonly Queue<Order> orders = new();
    private readonly ClientLines lines = new();
    private ITimer? alarm;
    private long? alarmAt; // as a timestamp; null while it is not set
    private bool isWatching;
    private Exception? bellFault;
    private readonly Queue<Work> window = new(); // what was read and the position has not passed, in order of the journal
    private readonly Dictionary<long, Work> parkedNow = [];
    private readonly HashSet<long> unparkedNow = [];
    private readonly List<DeadLetter> deadNow = [];
    private ConsumerState state = new(0, false, null, 0, 0, null, null);
    private ConsumerState saved = new(-1, false, null, 0, 0, null, null);
    private long read;
    private long readAt;
    private int running;
    private int parked;
    private int unsaved;
    private long savedAt;
    private long failed;
    private long buried;

    /// <param name="startsAfter">
    /// Where a consumer begins that has no place yet. Those that start together get the same: else one could miss what another that was quicker has made.
    /// Null for the head of the journal at its own start.
    /// </param>
    public ConsumerEngine(IConsumer consumer, IJournalReader journal, IJournalBell bell, IMediator mediator, TimeProvider time, long? startsAfter = null)
    {
        (this.consumer, this.journal, this.bell, this.mediator, this.time, this.startsAfter) = (consumer, journal, bell, mediator, time, startsAfter);
        lanes = [.. Enumerable.Range(0, Lanes).Select(_ => NewLane())];
    }

    public IConsumer Consumer => consumer;

    /// <summary>Where it is, as the loop last knew.</summary>
    public ConsumerState State => Volatile.Read(ref state);

    /// <summary>Events that wait for another try, or behind one that does.</summary>
    public int Parked => Volatile.Read(ref parked);

    /// <summary>Tries that failed since it started.</summary>
    public long Failed => Volatile.Read(ref failed);

    /// <summary>Events that became dead letters since it started.</summary>
    public long Buried => Volatile.Read(ref buried);

    /// <summary>Events of the journal that it has not got to.</summary>
    public long Lag => Math.Max(0, bell.Head - State.Position);

    private int Lanes => consumer.Options.Lanes;

    private bool IsWindowFull => window.Count > Window - PageSize;

    /// <summary>Too many wait. Those that wait for the reading itself do not count: they would wait for ever.</summary>
    private bool IsCrowded => parked - lines.Ahead >= MostParked;

    /// <summary>Whether an order waits for what is under way to end.</summary>
    private bool IsHeld => orders.Count > 0;

    /// <summary>Works until it is stopped; then lets what is under way end, and writes down how far it came. Runs once.</summary>
    /// <exception cref="OverloadedException">It was stopped and could not write down how far it came: some events will come again.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var ringing = alarm = time.CreateTimer(_ => inbox.Writer.TryWrite(new Nudge(IsAlarm: true)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var woken = stopping.UnsafeRegister(_ => inbox.Writer.TryWrite(new Nudge()), null);
        try
        {
            Begin();
            while (true)
            {
                stopping.ThrowIfCancellationRequested();
                if (bellFault is not null) ExceptionDispatchInfo.Throw(bellFault);
                var busy = TakeIn() | await ObeyAsync(stopping) | Dispatch() | Read() | Shelve();
                if (SaveIn() is { } wait && wait <= TimeSpan.Zero) await SaveAsync(stopping);
                if (busy) continue;
                Arm(stopping);
                await inbox.Reader.WaitToReadAsync(CancellationToken.None);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // what is under way is let end below
        }
        finally
        {
            using (var hurry = new CancellationTokenSource(Farewell, time))
            using (hurry.Token.UnsafeRegister(_ => Array.ForEach(lanes, lane => lane.Hurry()), null))
                while (running > 0 && await inbox.Reader.WaitToReadAsync(CancellationToken.None)) TakeIn();
            inbox.Writer.Complete();
            TakeIn();
            foreach (var lane in lanes) lane.Dispose();
            while (orders.TryDequeue(out var order)) order.Done.TrySetException(new ConsumerStoppedException(consumer.Name));
        }
        if (unsaved > 0 || state != saved) await WriteAsync();
    }

    // ---- orders from outside -------------------------------------------------------------------------------------------

    /// <summary>Begins nothing more; what is under way ends.</summary>
    /// <exception cref="ConsumerStoppedException">It does not run at the moment. So with all orders.</exception>
    public Task PauseAsync() => OrderAsync(new(() => Now(state with { IsPaused = true })));

    public Task ResumeAsync() => OrderAsync(new(() => Now(state with { IsPaused = false })));

    /// <summary>
    /// Goes back (or forward) so that the event of that sequence number is the next one, as soon as what is under way has ended. What is
    /// parked stays parked, and dead letters stay dead letters too, even if they come again.
    /// </summary>
    public Task ReplayAsync(long from) => OrderAsync(new(() =>
    {
        // Beyond the position some may be handled and some not: they come again as if they were new, for a handler may pass over replays.
        var until = Math.Max(state.Position, state.ReplayUntil ?? 0);
        var place = Math.Clamp(from, 1, bell.Head + 1) - 1;
        return GoTo(place, until > place ? until : null);
    })
    {
        NeedsRest = true,
    });

    /// <summary>Ends a replay: goes on where it was before.</summary>
    public Task EndReplayAsync() => OrderAsync(new(() => state.ReplayUntil is { } until ? GoTo(Math.Max(state.Position, until), null) : Task.CompletedTask) { NeedsRest = true });

    /// <summary>Takes a dead letter back into the line of its client.</summary>
    /// <returns>False if there is no such dead letter.</returns>
    public async Task<bool> RedeliverAsync(long deadLetter)
    {
        var isThere = false;
        await OrderAsync(new(async () =>
        {
            if (await mediator.Send(new RedeliverDeadLetter(consumer.Name, deadLetter, time.GetUtcNow()), CancellationToken.None) is not { } again) return;
            isThere = true;
            if (lines.Find(again.Client, again.Seq) is { } line && line.Find(again.Seq) is { } known) // a replay brought it here already
            {
                if (line.Running == known) known.IsAskedAgain = true;
                else (known.IsReplay, known.Attempts, known.NextAt) = (false, 0, again.NextAt);
                Park(known);
                lines.Note(line, time.GetUtcNow());
            }
            else AddParked(again);
        }));
        return isThere;
    }

    private Task OrderAsync(Order order)
    {
        if (!inbox.Writer.TryWrite(order)) order.Done.TrySetException(new ConsumerStoppedException(consumer.Name));
        return order.Done.Task;
    }

    private Task Now(ConsumerState next)
    {
        state = next;
        return Task.CompletedTask;
    }

    private Task GoTo(long place, long? replayUntil)
    {
        lines.StartOver(place, time.GetUtcNow());
        window.Clear();
        read = place;
        return Now(state with { Position = place, ReplayUntil = replayUntil });
    }

    // ---- the loop ------------------------------------------------------------------------------------------------------

    private void Begin()
    {
        if (journal.Load(consumer.Name) is var (known, waiting))
        {
            state = saved = known;
            foreach (var one in waiting) AddParked(one);
        }
        else
        {
            state = state with { Position = consumer.Options.FromBeginning ? journal.ReadGone() : startsAfter ?? bell.Head };
            unsaved = SaveAfter; // its place is durable from its first moment on
        }
        read = state.Position;
        lines.Reach(read, time.GetUtcNow());
        savedAt = time.GetTimestamp();
    }

    private void AddParked(ParkedEvent one)
    {
        parked++;
        unparkedNow.Remove(one.Seq);
        lines.Add(
            new Work(one.Seq, one.Client, null) { Attempts = one.Attempts, NextAt = one.NextAt, IsReplay = one.IsReplay, IsParked = true, IsSettled = true },
            time.GetUtcNow());
    }

    /// <summary>Takes in how events went, and orders.</summary>
    private bool TakeIn()
    {
        var any = false;
        while (inbox.Reader.TryRead(out var said))
        {
            any = true;
            if (said is Handled how) Settle(how);
            else if (said is Order order) orders.Enqueue(order);
            else Heed((Nudge)said);
        }
        Advance();
        return any;
    }

    private void Heed(Nudge nudge)
    {
        if (nudge.IsAlarm) alarmAt = null;
        if (nudge.IsGrowth) isWatching = false;
        bellFault ??= nudge.Fault;
    }

    private void Settle(Handled how)
    {
        running--;
        if (how.IsLeftBehind) lanes[Array.IndexOf(lanes, how.Lane)] = NewLane();
        else how.Lane.Free();
        var (work, failure) = (how.Work, how.Failure);
        if (how.WasInterrupted) return; // not its fault: it comes again after the start
        work.Attempts++;
        if (failure is null)
        {
            state = state with { Handled = state.Handled + 1 };
            End(work);
        }
        else if (failure is EventGoneException) Miss(work, failure.Message);
        else
        {
            failed++;
            state = state with { LastError = Cut($"Event {work.Seq}: {failure.Message}", LongestReason), LastErrorAt = time.GetUtcNow() };
            if (failure is GiveUpException || work.Attempts >= consumer.Options.Attempts) Bury(work, how.Entry, failure.Message, failure.ToString());
            else TryLater(work, (failure as TryAgainException)?.After ?? TimeSpan.Zero);
        }
    }

    /// <summary>It need not be handled any more, unless it was asked for meanwhile: then it comes once more.</summary>
    private void End(Work work)
    {
        if (work.IsAskedAgain)
        {
            (work.IsAskedAgain, work.IsReplay, work.Attempts, work.NextAt) = (false, false, 0, default);
            Park(work);
            lines.Back(work, time.GetUtcNow());
            return;
        }
        if (work.IsParked)
        {
            parked--;
            parkedNow.Remove(work.Seq);
            unparkedNow.Add(work.Seq);
        }
        work.IsSettled = true;
        work.Entry = null;
        unsaved++;
        lines.Done(work, time.GetUtcNow());
    }

    private void TryLater(Work work, TimeSpan atLeast)
    {
        var now = time.GetUtcNow();
        var delay = consumer.Options.DelayAfter(work.Attempts, Random.Shared.NextDouble());
        work.NextAt = now + (delay > atLeast ? delay : atLeast);
        ParkAll(lines.Find(work.Client, work.Seq)!);
        lines.Back(work, now);
    }

    private void Bury(Work work, JournalEntry entry, string reason, string detail)
    {
        buried++;
        deadNow.Add(new(entry, work.Attempts, Cut(reason, LongestReason), Cut(detail, LongestDetail), time.GetUtcNow()));
        End(work);
    }

    private void Miss(Work work, string why)
    {
        work.IsAskedAgain = false; // it would be missed once more
        state = state with { Missed = state.Missed + 1, LastError = $"Event {work.Seq}: {why}", LastErrorAt = time.GetUtcNow() };
        End(work);
    }

    private void ParkAll(Line line)
    {
        foreach (var work in line.All) Park(work);
    }

    private void Park(Work work)
    {
        if (!work.IsParked) parked++;
        (work.IsParked, work.IsSettled, work.Entry) = (true, true, null);
        parkedNow[work.Seq] = work;
        unparkedNow.Remove(work.Seq);
        unsaved++;
    }

    /// <summary>The position follows what is settled.</summary>
    private void Advance()
    {
        var position = state.Position;
        while (window.TryPeek(out var first) && first.IsSettled) position = window.Dequeue().Seq;
        if (window.Count == 0) position = read;
        if (position != state.Position) state = state with { Position = position, ReplayUntil = state.ReplayUntil <= position ? null : state.ReplayUntil };
    }

    private async Task<bool> ObeyAsync(CancellationToken cancellation)
    {
        var any = false;
        while (orders.TryPeek(out var order) && (running == 0 || !order.NeedsRest))
        {
            any = true;
            try
            {
                await order.Act();
            }
            catch (Exception refused)
            {
                orders.Dequeue().Done.TrySetException(refused);
                continue;
            }
            await SaveAsync(cancellation);
            orders.Dequeue().Done.TrySetResult();
        }
        return any;
    }

    /// <summary>Begins to handle whose turn it is.</summary>
    private bool Dispatch()
    {
        var any = false;
        while (!state.IsPaused && !IsHeld && running < Lanes && lines.Take(time.GetUtcNow()) is { } work)
        {
            any = true;
            var entry = work.Entry ?? journal.Find(work.Seq, consumer.NeedsPayload);
            if (entry is null) Miss(work, "it was removed by retention before it was handled.");
            else if (entry.Unreadable is { } why) Bury(work, entry, why, why);
            else
            {
                running++;
                work.Started = time.GetTimestamp();
                Array.Find(lanes, lane => !lane.IsBusy)!.Begin(work, entry);
            }
        }
        if (any) Advance();
        return any;
    }

    /// <summary>Reads the next page.</summary>
    private bool Read()
    {
        var head = bell.Head;
        if (state.IsPaused || IsHeld || IsWindowFull || IsCrowded || read >= head) return false;

        readAt = Stopwatch.GetTimestamp();
        var page = journal.Read(read, consumer.Types, consumer.NeedsPayload, PageSize);
        var known = Math.Max(read, state.ReplayUntil ?? 0); // of a replay nothing is missed: it was there once
        if (page.Gone - known is > 0 and var missed)
            state = state with
            {
                Missed = state.Missed + missed,
                LastError = $"{missed} events from {known + 1} on were removed by retention before they were read.",
                LastErrorAt = time.GetUtcNow(),
            };
        var now = time.GetUtcNow();
        read = Math.Max(Math.Max(read, page.Gone), page.Next);
        lines.Reach(read, now); // nothing begins before those of the page stand in their lines
        foreach (var entry in page.Entries)
            if (Wanted(entry) is { } wanted) Take(wanted, now);
        Advance();
        return true;
    }

    private JournalEntry? Wanted(JournalEntry entry)
    {
        try
        {
            return entry.Unreadable is not null || consumer.Wants(entry) ? entry : null;
        }
        catch (Exception fault)
        {
            return entry with { Unreadable = $"Whether it is wanted could not be told: {fault.Message}" };
        }
    }

    private void Take(JournalEntry entry, DateTimeOffset now)
    {
        var line = lines.Find(entry.Client, entry.Seq);
        if (line?.Find(entry.Seq) is not null) return; // of a replay, and parked
        var work = new Work(entry.Seq, entry.Client, entry) { IsReplay = entry.Seq <= state.ReplayUntil };
        if (line is { IsParked: true }) Park(work);
        else window.Enqueue(work);
        lines.Add(work, now);
    }

    /// <summary>When the window is full and lanes are idle all the same, a few clients hold it up: the first of them is written down by itself.</summary>
    private bool Shelve()
    {
        if (StuckFor() is not { } since || since < Patience) return false;
        ParkAll(lines.Find(window.Peek().Client, window.Peek().Seq)!);
        Advance();
        return true;
    }

    private TimeSpan? StuckFor() =>
        IsWindowFull && running < Lanes && !IsCrowded && read < bell.Head && lines.Find(window.Peek().Client, window.Peek().Seq)?.Running is { } slow
            ? time.GetElapsedTime(slow.Started) : null;

    /// <returns>In how long it is to be written down how far it came; null if there is nothing new.</returns>
    private TimeSpan? SaveIn() =>
        unsaved >= SaveAfter ? TimeSpan.Zero
        : unsaved > 0 ? SaveEvery - time.GetElapsedTime(savedAt)
        : state != saved ? SavePlaceEvery - time.GetElapsedTime(savedAt)
        : null;

    /// <summary>Writes down how far it came, however long the writer is busy.</summary>
    private Task SaveAsync(CancellationToken cancellation) => Overload.WaitOutAsync(WriteAsync, time, cancellation);

    private async Task WriteAsync()
    {
        var progress = new ConsumerProgress(
            consumer.Name, state, [.. parkedNow.Values.Select(one => new ParkedEvent(one.Seq, one.Client, one.Attempts, one.NextAt, one.IsReplay && !one.IsAskedAgain))], [.. unparkedNow], [.. deadNow]);
        await mediator.Send(new SaveConsumerProgress(progress), CancellationToken.None);
        parkedNow.Clear();
        unparkedNow.Clear();
        deadNow.Clear();
        (saved, unsaved, savedAt) = (progress.State, 0, time.GetTimestamp());
    }

    /// <summary>Sees to it that the inbox is told when there is something to do.</summary>
    private void Arm(CancellationToken stopping)
    {
        var until = SaveIn();
        if (!state.IsPaused && !IsHeld)
        {
            if (!isWatching && !IsWindowFull && !IsCrowded)
            {
                isWatching = true;
                _ = WatchAsync(read, stopping);
            }
            if (running < Lanes) until = Earlier(until, lines.NextAt - time.GetUtcNow());
            until = Earlier(until, Patience - StuckFor());
        }
        if (until is not { } rest) return; // an alarm that is set for nothing does no harm
        rest = rest < TimeSpan.Zero ? TimeSpan.Zero : rest < Longest ? rest : Longest;
        var at = time.GetTimestamp() + (long)(rest.TotalSeconds * time.TimestampFrequency);
        if (alarmAt <= at) return;
        alarmAt = at;
        alarm!.Change(rest, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Waits until there is more to read; when much comes, until there is something of it.</summary>
    private async Task WatchAsync(long beyond, CancellationToken stopping)
    {
        try
        {
            await bell.WaitBeyondAsync(beyond, stopping);
            var rest = Breath - Stopwatch.GetElapsedTime(readAt);
            if (rest > TimeSpan.Zero) await Task.Delay(rest, stopping); // by the real clock: it spares real work
            inbox.Writer.TryWrite(new Nudge(IsGrowth: true));
        }
        catch (Exception fault)
        {
            inbox.Writer.TryWrite(new Nudge(IsGrowth: true, Fault: stopping.IsCancellationRequested ? null : fault));
        }
    }

    private Lane NewLane() => new(consumer, time, how => inbox.Writer.TryWrite(how));

    // ---- small parts ---------------------------------------------------------------------------------------------------

    private static string Cut(string text, int most) => text.Length <= most ? text : string.Concat(text.AsSpan(0, most - 1), "…");

    private static TimeSpan? Earlier(TimeSpan? one, TimeSpan? other) => other is null || one < other ? one : other;

    /// <summary>What wakes the loop up.</summary>
    /// <param name="IsAlarm">It is time.</param>
    /// <param name="IsGrowth">The journal has grown.</param>
    /// <param name="Fault">Why nobody can tell any more whether it grows.</param>
    private sealed record Nudge(bool IsAlarm = false, bool IsGrowth = false, Exception? Fault = null);

    private sealed record Order(Func<Task> Act)
    {
        /// <summary>Whether nothing may be under way meanwhile.</summary>
        public bool NeedsRest { get; init; }

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>A consumer was given an order while it did not run: it is being started again after a failure, or the service stops.</summary>
public sealed class ConsumerStoppedException(string name) : Exception($"{name} does not run at the moment.");
