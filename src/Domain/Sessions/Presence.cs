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
    /// <summary>From an event that names its session.</summary>
    Confirmed,

    /// <summary>From evidence that allows another reading: traffic without a connect, an end matched by time alone, a successor not seen yet.</summary>
    Inferred,

    /// <summary>Nothing was heard for longer than the keep alive allows.</summary>
    Stale,
}

/// <summary>What a client's sessions, taken together, say. <paramref name="Decisive"/> is the live session, or the last one.</summary>
public sealed record Presence(
    ConnectivityStatus Status, Confidence Confidence, DateTimeOffset? Since, Session? Decisive,
    DateTimeOffset? LastOnlineAt, DateTimeOffset? LastOfflineAt, DisconnectReason? LastReason, string? LastRawReason,
    DateTimeOffset? FlappingUntil)
{
    /// <param name="sessions">Newest first.</param>
    /// <param name="farewells">Oldest first.</param>
    internal static Presence Of(List<Session> sessions, List<Farewell> farewells, PresenceRules rules)
    {
        var live = sessions.Find(session => session.End is null);
        var last = live ?? LastOf(sessions, rules.ClockTolerance);
        var end = live is null ? last?.End : null;
        var stray = farewells.FindLast(farewell => farewell is { Matched: false, Kind: FarewellKind.Disconnected });
        var fromStray = live is null && stray is not null && !(stray.At <= end?.At);
        if (fromStray) end = stray!.End;

        var (status, sure) = (live, end) switch
        {
            ({ }, _) => (ConnectivityStatus.Online, !IsDoubtful(live, sessions, farewells)),
            (_, null) => (ConnectivityStatus.Unknown, false),
            // A takeover alone never means offline: the successor's connected may be milliseconds behind.
            (_, { Reason: DisconnectReason.Takeover }) => (ConnectivityStatus.Online, false),
            _ => (ConnectivityStatus.Offline, !fromStray && last!.EndIsExact && sessions[0].End!.Reason is not DisconnectReason.Takeover),
        };
        var left = status is ConnectivityStatus.Offline ? end : sessions.Find(session => session.End is { Reason: not DisconnectReason.Takeover })?.End;
        return new(
            status, sure ? Confidence.Confirmed : Confidence.Inferred, live?.ConnectedAt ?? end?.At, last,
            sessions.Find(session => session.Opened)?.ConnectedAt, left?.At, left?.Reason, left?.RawReason, FlappingEnd(sessions, rules));
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
    /// Whether a live session may be over for all we know: if nothing could name its end (no node, no time), if another one is live or was
    /// newer and left, or if there is a farewell that may be its own, or that of an unknown newer session.
    /// </summary>
    private static bool IsDoubtful(Session live, List<Session> sessions, List<Farewell> farewells) =>
        live.TimeIsArrival
        || live.Node.Length == 0
        || sessions.Exists(other => other != live && (other.End is null || (Session.Compare(other, live) > 0 && other.End.Reason is not DisconnectReason.Takeover)))
        || farewells.Exists(farewell =>
            farewell.Kind is FarewellKind.Disconnected && farewell.Reason is not DisconnectReason.Takeover
            && farewell.At >= live.ConnectedAt && (!farewell.Matched || farewell.CanMean(live)));

    private static DateTimeOffset? FlappingEnd(List<Session> sessions, PresenceRules rules)
    {
        if (sessions.Count < rules.FlappingStarts) return null;
        var first = sessions[rules.FlappingStarts - 1].ConnectedAt;
        return sessions[0].ConnectedAt - first <= rules.FlappingWindow ? first + rules.FlappingWindow : null;
    }
}

/// <summary>The tolerances of the presence rules.</summary>
/// <param name="ClockTolerance">How far the clocks of two broker nodes may differ; 200 ms to 2 s is usual.</param>
/// <param name="EvidenceGuard">How long after its end a session's late messages (a will, a delayed socket close) are no evidence of life.</param>
/// <param name="FlappingStarts">This many session starts within <paramref name="FlappingWindow"/> are flapping.</param>
/// <param name="FlappingWindow">See <paramref name="FlappingStarts"/>; flapping ends when the window has moved on.</param>
public sealed record PresenceRules(TimeSpan ClockTolerance, TimeSpan EvidenceGuard, int FlappingStarts, TimeSpan FlappingWindow)
{
    public static readonly PresenceRules Default = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), 6, TimeSpan.FromMinutes(10));
}

/// <summary>The moment a report reached us: by our clock, with the client's traffic so far, under the rules in force.</summary>
public readonly record struct Observation(DateTimeOffset ReceivedAt, PresenceRules Rules, Traffic Traffic = default);
