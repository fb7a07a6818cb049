using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

/// <summary>
/// All that is known of one client id's recent sessions and its subscriptions. Presence is a set of sessions, not a flag: each report adds a
/// fact, and every conclusion (how sessions ended, presence, subscriptions) is drawn anew from all facts. So reports may come in any order
/// and any number of times and the result is the same.
/// </summary>
public sealed class SessionSet(ClientId client) : Aggregate
{
    /// <summary>How many sessions decide at most. An older one is superseded in any case; it only lives on in the ledger.</summary>
    public const int Window = 64;

    /// <summary>How many of a client's newest sessions mostly decide. Those and the one before them are read; if that is not <see cref="Sufficient"/>, all of the window.</summary>
    public const int Usual = 8;

    /// <summary>How many farewells are kept for them: a session may have several (repeated with a new time, or `session_terminated`).</summary>
    public const int FarewellWindow = 4 * Window;

    private readonly List<Session> sessions = [];   // newest first
    private readonly List<Farewell> farewells = []; // oldest first
    private readonly Dictionary<string, Subscription> subscriptions = [];
    private readonly List<DateTimeOffset> missingStarts = []; // of as many of them as tell whether the client is flapping
    private DateTimeOffset? edge; // sessions that began then or before may be missing; null while none are

    public ClientId Client { get; } = client;
    public IReadOnlyList<Session> Sessions => sessions;
    public IReadOnlyList<Farewell> Farewells => farewells;
    public IReadOnlyCollection<Subscription> Subscriptions => subscriptions.Values;

    /// <summary>How many sessions became known since the set was read.</summary>
    public int Starts { get; private set; }

    // ---- facts -------------------------------------------------------------------------------------------------------

    /// <summary>`client.connected`: opens the session. Overtaken if its end, or a newer session, is known already.</summary>
    public Outcome Connected(string node, DateTimeOffset connectedAt, string? peer, ConnectionDetails details, bool timeIsArrival, Observation seen)
    {
        var session = Named(node, connectedAt, peer, isExact: true, out var learned);
        var opened = session.Open(details, timeIsArrival, seen.Traffic);
        if (!opened && !session.Enrich(details) && !learned) return Outcome.Repeated;

        if (opened) Began(session, seen);
        Conclude(seen);
        return session.End is null ? Outcome.Applied : Outcome.Overtaken;
    }

    /// <summary>The broker's own list has the connection: it is open, whatever was missed, unless its own end is known. Overtaken then.</summary>
    /// <param name="isCoarse">The list says <paramref name="connectedAt"/> to the second only, rounded down.</param>
    /// <param name="asOf">A moment by the broker's clock at which the connection lived, if it had begun by then.</param>
    public Outcome Listed(string node, DateTimeOffset connectedAt, bool isCoarse, string? peer, ConnectionDetails details, DateTimeOffset asOf, Observation seen)
    {
        var session = isCoarse ? NamedBySecond(node, connectedAt, peer, asOf, out var learned) : Named(node, connectedAt, peer, isExact: true, out learned);
        var opened = session.Open(details, timeIsArrival: false, seen.Traffic);
        if (!session.Lived(asOf) && !opened && !learned) return Outcome.Repeated;

        if (opened) Began(session, seen);
        Conclude(seen);
        return session.End is null ? Outcome.Applied : Outcome.Overtaken;
    }

    /// <summary>The broker, asked for this very client, has no connection of it: every session opened before is over.</summary>
    /// <param name="asOf">A moment by the broker's clock before it was asked, so that a connection made meanwhile is not meant.</param>
    /// <param name="aliveUntil">The last moment at which the client is known to have been connected; null if nothing is known.</param>
    public Outcome Absent(DateTimeOffset asOf, DateTimeOffset? aliveUntil, Observation seen) =>
        Parted(new Farewell(null, null, asOf, DisconnectReason.Other, null, FarewellKind.Absent) { AliveUntil = aliveUntil }, seen);

    /// <summary>Nothing was heard for so long that the client's state is not known any more.</summary>
    /// <param name="aliveUntil">As in <see cref="Absent"/>.</param>
    public Outcome GivenUp(DateTimeOffset? aliveUntil, Observation seen) =>
        Parted(new Farewell(null, null, seen.ReceivedAt, DisconnectReason.Other, null, FarewellKind.GivenUp) { AliveUntil = aliveUntil }, seen);

