using WebhookService.Domain.Brokers;

namespace WebhookService.Lives;

/// <summary>One connection as it is drawn; spans are milliseconds.</summary>
/// <param name="Pause">Until the next one; not used after a takeover.</param>
/// <param name="TakenOver">The next connection is made while this one is open; without a next one it stays open.</param>
/// <param name="Late">
/// After a takeover: by how much its end is reported too late (EMQX 5.9 – 6.1), or, from a second on, how long the broker keeps its dead socket.
/// </param>
internal sealed record Step(
    int Node, int Port, int Stays, int Pause, bool TakenOver, int Late, bool Clean, long Expiry, string Reason, int? SubscribesAfter, int? UnsubscribesAfter, int Filter);

/// <summary>A connection in truth; times are milliseconds of one true clock, <paramref name="Skew"/> makes them those of its node.</summary>
/// <param name="End">Null while it lasts.</param>
/// <param name="Reason">What the broker reports of its end; null where it reports none.</param>
internal sealed record Connection(string Node, string Peer, long Start, long? End, bool IsTakenOver, string? Reason, int Skew, int Late, Step Step)
{
    public DateTimeOffset ConnectedAt => Life.Time(Start + Skew);
    public DateTimeOffset DisconnectedAt => Life.Time(SocketEnd + Skew);

    /// <summary>When its socket is free again.</summary>
    public long SocketEnd => End is { } end ? end + Late : long.MaxValue / 2;

    /// <summary>Its client was gone, or back, long before the broker noticed.</summary>
    public bool IsHalfOpen => Late >= 1000;
}

/// <summary>What happened to one client in truth, and the reports that a broker makes of it.</summary>
/// <param name="TellsTakeovers">Whether ends by takeover are reported, in dialects that can (rule events since 5.0.10).</param>
/// <param name="Seed">For what is drawn later: orders, repetitions, losses.</param>
internal sealed record Life(Dialect Dialect, bool TellsTakeovers, IReadOnlyList<Step> Steps, int SkewOfSecondNode, int SkewOfThirdNode, int Seed)
{
    public const int MostSteps = 12;
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly string[] Nodes = ["n1", "n2", "n3"];
    private static readonly string[] Filters = ["a", "b"];

    public static DateTimeOffset Time(long ms) => Noon.AddMilliseconds(ms);

    public static Life Drawn(Dialect dialect, Random random)
    {
        var steps = new Step[random.Next(1, MostSteps + 1)];
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = new(
                random.Next(7) switch { < 4 => 0, < 6 => 1, _ => 2 }, random.Next(1, 4), Span(), Span(), random.Next(2) == 0,
                Of([0, 0, 0, 15, 40_000]), random.Next(2) == 0, Of([0L, 2, 60, 7200, 4_294_967_295]),
                Of(["normal", "tcp_closed", "keepalive_timeout", "kicked"]), Of<int?>([null, 0, 1, 40]), Of<int?>([null, null, 1, 60]), random.Next(2));
        }
        var isSkewed = random.Next(2) == 0;
        return new(dialect, random.Next(3) > 0, steps, isSkewed ? random.Next(-450, 451) : 0, isSkewed ? random.Next(-450, 451) : 0, random.Next());

