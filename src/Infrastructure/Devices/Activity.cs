using WebhookService.Domain.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>What changes of a device with every message: a row of `device_activity`.</summary>
internal readonly record struct Activity
{
    public long ClientNo { get; init; }
    public long? LastSeenAt { get; init; }
    public long? LastMessageAt { get; init; }
    public string? LastTopic { get; init; }
    public long Published { get; init; }
    public long Delivered { get; init; }
    public long Dropped { get; init; }
    public long? SignAt { get; init; }
    public string? SignPeer { get; init; }
    public long Version { get; init; }
    public long Status { get; init; }

    /// <summary>The version of the table's row when the device last changed in more than this: these values fit no earlier state of it.</summary>
    public long RestsOn { get; init; }

    public static Activity Of(long clientNo, Device device, long restsOn) => new()
    {
        ClientNo = clientNo,
        RestsOn = restsOn,
        LastSeenAt = device.LastSeenAt.ToMs(),
        LastMessageAt = device.LastMessageAt.ToMs(),
        LastTopic = device.LastTopic,
        Published = device.Traffic.Published,
        Delivered = device.Traffic.Delivered,
        Dropped = device.Traffic.Dropped,
        SignAt = device.SignOfLife?.At.ToMs(),
        SignPeer = device.SignOfLife?.Peer,
        Version = device.Version,
        Status = (long)device.Connectivity.Status,
    };
}