    /// <summary>`client.disconnected` that says connected_at: closes that very session, also one that was never seen open.</summary>
    public Outcome Disconnected(string node, DateTimeOffset connectedAt, string? peer, SessionEnd end, Observation seen)
    {
        if (!Named(node, connectedAt, peer, isExact: true, out var learned).Close(end) && !learned) return Outcome.Repeated;

        Conclude(seen);
        return Outcome.Applied;
    }

    /// <summary>`client.disconnected` without connected_at, `session_terminated`, or what only the broker or time tells.</summary>
    public Outcome Parted(Farewell farewell, Observation seen)
    {
        var place = farewells.FindLastIndex(known => Farewell.Compare(known, farewell) <= 0);
        if (place >= 0 && Farewell.Compare(farewells[place], farewell) == 0) return Outcome.Repeated;

        farewells.Insert(place + 1, farewell);
        Conclude(seen);
        return Outcome.Applied;
    }

    /// <summary>`session.subscribed`. Overtaken if the subscription is known to have ended since.</summary>
    /// <param name="at">Null where the report has no time (4.x plugin): then it was made when it reached us, in the session that is live.</param>
    public Outcome Subscribed(string filter, DateTimeOffset? at, SubscriptionOptions options, Observation seen)
    {
        var live = at is null && sessions is [{ End: null } newest, ..] ? newest : null;
        var subscription = To(filter);
        if (!subscription.Made(at ?? seen.ReceivedAt, options, live is null ? null : (live.Node, live.ConnectedAt))) return Outcome.Repeated;

        Raise(new SubscriptionStarted(Client, subscription.SubscribedAt!.Value, filter, options.Qos));
        Conclude(subscription, seen);
        return subscription.EndsAt <= seen.ReceivedAt ? Outcome.Overtaken : Outcome.Applied;
    }

    /// <summary>`session.unsubscribed`: only a real UNSUBSCRIBE; EMQX reports none on disconnect.</summary>
    public Outcome Unsubscribed(string filter, DateTimeOffset? at, Observation seen)
    {
        var subscription = To(filter);
        if (!subscription.Cancelled(at ?? seen.ReceivedAt)) return Outcome.Repeated;

        Conclude(subscription, seen);
        return subscription.EndedBy is SubscriptionEndedBy.Unsubscribed ? Outcome.Applied : Outcome.Overtaken;
    }

    /// <summary>Time has passed: subscriptions that ran out are told.</summary>
    /// <returns>Whether any was.</returns>
    public bool Pass(Observation seen)
    {
        var any = false;
        foreach (var subscription in subscriptions.Values)
        {
            var told = subscription.EndIsTold;
            Conclude(subscription, seen);
            any |= !told && subscription.EndIsTold;
        }
        return any;
    }

    /// <summary>When the next subscription runs out that is not told yet; null if none will.</summary>
    public DateTimeOffset? NextSubscriptionEnd()
    {
        DateTimeOffset? next = null;
        foreach (var subscription in subscriptions.Values)
            if (subscription is { EndIsTold: false, EndsAt: { } at } && !(next <= at)) next = at;
        return next;
    }

    // ---- conclusions -------------------------------------------------------------------------------------------------

    /// <summary>Online if some session is open, not closed and not superseded; else offline since the last end, with what doubt there is.</summary>
    public Presence Presence(PresenceRules rules) => Domain.Sessions.Presence.Of(sessions, farewells, StartTimes(), rules);

    /// <summary>How many subscriptions have no end, or one that lies ahead.</summary>
    public int SubscriptionsAt(DateTimeOffset time)
    {
        var current = 0;
        foreach (var subscription in subscriptions.Values)
            if (!(subscription.EndsAt <= time)) current++;
        return current;
    }

    private void Conclude(Observation seen)
    {
        ConcludeEnds(seen.Rules);
        foreach (var session in sessions)
        {
            if (session.End is { } end && !session.EndIsTold)
                Raise(new SessionEnded(Client, end.At, session.Node, session.ConnectedAt, end.Reason, end.RawReason, end.By));
            session.EndIsTold = session.End is not null;
            session.TrafficAtEnd = session.End is null ? null : session.TrafficAtEnd ?? seen.Traffic;
        }
        foreach (var subscription in subscriptions.Values) Conclude(subscription, seen);
    }

