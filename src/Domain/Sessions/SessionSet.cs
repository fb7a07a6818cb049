using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

/// <summary>
/// All that is known of one client id's recent sessions and its subscriptions. Presence is a set of sessions, not a flag: each report adds a
/// fact, and everything concluded (ends, presence, subscriptions) is computed from all facts anew. So reports may come in any order and any
/// number of times and the result is the same.
/// </summary>
public sealed class SessionSet(ClientId client) : Aggregate
{
    /// <summary>How many sessions decide. An older one is superseded in any case; it only lives on in the ledger.</summary>
    public const int Window = 64;

    private const long Forever = 4_294_967_295;

    private readonly List<Session> sessions = [];   // newest first
    private readonly List<Farewell> farewells = []; // oldest first
    private readonly Dictionary<string, Subscription> subscriptions = [];

    public ClientId Client { get; } = client;
    public IReadOnlyList<Session> Sessions => sessions;
    public IReadOnlyList<Farewell> Farewells => farewells;
    public IReadOnlyCollection<Subscription> Subscriptions => subscriptions.Values;

    // ---- facts -------------------------------------------------------------------------------------------------------

    /// <summary>`client.connected`: opens the session.</summary>
    public Outcome Connected(string node, DateTimeOffset connectedAt, string? peer, ConnectionDetails details, bool timeIsArrival, Observation seen)
    {
        var session = Named(node, connectedAt, peer);
        if (!session.Open(details, timeIsArrival, seen.Traffic)) return Outcome.Repeated;

        Raise(new SessionStarted(Client, connectedAt, node, details.Ip, details.Port, details.ProtocolVersion, details.CleanStart));
        Conclude(seen);
        return session.End is null ? Outcome.Applied : Outcome.Overtaken;
    }

    /// <summary>`client.disconnected` that says connected_at: closes that very session, also one that was never seen open.</summary>
    public Outcome Disconnected(string node, DateTimeOffset connectedAt, string? peer, SessionEnd end, Observation seen)
    {
        var session = Named(node, connectedAt, peer);
        var known = session.End;
        if (!session.Close(end)) return Outcome.Repeated;

        Conclude(seen);
        return known is null or { By: EndedBy.Superseded } ? Outcome.Applied : Outcome.Repeated;
    }

    /// <summary>`client.disconnected` without connected_at, or `session_terminated`.</summary>
    public Outcome Parted(Farewell farewell, Observation seen)
    {
        if (farewell.Kind is FarewellKind.Disconnected && farewells.Exists(known => SameReport(known, farewell))) return Outcome.Repeated;

        var after = farewells.FindIndex(known => known.At > farewell.At);
        farewells.Insert(after < 0 ? farewells.Count : after, farewell);
        if (farewells.Count > Window) farewells.RemoveAt(0);
        Conclude(seen);
        return Outcome.Applied;
    }

    /// <summary>`session.subscribed`. <paramref name="at"/> is null where the report has no time (4.x plugin): then it belongs to the newest session.</summary>
    public Outcome Subscribed(string filter, DateTimeOffset? at, SubscriptionOptions options, Observation seen)
    {
        var subscription = Of(filter);
        var news = subscription.Made(at ?? seen.ReceivedAt, options, at is null && sessions.Count > 0 ? (sessions[0].Node, sessions[0].ConnectedAt) : null);
        if (!news) return Outcome.Repeated;

        var ended = Conclude(subscription, seen.ReceivedAt);
        if (!ended) Raise(new SubscriptionStarted(Client, subscription.SubscribedAt!.Value, filter, options.Qos));
        return ended ? Outcome.Overtaken : Outcome.Applied;
    }

    /// <summary>`session.unsubscribed`: only a real UNSUBSCRIBE; EMQX reports none on disconnect.</summary>
    public Outcome Unsubscribed(string filter, DateTimeOffset? at, Observation seen)
    {
        var subscription = Of(filter);
        if (!subscription.Cancelled(at ?? seen.ReceivedAt)) return Outcome.Repeated;

        Conclude(subscription, seen.ReceivedAt);
        return subscription.EndedBy is SubscriptionEndedBy.Unsubscribed ? Outcome.Applied : Outcome.Overtaken;
    }

    // ---- conclusions -------------------------------------------------------------------------------------------------

