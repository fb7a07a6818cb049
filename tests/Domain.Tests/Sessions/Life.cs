using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Tests.Sessions;

internal enum Dialect
{
    /// <summary>`disconnected` says connected_at.</summary>
    Exact,

    /// <summary>`disconnected` says node, peername and time.</summary>
    Peername,

    /// <summary>`disconnected` says node and time; nobody says a peername, and takeovers are not reported.</summary>
    NodeAndTime,
}

/// <summary>One connection as a generator draws it.</summary>
/// <param name="Stays">Milliseconds it lasts.</param>
/// <param name="Pause">Milliseconds until the next one; not used after a takeover.</param>
/// <param name="TakenOver">The next connection is made while this one is open; without a next one it stays open.</param>
/// <param name="Late">Milliseconds by which its end is reported after the takeover (EMQX 5.9 – 6.1).</param>
internal sealed record Step(
    int Node, int Port, int Stays, int Pause, bool TakenOver, int Late, bool Clean, long Expiry, string Reason, int? SubscribesAfter, int? UnsubscribesAfter, int Filter);

/// <summary>What happened to one client in truth, and the reports that a broker makes of it.</summary>
internal sealed record Life(IReadOnlyList<Step> Steps, int SkewOfSecondNode, int SkewOfThirdNode, int Seed)
{
    private static readonly string[] Nodes = ["n1", "n2", "n3"];
    private static readonly string[] Filters = ["a", "b"];

    /// <summary>A connection in truth; times are milliseconds of one true clock, <see cref="Skew"/> makes them those of its node.</summary>
    internal sealed record Connection(string Node, string Peer, long Start, long? End, string Reason, int Skew, int Late, Step Step)
    {
        public DateTimeOffset ConnectedAt => Time(Start + Skew);
        public DateTimeOffset DisconnectedAt => Time(End!.Value + Skew + Late);
        public bool IsTakenOver => Reason is "takenover" or "discarded";
    }

    public static Arbitrary<Life> Any { get; } = Arb.From(
        from steps in Gen.NonEmptyListOf(AnyStep())
        from second in Gen.Choose(-450, 450)
        from third in Gen.Choose(-450, 450)
        from skewed in Gen.Elements(true, false)
        from seed in Gen.Choose(0, int.MaxValue)
        select new Life([.. steps.Take(12)], skewed ? second : 0, skewed ? third : 0, seed),
        life => Enumerable.Range(0, life.Steps.Count).Where(_ => life.Steps.Count > 1)
            .Select(gone => life with { Steps = [.. life.Steps.Where((_, i) => i != gone)] }));

    private static Gen<Step> AnyStep()
    {
        var span = Gen.OneOf(Gen.Choose(0, 2), Gen.Choose(0, 50), Gen.Choose(100, 3_000), Gen.Choose(10_000, 100_000));
        return
            from node in Gen.Frequency((4, Gen.Constant(0)), (2, Gen.Constant(1)), (1, Gen.Constant(2)))
            from port in Gen.Choose(1, 3)
            from stays in span
            from pause in span
            from takenOver in Gen.Elements(true, false)
            from late in Gen.Elements(0, 0, 15)
            from clean in Gen.Elements(true, false)
            from expiry in Gen.Elements(0L, 2L, 60L, 7200L, 4_294_967_295L)
            from reason in Gen.Elements("normal", "tcp_closed", "keepalive_timeout", "kicked")
            from subscribes in Gen.Elements<int?>(null, 0, 1, 40)
            from unsubscribes in Gen.Elements<int?>(null, null, 1, 60)
            from filter in Gen.Choose(0, 1)
            select new Step(node, port, stays, pause, takenOver, late, clean, expiry, reason, subscribes, unsubscribes, filter);
    }

    public IReadOnlyList<Connection> Connections(Dialect dialect)
    {
        var all = new List<Connection>();
        var start = 0L;
        for (var i = 0; i < Steps.Count; i++)
        {
            var (step, isLast) = (Steps[i], i == Steps.Count - 1);
            var previous = all.Count > 0 ? all[^1] : null;
            if (dialect is Dialect.NodeAndTime && start == previous?.Start) start++;            // without peers they would be one
            if (all.Count > 1 && start == all[^2].Start) start++;                               // not three in one millisecond
            var port = step.Port;
            if (previous is not null && (previous.IsTakenOver || previous.Start == start) && previous.Step.Port == port) port = port % 3 + 1; // that socket is still open
            var end = isLast && step.TakenOver ? (long?)null : start + step.Stays;
            var takenOver = step.TakenOver && !isLast;
            all.Add(new(
                Nodes[step.Node], $"10.0.0.1:{port}", start, end, takenOver ? Steps[i + 1].Clean ? "discarded" : "takenover" : step.Reason,
                step.Node switch { 1 => SkewOfSecondNode, 2 => SkewOfThirdNode, _ => 0 },
                takenOver && dialect is Dialect.Exact ? step.Late : 0,
                step with { Port = port }));
            start = (end ?? start) + (takenOver ? 0 : step.Pause);
        }
        return all;
    }

