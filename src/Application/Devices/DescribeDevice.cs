using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Devices;

/// <summary>Changes name, tags and expectations of a device. Nothing else of a device can be written.</summary>
/// <param name="Change">Makes the new profile of the present one.</param>
/// <param name="IfVersion">The version the caller saw; null to change whatever is there.</param>
public sealed record DescribeDevice(ClientId Client, Func<DeviceProfile, DeviceProfile> Change, long? IfVersion) : ICommand<Described>;

public enum Described
{
    Done,
    NoSuchDevice,
    OtherVersion,
}

internal sealed class DescribeDeviceHandler(IDeviceRepository devices, PresenceRules rules, TimeProvider time) : ICommandHandler<DescribeDevice, Described>
{
    public async Task<Described> Handle(DescribeDevice command, CancellationToken cancellationToken)
    {
        if (await devices.FindAsync(command.Client, cancellationToken) is not { } device) return Described.NoSuchDevice;
        if (command.IfVersion is { } version && version != device.Version) return Described.OtherVersion;

        device.Describe(command.Change(device.Profile), time.GetUtcNow(), rules);
        await devices.SaveAsync(device, cancellationToken);
        return Described.Done;
    }
}