    /// <summary>Online if some session is open, not closed and not superseded; else offline since the last end, with what doubt there is.</summary>
    public Presence Presence(PresenceRules rules)
    {
        var live = sessions.Find(session => session is { Opened: true, End: null });
        var lastOnline = sessions.Find(session => session.Opened)?.ConnectedAt;
        var flappingUntil = FlappingUntil(rules);
        var left = sessions.Find(session => session.End is { Reason: not DisconnectReason.Takeover, By: not EndedBy.Superseded })?.End;
        if (live is not null)
        {
            var sureness = live.TimeIsArrival ? Confidence.Inferred : Confidence.Confirmed;
            return new(ConnectivityStatus.Online, sureness, live.ConnectedAt, live, lastOnline, left?.At, left?.Reason, left?.RawReason, flappingUntil);
        }

        var last = sessions.Count > 0 ? sessions[0] : null;
        var end = last?.End;
        var exact = last is { EndIsExact: true };
        var stray = farewells.FindLast(farewell => farewell is { Matched: false, Kind: FarewellKind.Disconnected });
        if (stray is not null && (end is null || stray.At > end.At))
            (end, exact) = (new SessionEnd(stray.At, stray.Reason, stray.RawReason, EndedBy.Event), false);
        if (end is null) return new(ConnectivityStatus.Unknown, Confidence.Inferred, null, last, lastOnline, null, null, null, flappingUntil);

        // A takeover alone never means offline: the successor's connected may be milliseconds behind.
        if (end.Reason is DisconnectReason.Takeover)
            return new(ConnectivityStatus.Online, Confidence.Inferred, end.At, last, lastOnline, left?.At, left?.Reason, left?.RawReason, flappingUntil);

        return new(ConnectivityStatus.Offline, exact ? Confidence.Confirmed : Confidence.Inferred, end.At, last, lastOnline, end.At, end.Reason, end.RawReason, flappingUntil);
    }

    /// <summary>Decides for every session whether and how it ended, and from that for every subscription.</summary>
    private void Conclude(Observation seen)
    {
        var looseEnds = MatchFarewells();
        var terminations = farewells.Count(farewell => farewell.Kind is FarewellKind.Terminated);
        foreach (var session in sessions)
        {
            looseEnds.TryGetValue(session, out var loose);
            var before = session.End;
            session.End = session.Closed
                ?? (loose is null ? null : new SessionEnd(loose.At, loose.Reason, loose.RawReason, EndedBy.Event) { ExpirySeconds = loose.ExpirySeconds })
                ?? (SuccessorOf(session, seen.Rules.ClockTolerance) is { } successor
                    ? new SessionEnd(successor.ConnectedAt, DisconnectReason.Takeover, null, EndedBy.Superseded)
                    : null);
            session.EndIsExact = session.Closed is not null || loose?.Peer is not null;
            session.TrafficAtEnd = session.End is null ? null : session.TrafficAtEnd ?? seen.Traffic;
            session.Terminated = session.End is { By: EndedBy.Event } && terminations-- > 0;
            if (before is null && session.End is { } end)
                Raise(new SessionEnded(Client, end.At, session.Node, session.ConnectedAt, end.Reason, end.RawReason, end.By));
        }
        foreach (var subscription in subscriptions.Values) Conclude(subscription, seen.ReceivedAt);
    }

    /// <summary>
    /// A farewell ends the newest session it can mean: same node, same peer where it says one, opened at or before it. Ports are used again,
    /// so the newest; of several farewells for one session the earliest counts.
    /// </summary>
    private Dictionary<Session, Farewell> MatchFarewells()
    {
        var ends = new Dictionary<Session, Farewell>();
        foreach (var farewell in farewells)
        {
            if (farewell.Kind is not FarewellKind.Disconnected) continue;
            var meant = sessions.Find(session =>
                session.ConnectedAt <= farewell.At
                && (farewell.Node is null || farewell.Node == session.Node)
                && (farewell.Peer is null || farewell.Peer == session.Peer));
            farewell.Matched = meant is not null;
            if (meant is not null) ends.TryAdd(meant, farewell);
        }
        return ends;
    }

    /// <summary>MQTT allows one connection a client id: a newer one on the same node, or one newer by more than clocks may differ, ends the older.</summary>
    private Session? SuccessorOf(Session session, TimeSpan tolerance) => sessions.FindLast(other =>
        other.ConnectedAt > session.ConnectedAt
        && (other.Node == session.Node || other.ConnectedAt - session.ConnectedAt > tolerance));

    /// <summary>Follows a subscription through the sessions that inherited it. True if it has ended by <paramref name="now"/>.</summary>
    private bool Conclude(Subscription subscription, DateTimeOffset now)
    {
        var endedBefore = subscription.EndsAt <= now;
        (subscription.EndsAt, subscription.EndedBy) = EndOf(subscription);
        var ended = subscription.EndsAt <= now;
        if (ended && !endedBefore && subscription.SubscribedAt is not null)
            Raise(new SubscriptionEnded(Client, subscription.EndsAt!.Value, subscription.Filter, subscription.EndedBy!.Value));
        return ended;
    }

