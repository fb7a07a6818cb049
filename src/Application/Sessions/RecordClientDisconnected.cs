using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The broker says a connection ended.</summary>
/// <param name="Node">Null in EMQX ≤ 4.2.1.</param>
/// <param name="ConnectedAt">Names the session exactly; null in rule events before 5.8.6 and plugins before 4.3.12.</param>
/// <param name="At">`disconnected_at`; null in plugins before 4.2.2.</param>
/// <param name="ExpirySeconds">`disconn_props.Session-Expiry-Interval`, if the client sent one.</param>
public sealed record RecordClientDisconnected(
    ClientId Client, string? Node, DateTimeOffset? ConnectedAt, string? Peer, DateTimeOffset? At, string? RawReason, long? ExpirySeconds,
    DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordClientDisconnectedHandler(ClientPresence presence, ISessionRepository sessions, IBrokerNodeRepository nodes) : ICommandHandler<RecordClientDisconnected>
{
    public async Task<Outcome> Handle(RecordClientDisconnected command, CancellationToken cancellationToken)
    {
        await NoteDialectAsync(command, cancellationToken);
        var at = command.At ?? command.ReceivedAt;
        var reason = DisconnectReasons.Of(command.RawReason);
        if (command.ConnectedAt is { } connectedAt)
        {
            var node = command.Node ?? "";
            var end = new SessionEnd(at, reason, command.RawReason, EndedBy.Event) { ExpirySeconds = command.ExpirySeconds };
            await sessions.RecallAsync(command.Client, node, connectedAt, command.Peer, cancellationToken);
            return await presence.TellAsync(
                command.Client, command.ReceivedAt, (set, seen) => set.Disconnected(node, connectedAt, command.Peer, end, seen),
                seenAt: at, cancellationToken);
        }

        var farewell = new Farewell(command.Node, command.Peer, at, reason, command.RawReason, FarewellKind.Disconnected) { ExpirySeconds = command.ExpirySeconds };
        await sessions.RecallAsync(command.Client, farewell, cancellationToken);
        return await presence.TellAsync(
            command.Client, command.ReceivedAt, (set, seen) => set.Parted(farewell, seen), seenAt: at, cancellationToken);
    }

    private async ValueTask NoteDialectAsync(RecordClientDisconnected command, CancellationToken cancellation)
    {
        var dialect = command switch
        {
            { ConnectedAt: not null } => Dialect.ConnectedAt,
            { Peer: not null } => Dialect.Peername,
            { At: not null, Node: not null } => Dialect.NodeAndTime,
            _ => Dialect.Arrival,
        };
        var node = await nodes.OfAsync(command.Node ?? "", cancellation);
        if (node.Spoke(dialect, command.ReceivedAt) is Outcome.Applied) await nodes.SaveAsync(node, cancellation);
    }
}
