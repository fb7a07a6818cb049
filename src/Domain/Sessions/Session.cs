using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

/// <summary>What a CONNECT packet and its socket told about a connection. Null where the broker's version does not say.</summary>
public sealed record ConnectionDetails
{
    public string? Username { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }

    /// <summary>3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0; gateways send words.</summary>
    public string? ProtocolVersion { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }

    /// <summary>Seconds that the broker keeps the session after the connection; 4,294,967,295 = for ever; null where not said.</summary>
    public long? ExpirySeconds { get; init; }

    /// <summary>The rest of what the broker said of the connection, as a JSON object.</summary>
    public string? More { get; init; }

    /// <summary>True when the session's state ends together with its connection; null when the broker does not say.</summary>
    public bool? EndsWithConnection =>
        ExpirySeconds is 0 ? true
        : ExpirySeconds is > 0 ? false
        : CleanStart is true && ProtocolVersion is "3" or "4" ? true
        : null;
}

/// <summary>How the end of a session came to be known.</summary>
public enum EndedBy
{
    /// <summary>The broker reported it.</summary>
    Event,

    /// <summary>A newer connection of the same client id exists, and MQTT allows only one.</summary>
    Superseded,

    /// <summary>The broker's own client list does not hold it any more.</summary>
    Reconciled,

    /// <summary>Nothing was heard of it for so long (<see cref="PresenceRules.ExpireAfter"/>) that it is not believed any more.</summary>
    Expired,
}

/// <summary>The end of a connection. <paramref name="At"/> is broker time.</summary>
public sealed record SessionEnd(DateTimeOffset At, DisconnectReason Reason, string? RawReason, EndedBy By)
{
    /// <summary>Seconds for which the client's DISCONNECT asked to keep the session (`disconn_props.Session-Expiry-Interval`); overrides CONNECT.</summary>
    public long? ExpirySeconds { get; init; }

    /// <summary>
    /// Where the end itself was not seen (<see cref="EndedBy.Reconciled"/>, <see cref="EndedBy.Expired"/>): the last moment at which the connection is
    /// known to have been alive. What lies between it and <see cref="At"/> is neither up nor down. Null where <see cref="At"/> is exact.
    /// </summary>
    public DateTimeOffset? AliveUntil { get; init; }
}

/// <summary>A client's message counters at one moment; the difference of two is what a session carried.</summary>
public readonly record struct Traffic(long Published, long Delivered, long Dropped)
{
    public static Traffic operator -(Traffic later, Traffic earlier) =>
        new(later.Published - earlier.Published, later.Delivered - earlier.Delivered, later.Dropped - earlier.Dropped);
}

/// <summary>
/// One connection of a client id, named by (node, connected_at): EMQX gives the same millisecond in connected, its own disconnected, connack
/// and the REST API. It is a pair of facts, opened and closed, that may arrive in any order and any number of times.
/// </summary>
public sealed class Session
{
    private const long Forever = 4_294_967_295;

    internal Session(string node, DateTimeOffset connectedAt, string? peer) => (Node, ConnectedAt, Peer) = (node, connectedAt, peer);

    /// <summary>The broker node; empty where the version does not say (≤ 4.2.1).</summary>
    public string Node { get; }

    public DateTimeOffset ConnectedAt { get; private set; }

    /// <summary>True when the start is known to the second only (rounded down, 4.x REST API), until a report says it exactly.</summary>
    public bool IsCoarse { get; private set; }

    /// <summary>"ip:port" as in `peername`; null where the dialect has none. Two connections of one millisecond differ in it.</summary>
    public string? Peer { get; private set; }

    /// <summary>False while only the end has been reported.</summary>
    public bool Opened { get; private set; }

    /// <summary>True when `connected` carried no time and the time of arrival stands in.</summary>
    public bool TimeIsArrival { get; private set; }

    public ConnectionDetails Details { get; private set; } = new();

    /// <summary>The newest moment, by the broker's clock, at which its own client list had the connection. Kept only where it was news.</summary>
    public DateTimeOffset? ListedAt { get; private set; }

    /// <summary><see cref="ListedAt"/>, unless the session's own end says that the list was behind.</summary>
    internal DateTimeOffset? AliveAt => Closed?.At < ListedAt ? null : ListedAt;

    /// <summary>The end as reported with this session's own identity.</summary>
    public SessionEnd? Closed { get; private set; }

    /// <summary>The end as reported without identity, when it can only mean this session.</summary>
    internal Farewell? Farewell { get; set; }

    /// <summary>The end as concluded from all facts of the client: see <see cref="SessionSet"/>.</summary>
    public SessionEnd? End
    {
        get;
        internal set
        {
            if (field != value) Revision++;
            field = value;
        }
    }

    /// <summary>False when the end was matched by time alone, or in the very millisecond of the connect, and may belong to another connection.</summary>
    public bool EndIsExact => Closed is not null || (Farewell is { Peer: not null } && Farewell.At > ConnectedAt);

    /// <summary>The broker dropped what it kept for the session (4.x plugin `session_terminated`).</summary>
    public bool Terminated { get; internal set; }

    /// <summary>
    /// The end stands as it was saved, unless the session's own report says better: it is older than the window, and the facts that decided
    /// it are not at hand.
    /// </summary>
    internal bool IsSettled { get; set; }

    /// <summary>True once <see cref="SessionEnded"/> was raised.</summary>
    internal bool EndIsTold { get; set; }

    public Traffic TrafficAtStart { get; private set; }

    public Traffic? TrafficAtEnd
    {
        get;
        internal set
        {
            if (field != value) Revision++;
            field = value;
        }
    }

