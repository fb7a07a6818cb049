using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>These devices are online as far as is known, but the broker's list misses them and that is not believed yet: they are stale.</summary>
/// <param name="AsOf">A moment by the broker's clock before it was asked; who was heard of since is not doubted.</param>
public sealed record DoubtDevices(IReadOnlyList<ClientId> Clients, DateTimeOffset AsOf, DateTimeOffset At) : ICommand;

internal sealed class DoubtDevicesHandler(IDeviceRepository devices, BrokerWatch watch, PresenceRules rules) : ICommandHandler<DoubtDevices>
{
    public async Task<Outcome> Handle(DoubtDevices command, CancellationToken cancellationToken)
    {
        foreach (var client in command.Clients)
        {
            if (await devices.FindAsync(client, cancellationToken) is not { } device || device.LastEvidenceAt > command.AsOf) continue;
            device.Doubt(command.At, watch.ListedAt(device.Session?.Node), rules);
            await devices.SaveAsync(device, cancellationToken);
        }
        return Outcome.Applied;
    }
}