    /// <summary>The reports of this life, in the order in which things happened.</summary>
    public IReadOnlyList<Action<AHistory>> Reports(Dialect dialect)
    {
        var reports = new List<Action<AHistory>>();
        foreach (var (connection, i) in Connections(dialect).Select((connection, i) => (connection, i)))
        {
            var peer = dialect is Dialect.NodeAndTime ? null : connection.Peer;
            var details = new ConnectionDetails { CleanStart = connection.Step.Clean, ExpirySeconds = connection.Step.Expiry, ProtocolVersion = "5" };
            reports.Add(history => history.Set.Connected(connection.Node, connection.ConnectedAt, peer, details, timeIsArrival: false, new(AHistory.Now, history.Rules)));
            if (SubscribedAt(connection) is { } subscribed)
                reports.Add(history => history.Set.Subscribed(Filters[connection.Step.Filter], Time(subscribed + connection.Skew), new(i % 3, null, null, null), new(AHistory.Now, history.Rules)));
            if (UnsubscribedAt(connection) is { } unsubscribed)
                reports.Add(history => history.Set.Unsubscribed(Filters[connection.Step.Filter], Time(unsubscribed + connection.Skew), new(AHistory.Now, history.Rules)));
            if (connection.End is null || (dialect is Dialect.NodeAndTime && connection.IsTakenOver)) continue;

            var reason = DisconnectReasons.Of(connection.Reason);
            reports.Add(dialect is Dialect.Exact
                ? history => history.Set.Disconnected(
                    connection.Node, connection.ConnectedAt, peer, new(connection.DisconnectedAt, reason, connection.Reason, EndedBy.Event), new(AHistory.Now, history.Rules))
                : history => history.Set.Parted(
                    new(connection.Node, peer, connection.DisconnectedAt, reason, connection.Reason, FarewellKind.Disconnected), new(AHistory.Now, history.Rules)));
        }
        return reports;
    }

    /// <summary>The same reports in some other order, some of them twice.</summary>
    public IReadOnlyList<Action<AHistory>> Shuffled(Dialect dialect)
    {
        var random = new Random(Seed);
        var reports = Reports(dialect).SelectMany(report => random.Next(4) == 0 ? [report, report] : new[] { report }).ToArray();
        random.Shuffle(reports);
        return reports;
    }

    /// <summary>The filters subscribed at <see cref="AHistory.Now"/>, as the broker would list them.</summary>
    public IReadOnlyList<string> TrueSubscriptions(Dialect dialect)
    {
        var filters = new SortedSet<string>();
        var connections = Connections(dialect);
        for (var i = 0; i < connections.Count; i++)
        {
            var connection = connections[i];
            if (connection.Step.Clean) filters.Clear();
            var (made, cancelled) = (SubscribedAt(connection), UnsubscribedAt(connection));
            if (cancelled is not null) filters.Remove(Filters[connection.Step.Filter]);
            if (made is not null && !(cancelled >= made)) filters.Add(Filters[connection.Step.Filter]);
            if (connection.End is not { } end) continue;

            var until = i + 1 < connections.Count ? connections[i + 1].Start : (long)(AHistory.Now - AHistory.Noon).TotalMilliseconds;
            var expired = connection.Step.Expiry < 4_294_967_295 && end + connection.Step.Expiry * 1000 <= until;
            if (expired || connection.Reason is "kicked" or "discarded") filters.Clear();
        }
        return [.. filters];
    }

    /// <summary>An end and a connect, or two of them, fall into one millisecond of one node: then only names tell which came first.</summary>
    public bool SharesMilliseconds(Dialect dialect)
    {
        var connections = Connections(dialect);
        var times = connections.Select(one => (one.Node, one.ConnectedAt))
            .Concat(connections.Where(one => one.End is not null && !(dialect is Dialect.NodeAndTime && one.IsTakenOver)).Select(one => (one.Node, one.DisconnectedAt)))
            .ToList();
        return times.Distinct().Count() < times.Count;
    }

    public bool HasSkew => SkewOfSecondNode != 0 || SkewOfThirdNode != 0;

    private static DateTimeOffset Time(long ms) => AHistory.Noon.AddMilliseconds(ms);

    private static long? SubscribedAt(Connection connection) =>
        connection.Start + connection.Step.SubscribesAfter is { } at && (connection.End is null || at < connection.End) ? at : null;

    private static long? UnsubscribedAt(Connection connection) =>
        connection.Start + connection.Step.UnsubscribesAfter is { } at && (connection.End is null || at < connection.End) ? at : null;

    public override string ToString() =>
        $"seed {Seed}, skews {SkewOfSecondNode}/{SkewOfThirdNode} ms\n" + string.Join('\n', Connections(Dialect.Exact).Select(one =>
            $"  {one.Node} {one.Peer} {one.Start}..{one.End} ms {one.Reason} late {one.Late} clean {one.Step.Clean} expiry {one.Step.Expiry} " +
            $"subscribes +{one.Step.SubscribesAfter} unsubscribes +{one.Step.UnsubscribesAfter} {Filters[one.Step.Filter]}"));
}