    /// <summary>
    /// Decides for every session whether and how it ended: by its own report, by a farewell that can only mean it, by a successor, or because the
    /// broker does not know it any more.
    /// </summary>
    private void ConcludeEnds(PresenceRules rules)
    {
        MatchFarewells(rules.EvidenceGuard);
        for (var i = 0; i < sessions.Count; i++)
        {
            var session = sessions[i];
            session.End = session.Closed ?? (session.IsSettled ? session.End : session.Farewell?.End ?? Unreported(i, rules.ClockTolerance));
            session.Terminated = false;
        }
        foreach (var farewell in farewells)
        {
            // It tells no session: the newest that had ended when it came. Its time is ours, so broker and service clocks must not differ much.
            if (farewell.Kind is FarewellKind.Terminated
                && sessions.Find(session => farewell.Knows(session.Node) && session.End?.At <= farewell.At + rules.ClockTolerance) is { } dropped)
                dropped.Terminated = true;
        }
    }

    /// <summary>
    /// A farewell ends the newest session it can mean (<see cref="Farewell.CanMean"/>), for ports are used again. Of several for one session
    /// the earliest counts. On equal milliseconds the connect wins: the farewell is that of the session before, if it has none yet.
    /// </summary>
    /// <param name="guard">How much later than an absence the farewell of a session may be that was gone by then: the broker was asked a little earlier.</param>
    private void MatchFarewells(TimeSpan guard)
    {
        if (farewells.Count == 0) return;
        foreach (var session in sessions) session.Farewell = null;
        var endings = farewells.FindAll(farewell => farewell.EndsAll);
        var opened = sessions.Count; // from here on, the sessions that were opened before the farewell
        foreach (var farewell in farewells)
        {
            if (farewell.Kind is not FarewellKind.Disconnected) continue;
            while (opened > 0 && sessions[opened - 1].ConnectedAt <= farewell.At) opened--;

            Session? meant = null;
            for (var i = opened; i < sessions.Count; i++)
            {
                var session = sessions[i];
                if (!farewell.CanMean(session) || endings.Exists(ending => ending.At + guard < farewell.At && ending.Ends(session))) continue;
                if (meant is null || session.Farewell is null) meant = session;
                if (session.ConnectedAt < farewell.At) break;
            }
            farewell.Meant = meant;
            if (meant is not null) meant.Farewell ??= farewell;
        }
    }

    /// <summary>MQTT allows one connection a client id: the first one that certainly came later ended this one, reported or not.</summary>
    private SessionEnd? Superseded(int index, TimeSpan tolerance)
    {
        var session = sessions[index];
        for (var i = index - 1; i >= 0; i--)
        {
            if (!sessions[i].Follows(session, tolerance) || session.AliveAt >= sessions[i].LatestStart + tolerance) continue;
            var at = sessions[i].ConnectedAt;
            return session.End is { By: EndedBy.Superseded } known && known.At == at ? known : new(at, DisconnectReason.Takeover, null, EndedBy.Superseded);
        }
        return null;
    }

    /// <summary>The end of a session that nobody reported: whatever ended it first.</summary>
    private SessionEnd? Unreported(int index, TimeSpan tolerance)
    {
        var (superseded, missed) = (Superseded(index, tolerance), Missed(sessions[index], tolerance));
        return superseded is null || missed?.At < superseded.At ? missed : superseded;
    }

    /// <summary>The broker did not know it when it was asked, or had another connection of the client that is not older for certain.</summary>
    private SessionEnd? Missed(Session session, TimeSpan tolerance)
    {
        var end = farewells.Find(farewell => farewell.Ends(session))?.End;
        foreach (var other in sessions)
            if (other != session && other.AliveAt is { } at && at >= session.LatestStart + tolerance && !(session.AliveAt >= at) && !(end?.At <= at))
                end = new SessionEnd(at, DisconnectReason.Other, null, EndedBy.Reconciled);
        if (end is null) return null;

        var alive = Latest(session.ConnectedAt, session.AliveAt, end.AliveUntil);
        return end with { AliveUntil = alive < end.At ? alive : end.At };
    }

    private static DateTimeOffset Latest(DateTimeOffset one, DateTimeOffset? other, DateTimeOffset? third)
    {
        if (other > one) one = other.Value;
        return third > one ? third.Value : one;
    }

