using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>A client did something that only a connected client can do (`client.ping`, EMQX ≥ 6.1).</summary>
/// <param name="At">Broker time; null where the report has none, which makes it no evidence.</param>
public sealed record RecordSignOfLife(ClientId Client, DateTimeOffset? At, string? Peer, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordSignOfLifeHandler(IDeviceRepository devices, PresenceRules rules) : ICommandHandler<RecordSignOfLife>
{
    public async Task<Outcome> Handle(RecordSignOfLife command, CancellationToken cancellationToken)
    {
        var device = await devices.FindAsync(command.Client, cancellationToken) ?? Device.Discovered(command.Client, command.ReceivedAt);
        if (command.At <= device.SignOfLife?.At) return Outcome.Repeated;

        device.Showed(command.At, command.Peer, new Observation(command.ReceivedAt, rules));
        await devices.SaveAsync(device, cancellationToken);
        return Outcome.Applied;
    }
}