    private (DateTimeOffset? At, SubscriptionEndedBy? By) EndOf(Subscription subscription)
    {
        if (subscription.SubscribedAt is not { } made) return (subscription.UnsubscribedAt, SubscriptionEndedBy.Unsubscribed);
        if (subscription.UnsubscribedAt >= made) return (subscription.UnsubscribedAt, SubscriptionEndedBy.Unsubscribed);

        var home = subscription.MadeIn is { } key
            ? sessions.FindIndex(session => session.ConnectedAt == key.ConnectedAt && session.Node == key.Node)
            : sessions.FindIndex(session => session.ConnectedAt <= made);
        for (var i = home; i >= 0; i--)
        {
            var (session, next) = (sessions[i], i > 0 ? sessions[i - 1] : null);
            if (session.End is not { } end) return (null, null);
            if (session.Details.EndsWithConnection is true || session.Terminated || end.RawReason is "discarded" or "kicked")
                return (Later(end.At, made), SubscriptionEndedBy.SessionEnd);
            var expiry = end.ExpirySeconds ?? session.Details.ExpirySeconds;
            var expires = expiry is { } seconds and not Forever ? end.At.AddSeconds(seconds) : (DateTimeOffset?)null;
            if (next is null) return (expires, expires is null ? null : SubscriptionEndedBy.Expired);
            if (expires < next.ConnectedAt) return (expires, SubscriptionEndedBy.Expired);
            if (next.Details.CleanStart is true) return (Later(next.ConnectedAt, made), SubscriptionEndedBy.CleanStart);
        }
        // Made before any session we know: a clean start since then has ended it.
        var wiped = home < 0 ? sessions.FindLast(session => session.Details.CleanStart is true && session.ConnectedAt > made) : null;
        return (wiped?.ConnectedAt, wiped is null ? null : SubscriptionEndedBy.CleanStart);
    }

    private DateTimeOffset? FlappingUntil(PresenceRules rules) =>
        sessions.Count >= rules.FlappingStarts && sessions[0].ConnectedAt - sessions[rules.FlappingStarts - 1].ConnectedAt <= rules.FlappingWindow
            ? sessions[rules.FlappingStarts - 1].ConnectedAt + rules.FlappingWindow
            : null;

    // ---- the set -----------------------------------------------------------------------------------------------------

    /// <summary>Whether a session of that name is among the facts at hand.</summary>
    public bool Holds(string node, DateTimeOffset connectedAt, string? peer) => sessions.Exists(session => session.Is(node, connectedAt, peer));

    /// <summary>True when older sessions may exist that are not at hand.</summary>
    public bool IsFull => sessions.Count >= Window;

    private Session Named(string node, DateTimeOffset connectedAt, string? peer)
    {
        if (sessions.Find(session => session.Is(node, connectedAt, peer)) is { } known)
        {
            known.Peer ??= peer;
            return known;
        }
        if (sessions.Count > Window) sessions.RemoveRange(Window, sessions.Count - Window);
        var named = new Session(node, connectedAt, peer);
        Insert(named);
        return named;
    }

    private void Insert(Session session)
    {
        // Ties go by node and peer, so that the order never depends on which report came first.
        var older = sessions.FindIndex(other => Newer(session, other) > 0);
        sessions.Insert(older < 0 ? sessions.Count : older, session);
    }

    private static int Newer(Session left, Session right)
    {
        var byTime = left.ConnectedAt.CompareTo(right.ConnectedAt);
        if (byTime != 0) return byTime;
        var byNode = string.CompareOrdinal(left.Node, right.Node);
        return byNode != 0 ? byNode : string.CompareOrdinal(left.Peer, right.Peer);
    }

    private Subscription Of(string filter)
    {
        if (subscriptions.TryGetValue(filter, out var known)) return known;
        return subscriptions[filter] = Subscription.To(MqttText.Checked(filter, "topic"));
    }

    private static bool SameReport(Farewell known, Farewell report) =>
        known.Kind == report.Kind && known.At == report.At && known.Node == report.Node && known.Peer == report.Peer;

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    /// <summary>Builds the set as it was saved; the conclusions are drawn again from the facts.</summary>
    public static SessionSet Restore(
        ClientId client, IEnumerable<Session> sessions, IEnumerable<Farewell> farewells, IEnumerable<Subscription> subscriptions, PresenceRules rules)
    {
        var set = new SessionSet(client);
        foreach (var session in sessions) set.Insert(session);
        set.farewells.AddRange(farewells.OrderBy(farewell => farewell.At));
        foreach (var subscription in subscriptions) set.subscriptions[subscription.Filter] = subscription;
        set.Conclude(new Observation(DateTimeOffset.MaxValue, rules));
        set.TakeEvents();
        return set;
    }

    /// <summary>Adds a session older than the window, as it was saved, because a report names it.</summary>
    public void Recall(Session session) => Insert(session);
}
