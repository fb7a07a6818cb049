using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Sessions;

/// <summary>A client unsubscribed.</summary>
/// <param name="At">`timestamp`; null in the 4.x plugin.</param>
public sealed record RecordUnsubscribed(ClientId Client, string Filter, DateTimeOffset? At, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordUnsubscribedHandler(ClientPresence presence) : ICommandHandler<RecordUnsubscribed>
{
    public Task<Outcome> Handle(RecordUnsubscribed command, CancellationToken cancellationToken) =>
        presence.TellAsync(
            command.Client, command.ReceivedAt, (set, seen) => set.Unsubscribed(command.Filter, command.At, seen),
            seenAt: command.At ?? command.ReceivedAt, cancellationToken);
}
