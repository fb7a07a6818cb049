using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

public enum ConnectivityStatus
{
    Unknown,
    Online,
    Offline,
}

/// <summary>How sure the connectivity is.</summary>
public enum Confidence
{
    /// <summary>From an event that names its session, or from the broker's own list.</summary>
    Confirmed,

    /// <summary>From evidence that allows another reading: traffic without a connect, an end matched by time alone, a successor not seen yet.</summary>
    Inferred,

    /// <summary>Nothing was heard for longer than the keep alive allows.</summary>
    Stale,
}

/// <summary>What a client's sessions, taken together, say. <paramref name="Decisive"/> is the live session, or the last one.</summary>
/// <param name="GoneAt">The newest moment at which the client is known not to have been connected; null while a session is live.</param>
public sealed record Presence(
    ConnectivityStatus Status, Confidence Confidence, DateTimeOffset? Since, Session? Decisive,
    DateTimeOffset? LastOnlineAt, DateTimeOffset? LastOfflineAt, DisconnectReason? LastReason, string? LastRawReason,
    DateTimeOffset? FlappingUntil, DateTimeOffset? GoneAt, string Evidence)
{
    /// <param name="sessions">Newest first.</param>
    /// <param name="farewells">Oldest first.</param>
    /// <param name="starts">Of these and older sessions, newest first.</param>
    internal static Presence Of(List<Session> sessions, List<Farewell> farewells, List<DateTimeOffset> starts, PresenceRules rules)
    {
        var live = sessions.Find(session => session.End is null);
        var last = live ?? LastOf(sessions, rules.ClockTolerance);
        var end = live is null ? last?.End : null;
        var stray = live is null ? farewells.FindLast(farewell => farewell is { Matched: false, Kind: FarewellKind.Disconnected }) : null;
        var fromStray = stray is not null && !(stray.At <= end?.At);
        if (fromStray) end = stray!.End;
        var absence = live is null ? farewells.FindLast(farewell => farewell.EndsAll && !(farewell.At < end?.At)) : null;
        // A takeover's unknown successor is gone too, and of a client given up the broker knows more.
        if (end is null or { Reason: DisconnectReason.Takeover } or { By: EndedBy.Expired }) end = absence?.End ?? end;

        var (status, sure) = (live, end) switch
        {
            ({ }, _) => (ConnectivityStatus.Online, !IsDoubtful(live, sessions, farewells, rules.ClockTolerance)),
            (_, null or { By: EndedBy.Expired }) => (ConnectivityStatus.Unknown, false),
            // A takeover alone never means offline: the successor's connected may be milliseconds behind.
            (_, { Reason: DisconnectReason.Takeover }) => (ConnectivityStatus.Online, false),
            _ when absence is { Kind: FarewellKind.Absent } => (ConnectivityStatus.Offline, true),
            // The newest may not be the last: then that it is over must be as sure.
            _ => (ConnectivityStatus.Offline,
                !fromStray && last!.EndIsExact && sessions[0].End!.Reason is not DisconnectReason.Takeover
                && (sessions[0].EndIsExact || sessions[0].End!.By is EndedBy.Reconciled)),
        };
        var left = status is ConnectivityStatus.Offline ? end : sessions.Find(session => session.End is { Reason: not DisconnectReason.Takeover })?.End;
        var evidence = (status, end) switch
        {
            (ConnectivityStatus.Unknown, _) => "none",
            (ConnectivityStatus.Online, null) => live!.AliveAt is null ? "session" : "broker-list",
            (ConnectivityStatus.Online, _) => "takeover",
            (_, { By: EndedBy.Reconciled }) => "broker-list",
            _ => "session-end",
        };
        return new(
            status, sure ? Confidence.Confirmed : Confidence.Inferred, live?.ConnectedAt ?? end?.At, last,
            sessions.Find(session => session.Opened)?.ConnectedAt, left?.At, left?.Reason, left?.RawReason, FlappingEnd(starts, rules),
            absence?.At > end?.At ? absence?.At : end?.At, evidence);
    }

    /// <summary>
    /// The newest session; of several that may be the newest the one that left last. One that was taken over is the last only if none left after.
    /// </summary>
    private static Session? LastOf(List<Session> sessions, TimeSpan tolerance)
    {
        if (sessions is not [{ End: { } firstEnd } last, ..]) return null;

        foreach (var other in sessions)
        {
            if (!other.MayFollow(sessions[0], tolerance) || other.End is not { Reason: not DisconnectReason.Takeover } end) continue;
            if (last.End!.Reason is DisconnectReason.Takeover ? end.At + tolerance >= firstEnd.At : end.At > last.End.At) last = other;
        }
        return last;
    }

    /// <summary>
    /// Whether a live session may be over for all we know: if nothing could name its end (no node, no time), if another one is live or may have
    /// been newer and left, or if there is a farewell that may be its own, or that of an unknown newer session. The broker's list ends all doubt of before.
    /// </summary>
    private static bool IsDoubtful(Session live, List<Session> sessions, List<Farewell> farewells, TimeSpan tolerance) =>
        (live.AliveAt is null && (live.TimeIsArrival || live.Node.Length == 0))
        || sessions.Exists(other => other != live && (other.End is not { } end
            || (other.MayFollow(live, tolerance) && end.Reason is not DisconnectReason.Takeover && !(live.AliveAt >= end.At))))
        || farewells.Exists(farewell =>
            farewell.Kind is FarewellKind.Disconnected && farewell.At >= live.ConnectedAt && !(live.AliveAt >= farewell.At)
            && (farewell.Reason is DisconnectReason.Takeover
                ? farewell.Peer is not null && farewell.CanMean(live) // two that take one another over have two peers
                : !farewell.Matched || farewell.CanMean(live)));

    /// <summary>
    /// Flapping begins with so many starts within the window and ends when the window holds only few, so that it does not itself flap. Told
    /// from the starts alone, oldest first.
    /// </summary>
    private static DateTimeOffset? FlappingEnd(List<DateTimeOffset> starts, PresenceRules rules)
    {
        if (starts.Count < rules.FlappingStarts) return null;
        DateTimeOffset? until = null;
        for (var i = starts.Count - 1; i >= 0; i--)
        {
            if (FlappingBegins(starts, i, rules) || until > starts[i]) until = starts[i + rules.FlappingCalm - 1] + rules.FlappingWindow;
            else until = null;
        }
        return until;
    }

    private static bool FlappingBegins(List<DateTimeOffset> starts, int index, PresenceRules rules) =>
        index + rules.FlappingStarts - 1 is var first && first < starts.Count && starts[index] - starts[first] <= rules.FlappingWindow;

    /// <summary>
    /// How many of the newest starts tell whether the client is flapping: up to one with which that began, or before which it had ended, whatever was
    /// before. More than there are if none of them was one.
    /// </summary>
    internal static int FlappingIsToldBy(List<DateTimeOffset> starts, PresenceRules rules)
    {
        for (var i = 0; i + rules.FlappingCalm < starts.Count; i++)
        {
            if (FlappingBegins(starts, i, rules)) return i + rules.FlappingStarts;
            if (starts[i] - starts[i + rules.FlappingCalm] > rules.FlappingWindow) return i + rules.FlappingCalm + 1;
        }
        return starts.Count + 1;
    }
}

