using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Domain.Tests.Sessions;

namespace WebhookService.Domain.Tests.Devices;

/// <summary>A device with its sessions, as a handler would tell them; times are seconds after noon.</summary>
internal sealed class ADevice
{
    private readonly AHistory history = new();

    public ADevice() => Device.TakeEvents();

    public Device Device { get; } = Device.Discovered(AHistory.Client, AHistory.At(0));
    public Connectivity Connectivity => Device.Connectivity;
    public (ConnectivityStatus Status, Confidence Confidence, string Evidence) State => (Connectivity.Status, Connectivity.Confidence, Connectivity.Evidence);

    public static ADevice OnlineSince(double at, string? peer = null) => new ADevice().Connected(at, peer);

    public static ADevice OfflineSince(double at, string? peer = null, string reason = "tcp_closed") => OnlineSince(1, peer).Disconnected(1, at, reason, peer);

    public ADevice Connected(double at, string? peer = null, string? username = null)
    {
        var known = history.Set.Connected(
            "n1", AHistory.At(at), peer, new ConnectionDetails { Username = username, Ip = "10.0.0.1" }, false, Seen);
        if (known is not Outcome.Repeated) Device.Follow(history.Set, started: true, Seen);
        return this;
    }

    public ADevice Disconnected(double connectedAt, double at, string reason = "normal", string? peer = null)
    {
        history.Disconnected(connectedAt, at, reason, peer: peer);
        Device.Follow(history.Set, started: false, Seen);
        return this;
    }

    public ADevice Subscribed(double at)
    {
        history.Subscribed(at);
        Device.Follow(history.Set, started: false, Seen);
        return this;
    }

    public ADevice Showed(double? at, string? peer = null)
    {
        Device.Showed(at is { } time ? AHistory.At(time) : null, peer, Seen);
        return this;
    }

    public IReadOnlyList<IDomainEvent> Events() => Device.TakeEvents();

    private static Observation Seen => new(AHistory.Now, PresenceRules.Default);
}
