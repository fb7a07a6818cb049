namespace WebhookService.Api.Pipelining;

/// <summary>
/// How many lanes a connection may have. The writer takes what all of them brought at once; more than fill a transaction only wait, each with some 70 kB of
/// memory that outlives collections of garbage: 800 of them take a quarter more of the processor's time for a webhook than 256.
/// </summary>
internal sealed class LaneShare
{
    /// <summary>Of all connections together.</summary>
    private const int Enough = 256;

    /// <summary>Of all connections together where these are so many that their shares would be small.</summary>
    private const int Most = 1_024;

    /// <summary>With fewer, a connection mostly waits for its own answers.</summary>
    private const int Few = 4;

    private int connections;

    /// <summary>Of each connection that pipelines; one at least.</summary>
    public int Each
    {
        get
        {
            var all = Math.Max(1, Volatile.Read(ref connections));
            return Math.Max(1, Math.Max(Enough / all, Math.Min(Few, Most / all)));
        }
    }

    /// <summary>One connection more, until it says <see cref="Leave"/>.</summary>
    public LaneShare Join()
    {
        Interlocked.Increment(ref connections);
        return this;
    }

    public void Leave() => Interlocked.Decrement(ref connections);
}
