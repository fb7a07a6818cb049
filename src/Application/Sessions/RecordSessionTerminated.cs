using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The 4.x plugin says the broker dropped a client's session. The report carries no time and no identity.</summary>
public sealed record RecordSessionTerminated(ClientId Client, string? Node, string? RawReason, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordSessionTerminatedHandler(ClientPresence presence) : ICommandHandler<RecordSessionTerminated>
{
    public Task<Outcome> Handle(RecordSessionTerminated command, CancellationToken cancellationToken)
    {
        var farewell = new Farewell(
            command.Node, null, command.ReceivedAt, DisconnectReasons.Of(command.RawReason), command.RawReason, FarewellKind.Terminated);
        return presence.TellAsync(
            command.Client, command.ReceivedAt, (set, seen) => set.Parted(farewell, seen), seenAt: command.ReceivedAt, cancellationToken);
    }
}
