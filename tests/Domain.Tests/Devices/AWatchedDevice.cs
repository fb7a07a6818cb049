using System.Reflection;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Tests.Sessions.AHistory;

namespace WebhookService.Domain.Tests.Devices;

/// <summary>What a device told, and when: seconds after noon by the service's clock.</summary>
internal sealed record Told(string Name, double At, IDomainEvent Event);

/// <summary>
/// A device with its sessions and somebody who meets its deadlines, as the handlers and the worker do. Times are seconds after noon; reports
/// arrive at <see cref="Now"/>.
/// </summary>
internal sealed class AWatchedDevice(PresenceRules? rules = null)
{
    private readonly SessionSet set = new(Client);
    private readonly List<Told> told = [];
    private PresenceRules rules = rules ?? PresenceRules.Default;

    public Device Device { get; } = Discovered();
    public double Now { get; private set; }
    public DateTimeOffset UpSince { get; private set; } = Noon.AddDays(-100);
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);
    public DateTimeOffset? ListedAt { get; set; }
    public bool CanVerify { get; set; }
    public IList<(Wish Wish, double At)> Wishes { get; } = [];

    public (ConnectivityStatus, Confidence) State => (Device.Connectivity.Status, Device.Connectivity.Confidence);

    /// <summary>When it is to be looked at.</summary>
    public double? DueAt => (Device.DueAt - Noon)?.TotalSeconds;

    /// <summary>All it told since the last call, such as "went-silent@70"; what sessions told is left out.</summary>
    public string Events => string.Join(' ', TakeTold().Where(one => one.Event is not SessionStarted and not SessionEnded).Select(one => $"{one.Name}@{one.At}"));

    public IReadOnlyList<Told> TakeTold()
    {
        var taken = told.ToList();
        told.Clear();
        return taken;
    }

    /// <summary>Forgets what it told so far.</summary>
    public AWatchedDevice Quiet()
    {
        told.Clear();
        return this;
    }

    public AWatchedDevice Connected(double at, int? keepAlive = null, string node = "n1", string? peer = null, bool clean = true, long? expiry = 0) => Fact(seen =>
        set.Connected(
            node, At(at), peer, new ConnectionDetails { KeepAliveSeconds = keepAlive, CleanStart = clean, ExpirySeconds = expiry, ProtocolVersion = "5" }, false, seen));

    public AWatchedDevice Disconnected(double connectedAt, double at, string reason = "normal", string node = "n1", string? peer = null) => Fact(seen =>
        set.Disconnected(node, At(connectedAt), peer, new SessionEnd(At(at), DisconnectReasons.Of(reason), reason, EndedBy.Event), seen));

    public AWatchedDevice Subscribed(double at) => Fact(seen => set.Subscribed("a/#", At(at), new SubscriptionOptions(0, null, null, null), seen));

    /// <summary>The broker's list, asked for at that time, has the connection.</summary>
    public AWatchedDevice Listed(double connectedAt, double asOf, string node = "n1") =>
        Fact(seen => set.Listed(node, At(connectedAt), isCoarse: false, null, new ConnectionDetails(), At(asOf), seen), Cause.Reconciliation);

    public AWatchedDevice Absent(double asOf) => Fact(seen => set.Absent(At(asOf), null, seen), Cause.Reconciliation);

    public AWatchedDevice Published(double at, string? peer = null)
    {
        Device.Published("t", At(at), Seen());
        Device.Showed(At(at), peer, Seen());
        return Heard();
    }

    public AWatchedDevice Showed(double at, string? peer = null)
    {
        Device.Showed(At(at), peer, Seen());
        return Heard();
    }

    public AWatchedDevice Expects(double? interval)
    {
        Device.Describe(DeviceProfile.Empty with { MessageInterval = interval is { } seconds ? TimeSpan.FromSeconds(seconds) : null }, At(Now), rules);
        return Heard();
    }

    public AWatchedDevice Doubted()
    {
        Device.Doubt(At(Now), ListedAt, rules);
        return Heard();
    }

    public AWatchedDevice Unverifiable()
    {
        Device.Unverifiable(Seen(Cause.Deadline));
        return Heard();
    }

    /// <summary>The clock goes on and nobody looks.</summary>
    public AWatchedDevice Later(double now)
    {
        Now = now;
        return this;
    }

    /// <summary>The service was down until that time.</summary>
    public AWatchedDevice Restarted(double at, PresenceRules? newRules = null)
    {
        (Now, UpSince, ListedAt, rules) = (at, At(at), null, newRules ?? rules);
        return this;
    }

    /// <summary>The worker: looks whenever the device is due, until that time.</summary>
    public AWatchedDevice Watched(double until)
    {
        for (var looks = 0; DueAt <= until; looks++)
        {
            Assert.True(looks < 100, $"it is due at {DueAt} again and again");
            Now = Math.Max(Now, DueAt!.Value);
            Look();
        }
        Now = Math.Max(Now, until);
        return this;
    }

    /// <summary>One look, as the handler of deadlines does it.</summary>
    public AWatchedDevice Look()
    {
        var moment = new Moment(At(Now), UpSince, Grace, ListedAt, CanVerify, rules);

        var wish = Device.Pass(Device.NeedsSessions(moment) ? set : null, moment);

        if (wish is not Wish.None) Wishes.Add((wish, Now));
        Heard();
        return wish is Wish.GivingUp ? Fact(seen => set.GivenUp(Device.LastEvidenceAt, seen), Cause.Deadline) : this;
    }

    private static Device Discovered()
    {
        var device = Device.Discovered(Client, At(0));
        device.TakeEvents();
        return device;
    }

    private AWatchedDevice Fact(Func<Observation, Outcome> fact, Cause cause = Cause.Event)
    {
        var (seen, starts) = (Seen(cause), set.Starts);
        if (fact(seen) is not Outcome.Repeated) Device.Follow(set, set.Starts > starts, seen);
        return Heard();
    }

    private Observation Seen(Cause cause = Cause.Event) => new(At(Now), rules, Device.Traffic, cause);

    private AWatchedDevice Heard()
    {
        foreach (var one in set.TakeEvents().Concat(Device.TakeEvents()))
            told.Add(new(one.GetType().GetCustomAttribute<EventNameAttribute>()!.Name.Replace("device.", "", StringComparison.Ordinal), Now, one));
        return this;
    }
}
