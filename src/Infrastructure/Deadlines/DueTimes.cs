using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Deadlines;

/// <summary>Lets a worker sleep until the first due time of its table, and wakes it when a commit brought an earlier one. One worker sleeps on it.</summary>
internal sealed class DueTimes : IUnitOfWorkPart, IDisposable
{
    private readonly SemaphoreSlim nudge = new(0, 1);
    private long earliest = long.MaxValue; // armed since the last commit; only the writer's thread
    private long wakeAt = long.MinValue;   // until when the worker sleeps; it is awake while this lies in the past
    private bool isAsleep;

    public DueTimes(UnitOfWork work) => work.Enlist(this);

    /// <summary>Whether the worker's alarm is set and no commit woke it: what the clock does from now on it notices.</summary>
    public bool IsAsleep => Volatile.Read(ref isAsleep);

    /// <summary>A due time was written. The worker learns of it after the commit.</summary>
    public void Armed(long dueAt) => earliest = Math.Min(earliest, dueAt);

    /// <summary>Sleeps until the first due time, or until an earlier one is armed.</summary>
    /// <param name="readFirst">Reads the first due time; null if nothing is due ever.</param>
    /// <param name="longest">How long it sleeps at the most.</param>
    /// <returns>How much later than it meant to it woke up.</returns>
    public async Task<TimeSpan> SleepAsync(Func<long?> readFirst, TimeProvider time, CancellationToken cancellation, TimeSpan? longest = null)
    {
        Volatile.Write(ref wakeAt, long.MaxValue); // from here on commits nudge: what was committed before is read now
        Volatile.Write(ref wakeAt, readFirst() ?? long.MaxValue);

        var now = time.GetUtcNow();
        var untilDue = Math.Ceiling(wakeAt - (now - DateTimeOffset.UnixEpoch).TotalMilliseconds);
        var rest = TimeSpan.FromMilliseconds(Math.Clamp(untilDue, Shortest.TotalMilliseconds, (longest ?? Longest).TotalMilliseconds));
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
        {
            var (nudged, alarm) = (nudge.WaitAsync(over.Token), Task.Delay(rest, time, over.Token));
            Volatile.Write(ref isAsleep, true);
            await Task.WhenAny(nudged, alarm);
            Volatile.Write(ref isAsleep, false);
            await over.CancelAsync();
        }
        Volatile.Write(ref wakeAt, long.MinValue);
        return time.GetUtcNow() - (now + rest);
    }

    public void Dispose() => nudge.Dispose();

    public void Flush() { }

    /// <summary>What was armed is kept: it may be in the database already, and a nudge for nothing does no harm.</summary>
    public void Forget() { }

    public void Committed()
    {
        if (earliest < Volatile.Read(ref wakeAt) && nudge.CurrentCount == 0)
        {
            Volatile.Write(ref isAsleep, false);
            nudge.Release();
        }
        earliest = long.MaxValue;
    }

    /// <summary>Who falls due within it shares a transaction with the next.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);

    /// <summary>A clock that is set may need a look earlier.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
}
