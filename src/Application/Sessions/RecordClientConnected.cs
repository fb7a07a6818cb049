using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The broker says a client connected.</summary>
/// <param name="ConnectedAt">Null where the event carries none; then the time of arrival stands in, with doubt.</param>
/// <param name="Peer">"ip:port" of the client's socket, where the dialect says it.</param>
public sealed record RecordClientConnected(
    ClientId Client, string Node, DateTimeOffset? ConnectedAt, string? Peer, ConnectionDetails Details, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordClientConnectedHandler(ClientPresence presence, ISessionRepository sessions) : ICommandHandler<RecordClientConnected>
{
    public async Task<Outcome> Handle(RecordClientConnected command, CancellationToken cancellationToken)
    {
        var at = command.ConnectedAt ?? command.ReceivedAt;
        await sessions.RecallAsync(command.Client, command.Node, at, command.Peer, cancellationToken);
        return await presence.TellAsync(
            command.Client, command.ReceivedAt,
            (set, seen) => set.Connected(command.Node, at, command.Peer, command.Details, command.ConnectedAt is null, seen),
            seenAt: at, cancellationToken);
    }
}