    private void Began(Session session, Observation seen)
    {
        var details = session.Details;
        Starts++;
        Raise(new SessionStarted(
            Client, session.ConnectedAt, session.Node, details.Ip, details.Port, details.ProtocolVersion, details.CleanStart, seen.Cause));
    }

    private void Conclude(Subscription subscription, Observation seen)
    {
        subscription.Follow(sessions, edge, seen.Rules);
        var ended = subscription.EndsAt <= seen.ReceivedAt;
        if (ended && !subscription.EndIsTold && subscription.SubscribedAt is not null)
            Raise(new SubscriptionEnded(Client, subscription.EndsAt!.Value, subscription.Filter, subscription.EndedBy!.Value));
        subscription.EndIsTold = ended;
    }

    // ---- the set -----------------------------------------------------------------------------------------------------

    /// <summary>False if sessions that decide may be missing.</summary>
    public bool Sufficient(PresenceRules rules) => edge is null || Decisive(rules) < sessions.Count;

    /// <summary>False if whether the client is flapping may be decided by the starts of sessions that are missing. <see cref="Remember"/> takes them.</summary>
    public bool TellsFlapping(PresenceRules rules) => edge is null || (StartTimes() is var starts && Domain.Sessions.Presence.FlappingIsToldBy(starts, rules) <= starts.Count);

    /// <summary>Takes the starts of a set that was just read: of all sessions in the window, newest first.</summary>
    public void Remember(IEnumerable<DateTimeOffset> starts)
    {
        var known = StartTimes();
        missingStarts.AddRange(starts.Where(start => !known.Remove(start)));
    }

    /// <summary>True when a session of that name may exist that is missing.</summary>
    public bool Lacks(string node, DateTimeOffset connectedAt, string? peer) => Lacks(connectedAt) && !sessions.Exists(session => session.Is(node, connectedAt, peer));

    /// <summary>
    /// True when the report of a session may change what was concluded of others that are missing: it tells better of one that is known, or of one that is new when
    /// newer ones or its farewell came before.
    /// </summary>
    public bool IsLate(string node, DateTimeOffset connectedAt, string? peer) =>
        edge is not null && !sessions.Exists(session => session.IsKnownAs(node, connectedAt, peer))
        && (connectedAt <= sessions[0].ConnectedAt || sessions.Exists(session => session.Is(node, connectedAt, peer)) || farewells.Exists(farewell => farewell.Kind is FarewellKind.Disconnected && farewell.CanMean(new Session(node, connectedAt, peer))));

    /// <summary>True when the farewell may be that of a session that is missing.</summary>
    public bool Lacks(Farewell farewell) => Lacks(farewell.At) || (edge is not null && !sessions.Exists(farewell.CanMean));

    /// <summary>True when sessions are missing that had begun by then.</summary>
    public bool Lacks(DateTimeOffset at) => at <= edge;

    /// <summary>Adds a session that is missing, as it was saved, because a report names it or one beside it. Its end stands.</summary>
    /// <param name="newSuccessor">A session that nobody knew came after it: that it was superseded is concluded anew.</param>
    public void Recall(Session session, bool newSuccessor = false)
    {
        session.IsSettled = !newSuccessor || session.End is not { By: EndedBy.Superseded };
        session.EndIsTold = session.End is not null;
        missingStarts.Remove(session.ConnectedAt);
        Insert(session);
    }

    /// <summary>Lets go of what does not decide. To be called when all of it is saved.</summary>
    public void Trim(PresenceRules rules)
    {
        if (Decisive(rules) is var decisive && decisive < sessions.Count)
        {
            missingStarts.AddRange(sessions.Skip(decisive).Select(session => session.ConnectedAt));
            sessions.RemoveRange(decisive, sessions.Count - decisive);
            foreach (var farewell in farewells) farewell.IsOfMissing |= farewell.Meant is { } meant && !sessions.Contains(meant);
            edge = sessions[^1].ConnectedAt;
        }
        TrimStarts(rules);
        TrimFarewells();
    }

    private void TrimStarts(PresenceRules rules)
    {
        if (missingStarts.Count == 0) return;
        var starts = StartTimes();
        var needed = Math.Min(Window, Domain.Sessions.Presence.FlappingIsToldBy(starts, rules));
        if (needed <= starts.Count) missingStarts.RemoveAll(start => start < starts[needed - 1]);
    }

