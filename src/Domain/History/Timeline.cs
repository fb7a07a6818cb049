using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.History;

/// <summary>A time in which nothing is known to have changed.</summary>
/// <param name="From"><see cref="DateTimeOffset.MinValue"/>: since ever.</param>
/// <param name="Reason">Of offline: why it left.</param>
/// <param name="Session">The <see cref="LedgerSession.Number"/> of the newest session started by then; null before the first.</param>
public readonly record struct Stretch(
    DateTimeOffset From, DateTimeOffset To, ConnectivityStatus Status, DisconnectReason? Reason, Confidence Confidence, string Evidence, long? Session);

/// <summary>
/// What a device was at each moment until now, drawn from its ledger as it is known now: what was learnt later counts for the time it tells of.
/// <list type="number">
/// <item>The newest session started by then decides. Its span ends at its end or at the next session's start, whichever is earlier. Of sessions
/// that began in one millisecond the one that lasted longest is the newest.</item>
/// <item>In its span the device is online; where nobody saw the end, only until it was last known to live, and unknown from there on. If the
/// device is stale now, its live session counts until the last evidence.</item>
/// <item>After an end it is offline until the next session's start, with the reason of the end. Not so after a takeover: some other connection took
/// its place, and nothing is known of the device until one is; nor after a session that was only given up.</item>
/// <item>Before the first session it is unknown.</item>
/// <item>An end of a session that nobody saw begin, while none is known: unknown from the last known end to it, then as after any end.</item>
/// <item>What the device is now without a session (a sign of life, the broker's client list) holds from when it began, if that is after the last
/// known end.</item>
/// </list>
/// Facts that lie ahead, because the broker's clock does, are left out until their time has come.
/// </summary>
public static class Timeline
{
    /// <summary>Gapless stretches from the beginning of time to now, oldest first. A session always begins a new one.</summary>
    public static IReadOnlyList<Stretch> Of(DeviceLedger ledger, DateTimeOffset now)
    {
        var drawing = new Drawing(ledger, now);
        var sessions = InOrder(ledger.Sessions);
        for (var i = 0; i < sessions.Count && sessions[i].Start <= now; i++)
        {
            drawing.Absent(sessions[i].Start);
            drawing.Connected(sessions[i], i + 1 < sessions.Count && sessions[i + 1].Start <= now ? sessions[i + 1].Start : null);
        }
        drawing.AsItIsNow();
        return drawing.Stretches;
    }

    private static IReadOnlyList<LedgerSession> InOrder(IReadOnlyList<LedgerSession> sessions) => sessions.Count < 2 ? sessions :
    [
        .. sessions
            .OrderBy(session => session.Start)
            .ThenBy(session => session.End ?? DateTimeOffset.MaxValue)
            .ThenBy(session => session.Reason is not DisconnectReason.Takeover)
            .ThenBy(session => !session.IsExpired),
    ];

    /// <summary>What holds while nobody says otherwise.</summary>
    private readonly record struct Standing(ConnectivityStatus Status, Confidence Confidence, string Evidence, DisconnectReason? Reason = null)
    {
        public static readonly Standing Nothing = new(ConnectivityStatus.Unknown, Confidence.Inferred, "none");

        public static Standing After(DisconnectReason reason, bool seen) => reason is DisconnectReason.Takeover
            ? new(ConnectivityStatus.Unknown, Confidence.Inferred, "takeover")
            : new(ConnectivityStatus.Offline, seen ? Confidence.Confirmed : Confidence.Inferred, "session-end", reason);
    }

    private sealed class Drawing(DeviceLedger ledger, DateTimeOffset now)
    {
        private DateTimeOffset reached = DateTimeOffset.MinValue;
        private Standing standing = Standing.Nothing;
        private int nextFarewell;
        private long? session;

        public List<Stretch> Stretches { get; } = new(ledger.Sessions.Count + 2);

        /// <summary>Goes on without a connection until that time.</summary>
        public void Absent(DateTimeOffset until)
        {
            Part(until);
            Draw(until, standing);
        }

        public void Connected(LedgerSession one, DateTimeOffset? next)
        {
            session = one.Number;
            var end = one.End ?? next ?? now;
            if (next < end) end = next.Value;
            if (end < one.Start) end = one.Start;
            var isStale = one.End is null && next is null && ledger.Present.Confidence is Confidence.Stale;
            var alive = one.AliveUntil ?? (isStale ? ledger.Present.LastSeenAt : null) ?? end;

            Draw(alive < end ? alive : end, new(ConnectivityStatus.Online, Confidence.Confirmed, "session"));
            Draw(end, new(ConnectivityStatus.Unknown, isStale ? Confidence.Stale : Confidence.Inferred, "session"));
            if (one is { End: not null, Reason: { } reason }) standing = one.IsExpired ? Standing.Nothing : Standing.After(reason, seen: one.AliveUntil is null);
        }

        public void AsItIsNow()
        {
            Part(now);
            var (present, isStale) = (ledger.Present, ledger.Present.Confidence is Confidence.Stale);
            var isNews = present.Status is not ConnectivityStatus.Unknown && present.Status != standing.Status && present.Evidence is not ("none" or "takeover");
            if (isNews && present.Since is { } since && since > reached)
            {
                Draw(since, standing);
                if (present.Status is ConnectivityStatus.Online)
                {
                    var online = new Standing(ConnectivityStatus.Online, Confidence.Inferred, present.Evidence);
                    if (isStale) Draw(present.LastSeenAt ?? since, online);
                    standing = isStale ? new(ConnectivityStatus.Unknown, Confidence.Stale, present.Evidence) : online;
                }
                else
                {
                    standing = Standing.After(present.LastReason ?? DisconnectReason.Other, seen: false) with { Evidence = present.Evidence };
                }
            }
            Draw(now, standing);
        }

        /// <summary>The ends of unknown sessions up to that time, as far as no known session covers them.</summary>
        private void Part(DateTimeOffset until)
        {
            for (; nextFarewell < ledger.Farewells.Count && ledger.Farewells[nextFarewell] is var farewell && farewell.At <= until; nextFarewell++)
            {
                if (farewell.At <= reached) continue;
                Draw(farewell.At, Standing.Nothing);
                standing = Standing.After(farewell.Reason, seen: false);
            }
        }

        private void Draw(DateTimeOffset until, Standing what)
        {
            if (until > now) until = now;
            if (until <= reached) return;
            Stretches.Add(new(reached, until, what.Status, what.Reason, what.Confidence, what.Evidence, session));
            reached = until;
        }
    }
}
