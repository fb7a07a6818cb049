using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Devices;

/// <summary>A client id was mentioned for the first time.</summary>
[EventName("device.discovered")]
public sealed record DeviceDiscovered(ClientId Subject, DateTimeOffset At) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device is connected. <paramref name="Evidence"/> says from what we know (see <see cref="Connectivity.Evidence"/>).</summary>
/// <param name="Flapping">The device comes and goes; <see cref="DeviceStartedFlapping"/> told so once.</param>
[EventName("device.went-online")]
public sealed record DeviceWentOnline(
    ClientId Subject, DateTimeOffset At, Confidence Confidence, string? Node, string? Ip, string Evidence, Cause Cause, bool Flapping) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device is not connected any more.</summary>
/// <param name="Flapping">As in <see cref="DeviceWentOnline"/>.</param>
[EventName("device.went-offline")]
public sealed record DeviceWentOffline(
    ClientId Subject, DateTimeOffset At, Confidence Confidence, DisconnectReason Reason, string? RawReason, string Evidence, Cause Cause, bool Flapping) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>It is not known any more whether the device is connected: it was stale for too long.</summary>
[EventName("device.went-unknown")]
public sealed record DeviceWentUnknown(ClientId Subject, DateTimeOffset At, DateTimeOffset? LastEvidenceAt) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device is offline since <paramref name="Since"/> and did not return for the time that alarms wait (<see cref="PresenceRules.OfflineHold"/>).</summary>
[EventName("device.offline-confirmed")]
public sealed record DeviceOfflineConfirmed(ClientId Subject, DateTimeOffset At, DateTimeOffset Since, DisconnectReason Reason, string? RawReason, Confidence Confidence) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>Nothing was heard of an online device for longer than its keep alive allows: its state is stale.</summary>
[EventName("device.went-stale")]
public sealed record DeviceWentStale(ClientId Subject, DateTimeOffset At, DateTimeOffset LastEvidenceAt) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>There is evidence again of a device that was stale.</summary>
[EventName("device.heard-again")]
public sealed record DeviceHeardAgain(ClientId Subject, DateTimeOffset At, Confidence Confidence) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device sent no message for longer than expected; it may be connected all the while.</summary>
[EventName("device.went-silent")]
public sealed record DeviceWentSilent(ClientId Subject, DateTimeOffset At, DateTimeOffset LastMessageAt, double ExpectedIntervalSeconds) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>A silent device sends again.</summary>
[EventName("device.resumed")]
public sealed record DeviceResumed(ClientId Subject, DateTimeOffset At, double SilentSeconds) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device comes and goes (<see cref="PresenceRules.FlappingStarts"/>); said once, until <see cref="DeviceStoppedFlapping"/>.</summary>
[EventName("device.started-flapping")]
public sealed record DeviceStartedFlapping(ClientId Subject, DateTimeOffset At) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device has calmed down.</summary>
[EventName("device.stopped-flapping")]
public sealed record DeviceStoppedFlapping(ClientId Subject, DateTimeOffset At, ConnectivityStatus Status) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>Reports were lost and the broker's own list put the state right. How often this happens says how good the reports are.</summary>
[EventName("device.presence-corrected")]
public sealed record PresenceCorrected(ClientId Subject, DateTimeOffset At, ConnectivityStatus From, ConnectivityStatus To, Confidence FromConfidence) : IDomainEvent
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
