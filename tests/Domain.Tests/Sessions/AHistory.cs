using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Lives;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>One client's set of sessions, told in seconds after noon. Reports reach it at <see cref="Now"/> unless a test says otherwise.</summary>
internal sealed class AHistory
{
    public static readonly DateTimeOffset Noon = Life.Noon;
    public static readonly DateTimeOffset Now = Noon.AddDays(1);
    public static readonly ClientId Client = new("pump-7");

    public PresenceRules Rules { get; init; } = PresenceRules.Default;
    public SessionSet Set { get; private set; } = new(Client);
    public Presence Presence => Set.Presence(Rules);
    public (ConnectivityStatus Status, Confidence Confidence) State => (Presence.Status, Presence.Confidence);

    public static DateTimeOffset At(double seconds) => Noon.AddMilliseconds(Math.Round(seconds * 1000));

    public Outcome Connected(
        double at, string node = "n1", string? peer = null, bool? clean = null, long? expiry = null, string? protocol = null, bool byArrival = false, Traffic traffic = default) =>
        Set.Connected(
            node, At(at), peer, new ConnectionDetails { CleanStart = clean, ExpirySeconds = expiry, ProtocolVersion = protocol },
            byArrival, new Observation(Now, Rules, traffic));

    /// <summary>The end of the connection made at <paramref name="connectedAt"/>, named by it.</summary>
    public Outcome Disconnected(
        double connectedAt, double at, string reason = "normal", string node = "n1", string? peer = null, long? expiry = null, Traffic traffic = default) =>
        Set.Disconnected(
            node, At(connectedAt), peer, new SessionEnd(At(at), DisconnectReasons.Of(reason), reason, EndedBy.Event) { ExpirySeconds = expiry },
            new Observation(Now, Rules, traffic));

    /// <summary>The end of a connection that the report does not name.</summary>
    public Outcome Parted(double at, string? node = "n1", string? peer = null, string reason = "normal", long? expiry = null) =>
        Set.Parted(
            new Farewell(node, peer, At(at), DisconnectReasons.Of(reason), reason, FarewellKind.Disconnected) { ExpirySeconds = expiry },
            new Observation(Now, Rules));

    public Outcome Terminated(double arrivesAt, string? node = "n1", string reason = "normal") =>
        Set.Parted(
            new Farewell(node, null, At(arrivesAt), DisconnectReasons.Of(reason), reason, FarewellKind.Terminated),
            new Observation(At(arrivesAt), Rules));

    public Outcome Subscribed(double? at, string filter = "a/#", int qos = 0, double? arrivesAt = null) =>
        Set.Subscribed(filter, at is { } time ? At(time) : null, new SubscriptionOptions(qos, null, null, null), Arriving(arrivesAt));

    public Outcome Unsubscribed(double? at, string filter = "a/#", double? arrivesAt = null) =>
        Set.Unsubscribed(filter, at is { } time ? At(time) : null, Arriving(arrivesAt));

    /// <summary>The subscription's end in seconds after noon and why; nulls while it has none in sight.</summary>
    public (double? At, SubscriptionEndedBy? By) EndOf(string filter = "a/#")
    {
        var subscription = Set.Subscriptions.Single(one => one.Filter == filter);
        return ((subscription.EndsAt - Noon)?.TotalSeconds, subscription.EndedBy);
    }

    public Session Session(double connectedAt, string node = "n1", string? peer = null) =>
        Set.Sessions.Single(one => one.ConnectedAt == At(connectedAt) && one.Node == node && (peer is null || one.Peer == peer));

    /// <summary>The broker's list has the connection made at <paramref name="connectedAt"/>; coarse: it says the second only.</summary>
    public Outcome Listed(double connectedAt, double asOf, string node = "n1", string? peer = null, bool coarse = false) =>
        Set.Listed(node, At(coarse ? Math.Floor(connectedAt) : connectedAt), coarse, peer, new ConnectionDetails(), At(asOf), new Observation(Now, Rules, default, Cause.Reconciliation));

    public Outcome Absent(double asOf, double? aliveUntil = null) =>
        Set.Absent(At(asOf), aliveUntil is { } alive ? At(alive) : null, new Observation(Now, Rules, default, Cause.Reconciliation));

    /// <summary>Given up at <paramref name="at"/> by our clock.</summary>
    public Outcome GivenUp(double at, double? aliveUntil = null) =>
        Set.GivenUp(aliveUntil is { } alive ? At(alive) : null, new Observation(At(at), Rules, default, Cause.Deadline));

    public AHistory Told(IEnumerable<BrokerReport> reports)
    {
        foreach (var report in reports) report.Tell(Set, new Observation(Now, Rules));
        return this;
    }

    public IReadOnlyList<string> Events() => [.. Set.TakeEvents().Select(happened => happened.GetType().Name)];

    /// <summary>Saves the facts and reads them again.</summary>
    public AHistory Restarted() => Restarted(SessionSet.Window);

    /// <summary>Likewise, but so many of the newest sessions only.</summary>
    public AHistory Restarted(int count)
    {
        Set = SessionSet.Restore(
            Client,
            [.. Set.Sessions.Take(count).Select(Saved)],
            isAll: Set.Sessions.Count < count,
            [.. Set.Farewells.TakeLast(SessionSet.FarewellWindow).Select(one =>
                Farewell.Restore(one.Node, one.Peer, one.At, one.Reason, one.RawReason, one.Kind, one.Matched, one.ExpirySeconds, one.AliveUntil))],
            [.. Set.Subscriptions.Select(one =>
                Subscription.Restore(one.Filter, one.Options, one.SubscribedAt, one.UnsubscribedAt, one.MadeIn, one.EndsAt, one.EndedBy, one.EndIsTold))],
            Rules);
        return this;
    }

    public static Session Saved(Session one) => WebhookService.Domain.Sessions.Session.Restore(
        one.Node, one.ConnectedAt, one.Peer, one.Opened, one.TimeIsArrival, one.Details, one.Closed, one.End, one.TrafficAtStart, one.TrafficAtEnd, one.IsCoarse, one.ListedAt);

    /// <summary>All that was concluded, to compare two sets.</summary>
    public string Conclusions()
    {
        var (status, confidence, since, decisive, online, offline, reason, raw, flapping, gone, evidence) = Presence;
        return string.Join('\n',
            [
                $"{status} {confidence} since {since:T} by {decisive?.Node}/{decisive?.ConnectedAt:O}/{decisive?.Peer}; {online:O} {offline:O} {reason} {raw} {flapping:O} {gone:O} {evidence}",
                .. Set.Sessions.Select(one => $"{one.Node}/{one.ConnectedAt:O}/{one.Peer} opened {one.Opened} {one.End} {one.EndIsExact} {one.Terminated}"),
                .. Set.Subscriptions.OrderBy(one => one.Filter).Select(one => $"{one.Filter} {one.Options} {one.SubscribedAt:O} {one.EndsAt:O} {one.EndedBy}"),
            ]);
    }

    private Observation Arriving(double? at) => new(at is { } time ? At(time) : Now, Rules);
}
