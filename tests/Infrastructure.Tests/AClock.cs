namespace WebhookService.Infrastructure.Tests;

/// <summary>A clock that stands still until a test moves it; timers go off as it passes them.</summary>
internal sealed class AClock(DateTimeOffset now) : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<Alarm> alarms = [];
    private DateTimeOffset now = now;

    /// <summary>When the next timer goes off; null if none is set.</summary>
    public DateTimeOffset? NextAlarm
    {
        get
        {
            lock (gate) return alarms.Count == 0 ? null : alarms.Min(alarm => alarm.At);
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate) return now;
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var alarm = new Alarm(this, callback, state);
        alarm.Change(dueTime, period);
        return alarm;
    }

    public void Advance(TimeSpan time)
    {
        List<Alarm> ringing;
        lock (gate)
        {
            now += time;
            ringing = alarms.FindAll(alarm => alarm.At <= now);
            alarms.RemoveAll(ringing.Contains);
            foreach (var alarm in ringing.Where(alarm => alarm.Period > TimeSpan.Zero)) alarm.Change(alarm.Period, alarm.Period);
        }
        foreach (var alarm in ringing) alarm.Ring();
    }

    private sealed class Alarm(AClock clock, TimerCallback callback, object? state) : ITimer
    {
        public DateTimeOffset At { get; private set; }

        /// <summary>Until it rings again; not positive if it does not.</summary>
        public TimeSpan Period { get; private set; }

        public void Ring() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock.gate)
            {
                Period = period;
                clock.alarms.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan) return true;
                At = clock.now + dueTime;
                if (dueTime > TimeSpan.Zero)
                {
                    clock.alarms.Add(this);
                    return true;
                }
            }
            ThreadPool.QueueUserWorkItem(_ => Ring());
            return true;
        }

        public void Dispose()
        {
            lock (clock.gate) clock.alarms.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
