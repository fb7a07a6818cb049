namespace WebhookService.Domain.Devices;

public interface IDeviceRepository
{
    /// <summary>The device, or null if no report ever named it.</summary>
    ValueTask<Device?> FindAsync(ClientId id, CancellationToken cancellation);

    /// <summary>Saves the device and what happened to it.</summary>
    ValueTask SaveAsync(Device device, CancellationToken cancellation);

    /// <summary>
    /// Deletes up to <paramref name="limit"/> of the device's messages and as many of its events; when none is left, its sessions, subscriptions
    /// and the device itself.
    /// </summary>
    /// <returns>True when nothing of it is left.</returns>
    ValueTask<bool> ForgetAsync(ClientId id, int limit, CancellationToken cancellation);
}
