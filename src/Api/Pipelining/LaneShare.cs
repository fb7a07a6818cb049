namespace WebhookService.Api.Pipelining;

/// <summary>
/// How many lanes a connection may have. Each holds some 70 kB while it works, which outlive collections of garbage: with 800 lanes a webhook takes a quarter
/// more of the processor's time than with 256. Where the share would be small it is larger, up to a bound.
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
