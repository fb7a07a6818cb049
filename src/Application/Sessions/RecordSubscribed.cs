using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The broker granted a subscription.</summary>
/// <param name="At">`timestamp`; null in the 4.x plugin.</param>
public sealed record RecordSubscribed(
    ClientId Client, string Filter, SubscriptionOptions Options, DateTimeOffset? At, string? Peer, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordSubscribedHandler(ClientPresence presence, ISessionRepository sessions) : ICommandHandler<RecordSubscribed>
{
    public async Task<Outcome> Handle(RecordSubscribed command, CancellationToken cancellationToken)
    {
        if (command.At is { } at) await sessions.RecallAsync(command.Client, at, cancellationToken);
        return await presence.TellAsync(
            command.Client, command.ReceivedAt, (set, seen) => set.Subscribed(command.Filter, command.At, command.Options, seen),
            seenAt: command.At ?? command.ReceivedAt, cancellationToken, sign: (command.At, command.Peer));
    }
}
