using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>What is known of the connections of these clients; those never heard of are left out.</summary>
public sealed record GetKnownConnections(IReadOnlyList<ClientId> Clients) : IQuery<IReadOnlyDictionary<string, KnownConnection>>;

/// <summary>Online devices by client id, one page after another.</summary>
/// <param name="After">The last client id of the page before; null for the first.</param>
public sealed record ListOnline(string? After, int Limit) : IQuery<IReadOnlyList<KnownConnection>>;

/// <param name="ConnectedAt">Of the live session, or the last one.</param>
/// <param name="SignOfLifeAt">When it last did what only a connected client can do.</param>
public sealed record KnownConnection(
    string ClientId, ConnectivityStatus Status, Confidence Confidence, string? Node, DateTimeOffset? ConnectedAt, DateTimeOffset? SignOfLifeAt)
{
    /// <summary>The newest moment at which it is known to have been connected.</summary>
    public DateTimeOffset? LastEvidenceAt => SignOfLifeAt > ConnectedAt ? SignOfLifeAt : ConnectedAt ?? SignOfLifeAt;

    /// <summary>Whether the broker's list says nothing new.</summary>
    public bool Agrees(ListedClient listed) =>
        Status is ConnectivityStatus.Online && Confidence is Confidence.Confirmed && Node == listed.Node
        && ConnectedAt - listed.ConnectedAt is { } later && later >= TimeSpan.Zero && later < listed.Precision;
}
