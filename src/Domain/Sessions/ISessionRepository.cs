namespace WebhookService.Domain.Sessions;

public interface ISessionRepository
{
    /// <summary>The recent sessions and the subscriptions of a client; an empty set for one never heard of.</summary>
    ValueTask<SessionSet> OfAsync(ClientId client, CancellationToken cancellation);

    /// <summary>Makes sure that a session which a report names is in the client's set, even if it is older than the set's window.</summary>
    ValueTask RecallAsync(ClientId client, string node, DateTimeOffset connectedAt, string? peer, CancellationToken cancellation);

    /// <summary>Saves what changed, and what happened.</summary>
    ValueTask SaveAsync(SessionSet sessions, CancellationToken cancellation);
}
