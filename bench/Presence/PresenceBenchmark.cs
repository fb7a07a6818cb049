using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;
using WebhookService.Lives;

namespace WebhookService.Bench.Presence;

/// <summary>How often the presence of a device is wrong when its reports are lost and come in any order; beside two rules that keep one flag.</summary>
internal static class PresenceBenchmark
{
    private const int FullSize = 20_000;
    private const int Seed = 20260301;
    private static readonly (string Name, Dialect Dialect, bool TellsTakeovers)[] Dialects =
    [
        ("`connected_at`", Dialect.ConnectedAt, true),
        ("`connected_at`, takeovers untold", Dialect.ConnectedAt, false),
        ("`peername`", Dialect.Peername, true),
        ("`peername`, takeovers untold", Dialect.Peername, false),
        ("node and time", Dialect.NodeAndTime, false),
        ("nothing", Dialect.Arrival, false),
    ];
    private static readonly double[] Losses = [0, 0.01, 0.05, 0.20];
    private static readonly PresenceRules Rules = PresenceRules.Default;

    private enum Order
    {
        AsSent,
        WithinTwoSeconds,
        Any,
    }

    /// <summary>A life as it is measured again and again: the same reports, lost and delivered in other ways.</summary>
    private sealed record Subject(Life Life, BrokerReport[] Reports, bool IsOnline);

    /// <summary>How many devices were wrong in the end.</summary>
    private sealed record Tally(int LastArrival, int NewestTimestamp, int Sessions, int Confirmed, int Reconciled)
    {
        public static readonly Tally None = new(0, 0, 0, 0, 0);

        public static Tally operator +(Tally one, Tally other) => new(
            one.LastArrival + other.LastArrival, one.NewestTimestamp + other.NewestTimestamp, one.Sessions + other.Sessions,
            one.Confirmed + other.Confirmed, one.Reconciled + other.Reconciled);
    }

    public static int Run(Arguments arguments, CancellationToken interrupted)
    {
        var lives = arguments.Number("lives", FullSize);
        var (rows, reconciled, reports) = (new List<string>(), 0, 0L);
        foreach (var (name, dialect, tellsTakeovers) in Dialects)
        {
            var seeds = new Random(Seed);
            var subjects = Enumerable.Range(0, lives).Select(_ => Drawn(dialect, tellsTakeovers, seeds.Next())).ToArray();
            reports += subjects.Sum(subject => (long)subject.Reports.Length);
            foreach (var loss in Losses)
            {
                var tallies = Enum.GetValues<Order>().Select(order => Measure(subjects, loss, order, interrupted)).ToList();
                reconciled += tallies.Sum(tally => tally.Reconciled);
                rows.Add(string.Join(
                    " | ", name, $"{loss:0 %}", Shares(tally => tally.LastArrival), Shares(tally => tally.NewestTimestamp), Shares(tally => tally.Sessions),
                    Shares(tally => tally.Confirmed), tallies.Sum(tally => tally.Reconciled)));

                string Shares(Func<Tally, int> wrong)
                {
                    var shares = tallies.ConvertAll(tally => $"{100d * wrong(tally) / lives:0.0}");
                    return shares.Distinct().Count() == 1 ? shares[0] : string.Join(" / ", shares);
                }
            }
        }
        var report = Write(rows, lives, reports, reconciled);
        report.Print();
        if (lives == FullSize) report.WriteInto(Report.PathOf("presence.md"));
        return report.AllPassed ? 0 : 1;
    }

