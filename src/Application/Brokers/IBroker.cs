using WebhookService.Domain;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>A broker's management API, as far as presence needs it. It is asked, never believed at once: its lists are read from live tables.</summary>
public interface IBroker
{
    /// <summary>The name it has in the configuration.</summary>
    string Name { get; }

    /// <summary>Whether the sessions of that node are its own. An empty node (a version that does not say) is anybody's.</summary>
    bool Owns(string node);

    /// <summary>The connected clients, page by page. A client that comes or goes meanwhile may be missing, and any may come twice.</summary>
    /// <exception cref="BrokerException">The broker could not be reached, refused, or answered what it should not.</exception>
    IAsyncEnumerable<ClientPage> ConnectedAsync(CancellationToken cancellation);

    /// <summary>One client as the broker has it now; null if it has neither a connection nor a session of it.</summary>
    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>.</exception>
    Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation);

    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>.</exception>
    Task<BrokerCondition> ConditionAsync(CancellationToken cancellation);
}

/// <param name="Total">How many clients the broker says the whole list has; null where it does not say.</param>
public sealed record ClientPage(IReadOnlyList<ListedClient> Clients, long? Total);

/// <summary>A client in the broker's list.</summary>
/// <param name="ConnectedAt">As in the events, to <paramref name="Precision"/>: a millisecond (5.x, 6.x), or rounded down to a second (4.x).</param>
/// <param name="Peer">"ip:port", where the API says both.</param>
/// <param name="Connected">False for a session that waits for its client.</param>
/// <param name="DisconnectedAt">When its connection ended, if it is not connected and the broker says so.</param>
public sealed record ListedClient(
    ClientId Id, string Node, DateTimeOffset ConnectedAt, TimeSpan Precision, string? Peer, ConnectionDetails Details, bool Connected,
    DateTimeOffset? DisconnectedAt);

/// <summary>How the broker is.</summary>
/// <param name="ClockOffset">How far its clock is ahead of ours, from the Date of its answers; good to about a second.</param>
/// <param name="Lost">Webhooks that it counted as failed or dropped since it started; null where it does not tell.</param>
public sealed record BrokerCondition(string? Version, IReadOnlyList<BrokerNodeCondition> Nodes, TimeSpan ClockOffset, long? Lost);

/// <param name="Connections">Clients connected to the node; null where the version does not say.</param>
public sealed record BrokerNodeCondition(string Name, bool Running, string? Version, long? Connections);

/// <summary>The broker's API gave no usable answer. The message is for people and says what to do.</summary>
public sealed class BrokerException(string message, Exception? cause = null) : Exception(message, cause);
