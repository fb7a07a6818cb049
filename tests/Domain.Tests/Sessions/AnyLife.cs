using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Brokers;
using WebhookService.Lives;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>Properties of lives as FsCheck draws them. A failure prints the life, made as short as it still fails, and FsCheck's seed.</summary>
internal static class AnyLife
{
    private static readonly Config Thorough = Config.QuickThrowOnFailure.WithMaxTest(2_000);

    public static void Holds(Dialect dialect, Action<Life> property) =>
        Check.One(Thorough, Prop.ForAll(
            Arb.From(from seed in Gen.Choose(0, int.MaxValue) select Life.Drawn(dialect, new Random(seed)), Shorter),
            property));

    private static IEnumerable<Life> Shorter(Life life) =>
        Enumerable.Range(0, life.Steps.Count).Where(_ => life.Steps.Count > 1).Select(gone => life with { Steps = [.. life.Steps.Where((_, i) => i != gone)] });

    /// <summary>The same reports in some other order, some of them twice.</summary>
    public static IReadOnlyList<BrokerReport> Shuffled(this IEnumerable<BrokerReport> reports, Random random)
    {
        var shuffled = reports.SelectMany(report => random.Next(4) == 0 ? [report, report] : new[] { report }).ToArray();
        random.Shuffle(shuffled);
        return shuffled;
    }

    /// <summary>Some of the reports: nearly all of one life, few of another.</summary>
    public static IReadOnlyList<BrokerReport> WithLoss(this IReadOnlyList<BrokerReport> reports, Random random)
    {
        var loss = new[] { 0.05, 0.3, 0.7, 1 }[random.Next(4)];
        return [.. reports.Where(_ => random.NextDouble() >= loss)];
    }

    /// <summary>The same reports, each up to two seconds late and no two in one millisecond; that matters where the arrival is the time.</summary>
    public static IReadOnlyList<BrokerReport> Delayed(this IReadOnlyList<BrokerReport> reports, Random random)
    {
        var taken = new HashSet<DateTimeOffset>();
        return [.. reports.Select(report =>
        {
            var at = report.SentAt.AddMilliseconds(random.Next(2_001));
            while (!taken.Add(at)) at = at.AddMilliseconds(1);
            return report with { ArrivesAt = at };
        })];
    }
}