    private static Report Write(IReadOnlyList<string> rows, int lives, long reports, int reconciled)
    {
        var report = new Report("How often it is wrong");
        report.Say(
            $"{lives:N0} generated lives of a device, told in each dialect, {reports:N0} reports in all; repeat it with `dotnet run -c Release --project bench -- presence`. "
            + $"A life has 1 to {Life.MostSteps} connections that last milliseconds or minutes, on three nodes whose clocks differ by up to 0.9 s in every other life. "
            + "Half of the connections are taken over by the next, and of those every fifth keeps a dead socket whose end is reported 40 s later. That is far harder than the "
            + "life of a usual device: the numbers compare rules, they predict no fleet.");
        report.Say(
            "Percent of the devices whose last state is not the truth, when the reports arrive as sent / each up to 2 s late / in any order; one number where all three are the same. "
            + "*Last arrival*: the report that came last decides. *Newest time*: the one with the newest `connected_at` or `disconnected_at`. *Sessions*: the rules of this page "
            + "before the broker was asked. *Confirmed*: those of them that were not called inferred, because the very report that denies them was lost. *Asked*: devices that "
            + "were wrong or not confirmed in any of the three after the broker had been asked once. A device of which nothing arrived counts as wrong everywhere.");
        report.Say(
            "*Takeovers untold*: the broker does not report the end of a connection that was taken over (4.x unless told to, 5.0.0 – 5.0.9; so in the last two dialects). "
            + "Then nothing tells which of two connections on two nodes within the clock tolerance was the older, and the state is inferred.");
        report.Table("end named by | lost | last arrival | newest time | sessions | confirmed | asked", rows);
        report.Say($"Wrong or not confirmed after the broker was asked: {reconciled} ({report.Verdict(reconciled, limit: 1)}).");
        return report;
    }

    private static Subject Drawn(Dialect dialect, bool tellsTakeovers, int seed)
    {
        var life = Life.Drawn(dialect, new Random(seed)) with { TellsTakeovers = tellsTakeovers };
        return new(life, [.. life.Reports().Where(report => report.Kind is not ReportKind.Subscription)], life.Connections()[^1].End is null);
    }

    private static Tally Measure(Subject[] subjects, double loss, Order order, CancellationToken interrupted)
    {
        var (total, gate) = (Tally.None, new Lock());
        Parallel.For(
            0, subjects.Length, new ParallelOptions { CancellationToken = interrupted }, () => Tally.None,
            (i, _, own) => own + Judge(subjects[i], loss, order),
            own =>
            {
                lock (gate) total += own;
            });
        return total;
    }

    private static Tally Judge(Subject subject, double loss, Order order)
    {
        var random = new Random(subject.Life.Seed);
        BrokerReport[] kept = [.. subject.Reports.Where(_ => random.NextDouble() >= loss)]; // the same for every order
        var told = Arriving(kept, order, random);
        var asOf = subject.Reports.Concat(told).Max(report => report.Timestamp > report.ArrivesAt ? report.Timestamp : report.ArrivesAt) + Rules.ClockTolerance;

        var set = new SessionSet(new ClientId("device"));
        foreach (var report in told) report.Tell(set, new Observation(report.ArrivesAt, Rules));
        var before = set.Presence(Rules);
        // The API of 4.x, whose plugin speaks the last two dialects, says seconds.
        subject.Life.Reconciliation(asOf, isCoarse: subject.Life.Dialect is Dialect.NodeAndTime or Dialect.Arrival).Tell(set, new Observation(asOf, Rules));
        var after = set.Presence(Rules);

        var truth = subject.IsOnline ? ConnectivityStatus.Online : ConnectivityStatus.Offline;
        return new(
            Wrong(told.LastOrDefault()),
            Wrong(told.OrderBy(report => report.Timestamp).LastOrDefault()), // of equal times the one that came last
            before.Status == truth ? 0 : 1,
            before.Status != truth && before.Confidence is Confidence.Confirmed ? 1 : 0,
            after.Status == truth && after.Confidence is Confidence.Confirmed ? 0 : 1);

        int Wrong(BrokerReport? decisive) => decisive is { } report && report.Kind is ReportKind.Start == subject.IsOnline ? 0 : 1;
    }

    /// <summary>The reports as they reach us.</summary>
    private static BrokerReport[] Arriving(BrokerReport[] sent, Order order, Random random)
    {
        switch (order)
        {
            case Order.AsSent:
                return sent;
            case Order.WithinTwoSeconds:
                return [.. sent.Select(report => report with { ArrivesAt = report.SentAt.AddMilliseconds(random.Next(2_000)) }).OrderBy(report => report.ArrivesAt)];
            default: // a backlog, sent again after everything had happened
                var shuffled = (BrokerReport[])sent.Clone();
                random.Shuffle(shuffled);
                return [.. shuffled.Select((report, i) => report with { ArrivesAt = sent[^1].SentAt.AddMilliseconds(i + 1) })];
        }
    }
}
