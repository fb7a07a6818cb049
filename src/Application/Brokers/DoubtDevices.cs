using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.Brokers;

/// <summary>These devices are online as far as is known, but the broker's list misses them together with too many others to believe it: they are stale.</summary>
public sealed record DoubtDevices(IReadOnlyList<ClientId> Clients, DateTimeOffset At) : ICommand;

internal sealed class DoubtDevicesHandler(IDeviceRepository devices) : ICommandHandler<DoubtDevices>
{
    public async Task<Outcome> Handle(DoubtDevices command, CancellationToken cancellationToken)
    {
        foreach (var client in command.Clients)
        {
            if (await devices.FindAsync(client, cancellationToken) is not { } device) continue;
            device.Doubt(command.At);
            await devices.SaveAsync(device, cancellationToken);
        }
        return Outcome.Applied;
    }
}
