namespace WebhookService.Domain.Brokers;

/// <summary>How a node's reports name the connection that ended, which decides how sure presence can be. From the best to the poorest.</summary>
public enum Dialect
{
    /// <summary>By connected_at: rule events since 5.8.6, 4.x plugin since 4.3.12.</summary>
    ConnectedAt,

    /// <summary>By the client's address: rule events before.</summary>
    Peername,

    /// <summary>By node and time alone: 4.x plugin 4.2.2 to 4.3.11.</summary>
    NodeAndTime,

    /// <summary>Not at all, so that the order of arrival decides: 4.x plugin up to 4.2.1.</summary>
    Arrival,
}

/// <summary>A broker node as its reports show it.</summary>
public sealed class BrokerNode(string name)
{
    /// <summary>How exactly <see cref="HeardAt"/> is kept.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromMinutes(1);

    /// <summary>Empty where the version does not say (≤ 4.2.1).</summary>
    public string Name { get; } = name;
    public Dialect Dialect { get; private set; }

    /// <summary>Since when it speaks so; a new version of the broker may speak another dialect.</summary>
    public DateTimeOffset Since { get; private set; }

    /// <summary>When it last reported an end, to the minute.</summary>
    public DateTimeOffset? HeardAt { get; private set; }

    /// <summary>It reported the end of a connection in that dialect. Repeated if that is nothing new.</summary>
    public Outcome Spoke(Dialect dialect, DateTimeOffset receivedAt)
    {
        if (HeardAt is not null && dialect == Dialect && receivedAt - HeardAt < Grain) return Outcome.Repeated;
        if (HeardAt is null || dialect != Dialect) (Dialect, Since) = (dialect, receivedAt);
        HeardAt = receivedAt;
        return Outcome.Applied;
    }

    /// <summary>Builds a node as it was saved.</summary>
    public static BrokerNode Restore(string name, Dialect dialect, DateTimeOffset since, DateTimeOffset heardAt) =>
        new(name) { Dialect = dialect, Since = since, HeardAt = heardAt };
}

public interface IBrokerNodeRepository
{
    ValueTask<BrokerNode> OfAsync(string name, CancellationToken cancellation);

    ValueTask SaveAsync(BrokerNode node, CancellationToken cancellation);
}