    /// <summary>Those of missing sessions have done their work.</summary>
    private void TrimFarewells()
    {
        if (edge is not null) farewells.RemoveAll(farewell => farewell.At < edge);
        if (farewells.Count > FarewellWindow) farewells.RemoveRange(0, farewells.Count - FarewellWindow);
    }

    /// <summary>How many of the newest sessions decide; no others may have to be judged anew by what is told of these. As many as there are, or more, if those don't tell.</summary>
    private int Decisive(PresenceRules rules)
    {
        var decisive = Math.Max(Usual, 1 + sessions.FindLastIndex(session => session.End is null || session.AliveAt >= sessions[0].ConnectedAt)); // clocks of nodes differ
        while (decisive < sessions.Count && sessions[decisive - 1].ConnectedAt - sessions[decisive].LatestStart <= rules.ClockTolerance) decisive++;
        return Math.Min(Window, decisive);
    }

    /// <summary>Newest first, of all sessions that are known here, if only by their start.</summary>
    private List<DateTimeOffset> StartTimes()
    {
        var starts = new List<DateTimeOffset>(sessions.Count + missingStarts.Count);
        foreach (var session in sessions) starts.Add(session.ConnectedAt);
        if (missingStarts.Count == 0) return starts;
        starts.AddRange(missingStarts);
        starts.Sort(static (one, other) => other.CompareTo(one));
        return starts;
    }

    /// <param name="isExact">The start is told to the millisecond.</param>
    /// <param name="learned">The session was known, but not as well as it is named now.</param>
    private Session Named(string node, DateTimeOffset connectedAt, string? peer, bool isExact, out bool learned)
    {
        var session = sessions.Find(known => !known.IsCoarse && known.Is(node, connectedAt, peer)) ?? sessions.Find(known => known.Is(node, connectedAt, peer));
        learned = session is not null && ((session.Peer is null && peer is not null) || (session.IsCoarse && isExact));
        if (session is not null && !learned) return session;

        if (session is null) session = new Session(node, connectedAt, peer);
        else sessions.Remove(session); // its place depends on what it learns now
        session.Learn(isExact ? connectedAt : null, peer);
        Insert(session);
        return session;
    }

    /// <summary>The session that began within a second: one that is still open, or ended only after the list was made; else a new one.</summary>
    private Session NamedBySecond(string node, DateTimeOffset second, string? peer, DateTimeOffset asOf, out bool learned)
    {
        var known = sessions.Find(known => known.IsOfSecond(node, second, peer) && !(known.Closed?.At < asOf))
            ?? sessions.Find(known => known.Is(node, second, peer)); // it has the name that a new one would get
        var session = Named(node, known?.ConnectedAt ?? second, peer, isExact: false, out learned);
        if (known is null) session.BeCoarse();
        return session;
    }

    private void Insert(Session session)
    {
        var older = sessions.FindIndex(other => Session.Compare(session, other) > 0);
        sessions.Insert(older < 0 ? sessions.Count : older, session);
    }

    private Subscription To(string filter)
    {
        if (subscriptions.TryGetValue(filter, out var known)) return known;
        return subscriptions[filter] = Subscription.To(MqttText.Checked(filter, "topic"));
    }

    /// <summary>Builds the set as it was saved; the conclusions are drawn again from the facts.</summary>
    /// <param name="sessions">The newest of the client.</param>
    /// <param name="isAll">There are no others.</param>
    public static SessionSet Restore(
        ClientId client, IEnumerable<Session> sessions, bool isAll, IEnumerable<Farewell> farewells, IEnumerable<Subscription> subscriptions, PresenceRules rules)
    {
        var set = new SessionSet(client);
        foreach (var session in sessions) set.Insert(session);
        set.edge = isAll ? null : set.sessions[^1].ConnectedAt;
        set.farewells.AddRange(farewells);
        set.farewells.Sort(Farewell.Compare);
        set.TrimFarewells();
        set.ConcludeEnds(rules);
        foreach (var farewell in set.farewells) farewell.IsOfMissing &= !isAll && farewell.Meant is null;
        foreach (var session in set.sessions) session.EndIsTold = session.End is not null;
        foreach (var subscription in subscriptions) set.subscriptions[subscription.Filter] = subscription;
        return set;
    }
}
