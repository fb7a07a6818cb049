namespace WebhookService.Api.Pipelining;

/// <summary>
/// How many lanes a connection may have, so that all together are no more than the writer takes at once: a lane holds some 70 kB while it works, and
/// more of them would only wait.
/// </summary>
internal sealed class LaneShare
{
    private const int All = 1_024;

    private int connections;

    /// <summary>Of each connection that pipelines; one at least.</summary>
    public int Each => Math.Max(1, All / Math.Max(1, Volatile.Read(ref connections)));

    /// <summary>One connection more, until it says <see cref="Leave"/>.</summary>
    public LaneShare Join()
    {
        Interlocked.Increment(ref connections);
        return this;
    }

    public void Leave() => Interlocked.Decrement(ref connections);
}
