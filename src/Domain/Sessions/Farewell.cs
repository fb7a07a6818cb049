using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

public enum FarewellKind
{
    /// <summary>The connection ended.</summary>
    Disconnected,

    /// <summary>The broker dropped the session's state (4.x plugin `session_terminated`); carries neither time nor identity.</summary>
    Terminated,

    /// <summary>The broker itself, asked for the client, knew no connection of it.</summary>
    Absent,

    /// <summary>Nothing was heard of the client for so long that nothing can be said of it any more.</summary>
    GivenUp,
}

/// <summary>
/// A reported end that does not name its session by connected_at: rule events before EMQX 5.8.6 (peername), the 4.x plugin 4.2.2 – 4.3.11
/// (node and time), ≤ 4.2.1 (arrival). Which session it ended is decided anew whenever the client's facts change. An absence and a giving up
/// are farewells too: they name no session because they end every one that was open.
/// </summary>
public sealed class Farewell(string? node, string? peer, DateTimeOffset at, DisconnectReason reason, string? rawReason, FarewellKind kind)
{
    private SessionEnd? end;

    public string? Node { get; } = node;
    public string? Peer { get; } = peer;
    public DateTimeOffset At { get; } = at;
    public DisconnectReason Reason { get; } = reason;
    public string? RawReason { get; } = rawReason;
    public FarewellKind Kind { get; } = kind;

    /// <summary>As in <see cref="SessionEnd.ExpirySeconds"/>.</summary>
    public long? ExpirySeconds { get; init; }

    /// <summary>As in <see cref="SessionEnd.AliveUntil"/>.</summary>
    public DateTimeOffset? AliveUntil { get; init; }

    /// <summary>True when a known session ended by it; otherwise it is all that is known of its session.</summary>
    public bool Matched => Meant is not null || IsOfMissing;

    /// <summary>The session at hand that ended by it.</summary>
    internal Session? Meant { get; set; }

    /// <summary>The session that ended by it is not at hand.</summary>
    internal bool IsOfMissing { get; set; }

    /// <summary>The end that it means for its session.</summary>
    internal SessionEnd End => end ??= new(At, Reason, RawReason, By) { ExpirySeconds = ExpirySeconds, AliveUntil = AliveUntil };

    private EndedBy By => Kind switch
    {
        FarewellKind.Absent => EndedBy.Reconciled,
        FarewellKind.GivenUp => EndedBy.Expired,
        _ => EndedBy.Event,
    };

    /// <summary>Whether it ends whatever was open at its time.</summary>
    internal bool EndsAll => Kind is FarewellKind.Absent or FarewellKind.GivenUp;

    /// <summary>Whether it may speak of that session: same node, same peer where it says one, opened at or before it and not seen alive since.</summary>
    internal bool CanMean(Session session) =>
        session.ConnectedAt <= At && !(session.AliveAt >= At) && Knows(session.Node) && (Peer is null || Peer == session.Peer);

    /// <summary>Whether an absence or a giving up speaks of that session: opened before it and not seen alive since.</summary>
    internal bool Ends(Session session) => EndsAll && session.LatestStart <= At && !(session.AliveAt > At);

    internal bool Knows(string node) => Node is null || Node == node;

    /// <summary>Oldest first; 0 for the same report. What else differs orders equal times, so that it never matters which came first.</summary>
    internal static int Compare(Farewell one, Farewell other)
    {
        var order = one.At.CompareTo(other.At);
        if (order == 0) order = one.Kind.CompareTo(other.Kind);
        if (order == 0) order = string.CompareOrdinal(one.Node, other.Node);
        if (order == 0) order = string.CompareOrdinal(one.Peer, other.Peer);
        return order == 0 ? string.CompareOrdinal(one.RawReason, other.RawReason) : order;
    }

    /// <summary>Builds a farewell as it was saved.</summary>
    public static Farewell Restore(
        string? node, string? peer, DateTimeOffset at, DisconnectReason reason, string? raw, FarewellKind kind, bool matched, long? expirySeconds,
        DateTimeOffset? aliveUntil) =>
        new(node, peer, at, reason, raw, kind) { IsOfMissing = matched, ExpirySeconds = expirySeconds, AliveUntil = aliveUntil };
}
