using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>
/// A broker's management API, as far as presence and messages to devices need it. It is asked, never believed at once: its lists are read from live tables.
/// Nothing is retried inside. May be used by several at a time.
/// </summary>
public interface IBroker
{
    /// <summary>The name it has in the configuration, unlike any other's.</summary>
    string Name { get; }

    /// <summary>Whether the sessions of that node are its own. An empty node (a version that does not say) is anybody's.</summary>
    bool Owns(string node);

    /// <summary>
    /// The connected clients, page by page; sessions that wait for their client are left out. A client that comes or goes meanwhile may be missing,
    /// and any may come twice: that one is not in it proves nothing, <see cref="FindAsync"/> does. A page may be empty.
    /// </summary>
    /// <exception cref="BrokerException">The broker could not be reached, refused, or answered what it should not; the pages before stand.</exception>
    IAsyncEnumerable<ClientPage> ConnectedAsync(CancellationToken cancellation);

    /// <summary>One client as the broker has it now; null only if it says that it has neither a connection nor a session of it.</summary>
    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>; also while the client is just connecting.</exception>
    Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation);

    /// <summary>How it is: two requests, and with 5.x and 6.x one or two more for each of its HTTP actions.</summary>
    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>; missing counters alone are none.</exception>
    Task<BrokerCondition> ConditionAsync(CancellationToken cancellation);

    /// <summary>Publishes a message, once. 4.x tells of no missing subscribers, and before 4.4 of no id.</summary>
    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>; its <see cref="BrokerException.Fault"/> tells whether the broker may have the message.</exception>
    Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation);

    /// <summary>Ends the client's connection and session.</summary>
    /// <returns>False if it has neither.</returns>
    /// <exception cref="BrokerException">As for <see cref="ConnectedAsync"/>.</exception>
    Task<bool> KickAsync(ClientId client, CancellationToken cancellation);
}

/// <param name="Total">How many connected clients the broker says the whole list has; null where it does not say (4.x).</param>
public sealed record ClientPage(IReadOnlyList<ListedClient> Clients, long? Total);

/// <summary>A client in the broker's list.</summary>
/// <param name="Node">Empty where the version does not say.</param>
/// <param name="ConnectedAt">As in the events, to <paramref name="Precision"/>: a millisecond (5.x, 6.x), or rounded down to a second (4.x). UTC.</param>
/// <param name="Peer">"ip:port" as in the rule events' `peername`; null where the API does not say both, or not as the events do.</param>
/// <param name="Connected">False for a session that waits for its client.</param>
/// <param name="DisconnectedAt">When its connection ended, to <paramref name="Precision"/>, if it is not connected and the broker says so.</param>
public sealed record ListedClient(
    ClientId Id, string Node, DateTimeOffset ConnectedAt, TimeSpan Precision, string? Peer, ConnectionDetails Details, bool Connected,
    DateTimeOffset? DisconnectedAt);

/// <summary>How the broker is.</summary>
/// <param name="Version">Of the first node that runs, such as "5.8.9".</param>
/// <param name="ClockOffset">How far its clock is ahead of ours, from the Date of its answer; good to about a second.</param>
/// <param name="Lost">
/// Requests of its webhook actions that it counted as failed or dropped, all nodes together. It falls when a node leaves, restarts, or has its counters
/// reset. Null where it does not tell: it has no such action (the 4.x plugin never counts), or the counters did not answer.
/// </param>
public sealed record BrokerCondition(string? Version, IReadOnlyList<BrokerNodeCondition> Nodes, TimeSpan ClockOffset, long? Lost);

/// <param name="Running">False for a node that the cluster knows and cannot reach. One that left is not told of at all.</param>
/// <param name="Connections">Clients connected to the node; null where it does not run or its version counts waiting sessions among them.</param>
public sealed record BrokerNodeCondition(string Name, bool Running, string? Version, long? Connections);

/// <summary>Why a broker's API gave no usable answer.</summary>
public enum BrokerFault
{
    /// <summary>It may have got the request: no answer came, or none that tells.</summary>
    Unclear,

    /// <summary>Nothing of the request reached it.</summary>
    NotReached,

    /// <summary>It does not accept the credentials, or they do not allow this.</summary>
    Credentials,

    /// <summary>It got the request and will not do it.</summary>
    Refused,
}

/// <summary>The broker's API gave no usable answer. The message is for people, says what to do and holds no credentials.</summary>
public sealed class BrokerException(string message, Exception? cause = null) : Exception(message, cause)
{
    public BrokerFault Fault { get; init; }
}
