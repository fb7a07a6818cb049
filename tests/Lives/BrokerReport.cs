using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Lives;

internal enum ReportKind
{
    Start,
    End,
    Subscription,
    Unsubscription,
    State,
}

/// <summary>What a broker says of a client, once.</summary>
/// <param name="Of">The connection it is about.</param>
/// <param name="SentAt">When it is made, by the true clock.</param>
/// <param name="SaysAt">When that happened, as it says; null where it says no time.</param>
internal sealed record BrokerReport(ReportKind Kind, Connection Of, DateTimeOffset SentAt, DateTimeOffset? SaysAt, Func<SessionSet, DateTimeOffset, Observation, Outcome> Fact)
{
    /// <summary>When it reaches us. Part of the fact where it says no time.</summary>
    public DateTimeOffset ArrivesAt { get; init; } = SentAt;

    /// <summary>Of a subscription.</summary>
    public string? Filter { get; private init; }
    public int Qos { get; private init; }

    public DateTimeOffset Timestamp => SaysAt ?? ArrivesAt;

    public Outcome Tell(SessionSet set, Observation seen) => Fact(set, Timestamp, seen);

    public static BrokerReport OfStart(Life life, Connection one)
    {
        var (node, peer) = (NodeIn(life.Dialect, one), PeerIn(life.Dialect, one));
        var saysTime = life.Dialect is not Dialect.Arrival;
        return new(
            ReportKind.Start, one, Life.Time(one.Start), saysTime ? one.ConnectedAt : null,
            (set, at, seen) => set.Connected(node ?? "", at, peer, Details(one), timeIsArrival: !saysTime, seen));
    }

    public static BrokerReport OfEnd(Life life, Connection one)
    {
        var (node, peer, reason) = (NodeIn(life.Dialect, one), PeerIn(life.Dialect, one), DisconnectReasons.Of(one.Reason));
        return new(
            ReportKind.End, one, Life.Time(one.SocketEnd), life.Dialect is Dialect.Arrival ? null : one.DisconnectedAt,
            life.Dialect is Dialect.ConnectedAt
                ? (set, at, seen) => set.Disconnected(node!, one.ConnectedAt, peer, new(at, reason, one.Reason, EndedBy.Event), seen)
                : (set, at, seen) => set.Parted(new(node, peer, at, reason, one.Reason, FarewellKind.Disconnected), seen));
    }

    public static BrokerReport OfSubscription(Connection one, long at, string filter, int qos) => new(
        ReportKind.Subscription, one, Life.Time(at), Life.Time(at + one.Skew),
        (set, time, seen) => set.Subscribed(filter, time, new(qos, null, null, null), seen))
    {
        Filter = filter,
        Qos = qos,
    };

    public static BrokerReport OfUnsubscription(Connection one, long at, string filter) => new(
        ReportKind.Unsubscription, one, Life.Time(at), Life.Time(at + one.Skew), (set, time, seen) => set.Unsubscribed(filter, time, seen))
    {
        Filter = filter,
    };

    /// <summary>What the broker's API says of a client whose last connection this is.</summary>
    public static BrokerReport OfState(Connection last, DateTimeOffset asOf, bool isCoarse) => new(
        ReportKind.State, last, asOf, asOf,
        last.End is not null
            ? (set, at, seen) => set.Absent(at, null, seen)
            : (set, at, seen) => set.Listed(last.Node, isCoarse ? WholeSecond(last.ConnectedAt) : last.ConnectedAt, isCoarse, last.Peer, Details(last), at, seen));

    public static ConnectionDetails Details(Connection one) => new() { CleanStart = one.Step.Clean, ExpirySeconds = one.Step.Expiry, ProtocolVersion = "5" };

    private static string? NodeIn(Dialect dialect, Connection one) => dialect is Dialect.Arrival ? null : one.Node;

    public static string? PeerIn(Dialect dialect, Connection one) => dialect is Dialect.ConnectedAt or Dialect.Peername ? one.Peer : null;

    private static DateTimeOffset WholeSecond(DateTimeOffset time) => time.AddTicks(-(time.Ticks % TimeSpan.TicksPerSecond));
}