/// <summary>The tolerances and the patience of the presence rules.</summary>
public sealed record PresenceRules
{
    public static readonly PresenceRules Default = new();

    /// <summary>How far the clocks of two broker nodes may differ; 200 ms to 2 s is usual.</summary>
    public TimeSpan ClockTolerance { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long after its end a session's late messages (a will, a delayed socket close) are no evidence of life.</summary>
    public TimeSpan EvidenceGuard { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>This many session starts within <see cref="FlappingWindow"/> are flapping.</summary>
    public int FlappingStarts { get; init; } = 6;

    /// <summary>Flapping is over when fewer starts than this lie within <see cref="FlappingWindow"/>; at most <see cref="FlappingStarts"/>.</summary>
    public int FlappingCalm { get; init; } = 3;
    public TimeSpan FlappingWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Offline for that long without return is what alarms want to know.</summary>
    public TimeSpan OfflineHold { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the successor of a connection that was taken over may stay unheard of.</summary>
    public TimeSpan TakeoverHold { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After which time the broker is asked for a device whose state is inferred.</summary>
    public TimeSpan VerifyAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Online is stale when there was no evidence for 1.5 × keep alive, and at least for that long: an idle client reports nothing.</summary>
    public TimeSpan StaleAfter { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a stale state is still believed; null = for ever.</summary>
    public TimeSpan? ExpireAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>A message is expected at least this often from devices without an expectation of their own; null = nothing is expected.</summary>
    public TimeSpan? MessageInterval { get; init; }
}

/// <summary>What made us conclude something.</summary>
public enum Cause
{
    /// <summary>A report of the broker.</summary>
    Event,

    /// <summary>The broker's own client list, which was asked.</summary>
    Reconciliation,

    /// <summary>Time that passed.</summary>
    Deadline,
}

/// <summary>The moment a fact reached us: by our clock, with the client's traffic so far, under the rules in force.</summary>
public readonly record struct Observation(DateTimeOffset ReceivedAt, PresenceRules Rules, Traffic Traffic = default, Cause Cause = Cause.Event);
