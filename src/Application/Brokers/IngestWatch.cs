namespace WebhookService.Application.Brokers;

/// <summary>Notices when reports came again after a while without any, or after some had to be refused: in between, some may have been lost.</summary>
public sealed class IngestWatch(TimeProvider time)
{
    private long lastMs;
    private long longestGapMs;
    private long refusedMs;

    /// <summary>A report was taken in. Called for each, so it costs next to nothing.</summary>
    public void Heard()
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var before = Interlocked.Exchange(ref lastMs, now);
        if (before != 0 && now - before > Volatile.Read(ref longestGapMs)) Volatile.Write(ref longestGapMs, now - before);
    }

    /// <summary>A report was refused for overload.</summary>
    public void Refused() => Volatile.Write(ref refusedMs, time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Whether a gap has ended since this was asked last: no report for that long, or refusals that are over for a tenth of it.</summary>
    public bool HadGap(TimeSpan gap)
    {
        var had = Interlocked.Exchange(ref longestGapMs, 0) > gap.TotalMilliseconds;
        var refused = Volatile.Read(ref refusedMs);
        if (refused != 0 && time.GetUtcNow().ToUnixTimeMilliseconds() - refused > gap.TotalMilliseconds / 10)
            had |= Interlocked.CompareExchange(ref refusedMs, 0, refused) == refused;
        return had;
    }
}
