namespace WebhookService.Domain.Devices;

public interface IDeviceRepository
{
    /// <summary>The device, or null if no report ever named it.</summary>
    ValueTask<Device?> FindAsync(ClientId id, CancellationToken cancellation);

    /// <summary>Saves the device and what happened to it.</summary>
    ValueTask SaveAsync(Device device, CancellationToken cancellation);

    /// <summary>Deletes the device with its sessions and subscriptions at once, and up to <paramref name="limit"/> rows of its messages and events.</summary>
    /// <returns>True when nothing of it is left.</returns>
    ValueTask<bool> ForgetAsync(ClientId id, int limit, CancellationToken cancellation);
}