    /// <summary>Grows with every change of what <see cref="Restore"/> takes: who saved the session knows by it whether that is still how it is.</summary>
    public int Revision { get; private set; }

    internal bool Is(string node, DateTimeOffset connectedAt, string? peer) =>
        Node == node && IsPeer(peer) && (ConnectedAt == connectedAt || (IsCoarse && ConnectedAt == WholeSecond(connectedAt)));

    /// <summary>Whether it is that session, and a report that names it so does not name it better than those before.</summary>
    internal bool IsKnownAs(string node, DateTimeOffset connectedAt, string? peer) => !IsCoarse && (peer is null || Peer is not null) && Is(node, connectedAt, peer);

    /// <summary>Whether it may be the session that began within that second.</summary>
    internal bool IsOfSecond(string node, DateTimeOffset second, string? peer) => Node == node && IsPeer(peer) && WholeSecond(ConnectedAt) == second;

    private bool IsPeer(string? peer) => Peer is null || peer is null || Peer == peer;

    /// <summary>The latest moment at which it may have begun.</summary>
    internal DateTimeOffset LatestStart => IsCoarse ? ConnectedAt.AddMilliseconds(999) : ConnectedAt;

    /// <summary>Certainly later than the other: on one node by its clock, between nodes by more than their clocks may differ.</summary>
    internal bool Follows(Session other, TimeSpan tolerance) =>
        ConnectedAt - other.LatestStart > (Node == other.Node ? TimeSpan.Zero : tolerance);

    /// <summary>Perhaps later than the other: on one node in the same millisecond, between nodes as far as their clocks may differ.</summary>
    internal bool MayFollow(Session other, TimeSpan tolerance) => !other.Follows(this, tolerance) && this != other;

    internal bool Open(ConnectionDetails details, bool timeIsArrival, Traffic traffic)
    {
        if (Opened) return false;
        (Opened, Details, TimeIsArrival, TrafficAtStart) = (true, details, timeIsArrival, traffic);
        Revision++;
        if (TrafficAtEnd is not null) TrafficAtEnd = traffic; // the end came first: what it carried was not counted as its own
        return true;
    }

    /// <summary>The connection's own report says more of it than the broker's list did; false if it says nothing new.</summary>
    internal bool Enrich(ConnectionDetails details)
    {
        if (ListedAt is null || Details.More is not null || details.More is null) return false;
        Details = details;
        Revision++;
        return true;
    }

    /// <summary>The broker's list had it at that time; false if that is nothing new.</summary>
    internal bool Lived(DateTimeOffset asOf)
    {
        if (asOf < ConnectedAt) asOf = ConnectedAt;
        if (ListedAt >= asOf) return false;
        ListedAt = asOf;
        Revision++;
        return true;
    }

    /// <summary>A report names the session better than those before: by its peer, or by a start to the millisecond.</summary>
    internal void Learn(DateTimeOffset? connectedAt, string? peer)
    {
        Peer ??= peer;
        if (connectedAt is { } exactly) (ConnectedAt, IsCoarse) = (exactly, false);
        Revision++;
    }

    internal void BeCoarse()
    {
        IsCoarse = true;
        Revision++;
    }

    /// <summary>Of several reported ends the earliest stands: EMQX 5.3 repeats `disconnected` of a persistent session with a new time.</summary>
    internal bool Close(SessionEnd end)
    {
        if (Closed is { } known && (known.At < end.At || (known.At == end.At && string.CompareOrdinal(known.RawReason, end.RawReason) <= 0))) return false;
        Closed = end;
        Revision++;
        return true;
    }

    /// <summary>When the broker drops, or dropped, the session's state with its subscriptions; null while nothing tells.</summary>
    internal (DateTimeOffset At, SubscriptionEndedBy By)? StateGone()
    {
        if (End is not { } end) return null;
        if (Terminated || end.RawReason is "discarded" or "kicked") return (end.At, SubscriptionEndedBy.SessionEnd);

        return (end.ExpirySeconds ?? (Details.EndsWithConnection is true ? 0 : Details.ExpirySeconds)) switch
        {
            null or >= Forever => null,
            0 => (end.At, SubscriptionEndedBy.SessionEnd),
            { } seconds => (end.At.AddSeconds(seconds), SubscriptionEndedBy.Expired),
        };
    }

    private static DateTimeOffset WholeSecond(DateTimeOffset time) => time.AddTicks(-(time.Ticks % TimeSpan.TicksPerSecond));

    /// <summary>By time; node and peer order equal times, so that it never matters which was reported first.</summary>
    internal static int Compare(Session one, Session other)
    {
        var order = one.ConnectedAt.CompareTo(other.ConnectedAt);
        if (order == 0) order = string.CompareOrdinal(one.Node, other.Node);
        return order == 0 ? string.CompareOrdinal(one.Peer, other.Peer) : order;
    }

    /// <summary>Builds a session as it was saved.</summary>
    public static Session Restore(
        string node, DateTimeOffset connectedAt, string? peer, bool opened, bool timeIsArrival, ConnectionDetails details,
        SessionEnd? closed, SessionEnd? end, Traffic atStart, Traffic? atEnd, bool isCoarse, DateTimeOffset? listedAt) =>
        new(node, connectedAt, peer)
        {
            IsCoarse = isCoarse,
            ListedAt = listedAt,
            End = end,
            Opened = opened,
            TimeIsArrival = timeIsArrival,
            Details = details,
            Closed = closed,
            TrafficAtStart = atStart,
            TrafficAtEnd = atEnd,
        };
}