        int Span() => random.Next(4) switch { 0 => random.Next(3), 1 => random.Next(51), 2 => random.Next(100, 3_001), _ => random.Next(10_000, 100_001) };
        T Of<T>(ReadOnlySpan<T> values) => values[random.Next(values.Length)];
    }

    public bool HasSkew => SkewOfSecondNode != 0 || SkewOfThirdNode != 0;

    private bool SaysPeer => Dialect is Dialect.ConnectedAt or Dialect.Peername;

    public IReadOnlyList<Connection> Connections()
    {
        var all = new List<Connection>();
        var start = 0L;
        for (var i = 0; i < Steps.Count; i++)
        {
            var (step, isLast) = (Steps[i], i == Steps.Count - 1);
            if (!SaysPeer && all.Count > 0 && start == all[^1].Start) start++; // without peers they would be one
            if (all.Count > 1 && start == all[^2].Start) start++;              // not three in one millisecond
            var (node, port) = (Nodes[step.Node], step.Port);
            while (all.Exists(other => other.Node == node && other.Peer == Peer(port) && IsStillOpen(other))) port++;
            var end = isLast && step.TakenOver ? (long?)null : start + step.Stays;
            var isTakenOver = step.TakenOver && !isLast;
            var isHalfOpen = isTakenOver && step.Late >= 1000;
            var tells = TellsTakeovers && SaysPeer;
            all.Add(new(
                node, Peer(port), start, end, isTakenOver,
                end is null ? null
                    : isHalfOpen ? "keepalive_timeout"
                    : !isTakenOver ? step.Reason
                    : !tells ? null
                    : Steps[i + 1].Clean ? "discarded" : "takenover",
                step.Node switch { 1 => SkewOfSecondNode, 2 => SkewOfThirdNode, _ => 0 },
                isHalfOpen || (isTakenOver && tells && Dialect is Dialect.ConnectedAt) ? step.Late : 0,
                step));
            start = (end ?? start) + (isTakenOver ? 0 : step.Pause);
        }
        return all;

        static string Peer(int port) => $"10.0.0.1:{port}";
        bool IsStillOpen(Connection other) => other.SocketEnd > start || (other.SocketEnd == start && other.IsTakenOver) || other.Start == start;
    }

    /// <summary>The reports of this life, in the order in which the broker makes them.</summary>
    public IReadOnlyList<BrokerReport> Reports()
    {
        var reports = new List<BrokerReport>();
        foreach (var (connection, i) in Connections().Select((connection, i) => (connection, i)))
        {
            reports.Add(BrokerReport.OfStart(this, connection));
            if (SubscribedAt(connection) is { } subscribed) reports.Add(BrokerReport.OfSubscription(connection, subscribed, Filters[connection.Step.Filter], qos: i % 3));
            if (UnsubscribedAt(connection) is { } unsubscribed) reports.Add(BrokerReport.OfUnsubscription(connection, unsubscribed, Filters[connection.Step.Filter]));
            if (connection.Reason is not null) reports.Add(BrokerReport.OfEnd(this, connection));
        }
        return [.. reports.OrderBy(report => report.SentAt)];
    }

    /// <summary>What the broker answers when it is asked for the client after all that: its last connection, or that it has none.</summary>
    /// <param name="isCoarse">It says times to the second only.</param>
    public BrokerReport Reconciliation(DateTimeOffset asOf, bool isCoarse) => BrokerReport.OfState(Connections()[^1], asOf, isCoarse);

    /// <summary>The filters subscribed in the end, at that time, as the broker would list them.</summary>
    public IReadOnlyList<string> TrueSubscriptions(DateTimeOffset now)
    {
        var filters = new SortedSet<string>();
        var connections = Connections();
        for (var i = 0; i < connections.Count; i++)
        {
            var connection = connections[i];
            if (connection.Step.Clean) filters.Clear();
            var (made, cancelled) = (SubscribedAt(connection), UnsubscribedAt(connection));
            if (cancelled is not null) filters.Remove(Filters[connection.Step.Filter]);
            if (made is not null && !(cancelled >= made)) filters.Add(Filters[connection.Step.Filter]);
            if (connection.End is not { } end) continue;

            var until = i + 1 < connections.Count ? connections[i + 1].Start : (long)(now - Noon).TotalMilliseconds;
            var expired = connection.Step.Expiry < 4_294_967_295 && end + connection.Step.Expiry * 1000 <= until;
            if (expired || connection.Reason is "kicked" or "discarded") filters.Clear();
        }
        return [.. filters];
    }

    private static long? SubscribedAt(Connection connection) =>
        connection.Start + connection.Step.SubscribesAfter is { } at && (connection.End is null || at < connection.End) ? at : null;

    private static long? UnsubscribedAt(Connection connection) =>
        connection.Start + connection.Step.UnsubscribesAfter is { } at && (connection.End is null || at < connection.End) ? at : null;

    public override string ToString() =>
        $"{Dialect}, seed {Seed}, skews {SkewOfSecondNode}/{SkewOfThirdNode} ms\n" + string.Join('\n', Connections().Select(one =>
            $"  {one.Node} {one.Peer} {one.Start}..{one.End} ms {one.Reason ?? "unreported"} late {one.Late} clean {one.Step.Clean} expiry {one.Step.Expiry} " +
            $"subscribes +{one.Step.SubscribesAfter} unsubscribes +{one.Step.UnsubscribesAfter} {Filters[one.Step.Filter]}"));
}
