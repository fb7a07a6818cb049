namespace WebhookService.Api.Demo;

/// <summary>A webhook body and when it is due.</summary>
internal readonly record struct DemoBody(DateTimeOffset Due, ReadOnlyMemory<byte> Body);

/// <summary>Lays a recording over a new start: spacing stays as recorded, except that idle time beyond the longest gap is cut out.
/// One mapping of time serves both the sending and every time inside the bodies, so what was equal or in order stays so.</summary>
internal sealed class Replay
{
    private readonly Recording recording;
    private readonly long[] arrivals;
    private readonly long[] offsets;
    private readonly long start;

    public Replay(Recording recording, DateTimeOffset start, TimeSpan longestGap)
    {
        this.recording = recording;
        this.start = start.ToUnixTimeMilliseconds();
        arrivals = [.. recording.Requests.Select(request => request.ReceivedAt.ToUnixTimeMilliseconds())];
        offsets = new long[arrivals.Length];
        for (var i = 1; i < arrivals.Length; i++)
            offsets[i] = offsets[i - 1] + Math.Min(arrivals[i] - arrivals[i - 1], (long)longestGap.TotalMilliseconds);
    }

    /// <summary>The bodies with fresh times; client ids begin with the broker's name, since every broker was given the same ones.</summary>
    public IEnumerable<DemoBody> Bodies()
    {
        for (var i = 0; i < arrivals.Length; i++)
        {
            yield return new(
                DateTimeOffset.FromUnixTimeMilliseconds(start + offsets[i]),
                TimeShift.Rewrite(recording.Requests[i].Body.Span, Moved, recording.Broker + "-"));
        }
    }

    /// <summary>Where a recorded time (Unix milliseconds) lies now. What is cut is the idle time just after a request: the
    /// milliseconds before the next one hold the times that it reports.</summary>
    public long Moved(long recorded)
    {
        var next = Array.BinarySearch(arrivals, recorded);
        if (next < 0) next = ~next;
        if (next == arrivals.Length) return start + offsets[^1] + (recorded - arrivals[^1]);

        var moved = offsets[next] - (arrivals[next] - recorded);
        return start + (next == 0 ? moved : Math.Max(moved, offsets[next - 1]));
    }
}
