using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Devices;

/// <summary>A client id was mentioned for the first time.</summary>
[EventName("device.discovered")]
public sealed record DeviceDiscovered(ClientId Subject, DateTimeOffset At) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device is connected. <paramref name="Evidence"/> says from what we know (see <see cref="Connectivity.Evidence"/>).</summary>
[EventName("device.went-online")]
public sealed record DeviceWentOnline(ClientId Subject, DateTimeOffset At, Confidence Confidence, string? Node, string? Ip, string Evidence) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device is not connected any more.</summary>
[EventName("device.went-offline")]
public sealed record DeviceWentOffline(
    ClientId Subject, DateTimeOffset At, Confidence Confidence, DisconnectReason Reason, string? RawReason, string Evidence) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>Somebody changed what is said of the device.</summary>
[EventName("device.described")]
public sealed record DeviceDescribed(
    ClientId Subject, DateTimeOffset At, string? Name, IReadOnlyDictionary<string, string> Tags, double? MessageIntervalSeconds) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device and its data were deleted on request. It has no client any more; <paramref name="ClientId"/> is the name it had.</summary>
[EventName("device.forgotten")]
public sealed record DeviceForgotten(string ClientId, DateTimeOffset At) : IDomainEvent
{
    public ClientId? Client => null;
}
