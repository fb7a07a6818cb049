namespace WebhookService.Domain.Sessions;

public interface ISessionRepository
{
    /// <summary>The recent sessions and the subscriptions of a client; an empty set for one never heard of.</summary>
    ValueTask<SessionSet> OfAsync(ClientId client, CancellationToken cancellation);

    /// <summary>
    /// Makes sure that a session which a report names is in the client's set, however old it is. To be called before <see cref="OfAsync"/>: a set taken
    /// before is not the one to change any more.
    /// </summary>
    ValueTask RecallAsync(ClientId client, string node, DateTimeOffset connectedAt, string? peer, CancellationToken cancellation);

    /// <summary>Likewise for a farewell: the sessions that it may mean are in the set then, as far as they are among the newest <see cref="SessionSet.Window"/>.</summary>
    ValueTask RecallAsync(ClientId client, Farewell farewell, CancellationToken cancellation);

    /// <summary>Likewise for what happened at that time in some session, which had begun by then.</summary>
    ValueTask RecallAsync(ClientId client, DateTimeOffset at, CancellationToken cancellation);

    /// <summary>Saves what changed, and what happened.</summary>
    ValueTask SaveAsync(SessionSet sessions, CancellationToken cancellation);
}
