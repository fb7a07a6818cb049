using System.Globalization;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using WebhookService.Bench.Ingest;

namespace WebhookService.Bench.Micro;

/// <summary>What every webhook goes through, part by part and in one process: to tell which of them a change made slower. Nothing else here loads BenchmarkDotNet.</summary>
internal static class MicroBenchmark
{
    private static readonly (string Word, Action<ManualConfig, Report> Measure)[] Parts = [("parser", AddParser), ("presence", AddPresence), ("writer", AddWriter)];

    /// <param name="words">Which parts; none for all of them, whose figures are written down.</param>
    public static int Run(string[] words, CancellationToken interrupted)
    {
        if (words.FirstOrDefault(word => !Parts.Any(part => part.Word == word)) is { } other)
            throw new UsageException($"'{other}' is no part; there are {string.Join(", ", Parts.Select(part => part.Word))}.");

        using var artifacts = new TemporaryFolder();
        var report = new Report("Micro-benchmarks");
        report.Say("Parts of the service alone, in one process and called directly. Repeat it with `dotnet run -c Release --project bench -- micro`; `-- micro parser`, `presence` or `writer` measures one of them.");
        foreach (var (_, measure) in Parts.Where(part => words is [] || words.Contains(part.Word)))
        {
            interrupted.ThrowIfCancellationRequested();
            measure(Config(artifacts.Path), report);
        }
        report.Say(
            $"Machine: {Machine.Description}; at the end {Machine.Load}. Means of {Iterations} rounds, with their standard deviation; allocated is what all threads took of managed memory.");
        report.Print();
        if (words is []) report.WriteInto(Report.DefaultPath);
        return 0;
    }

    private const int Iterations = 10;

    /// <summary>
    /// Measures in this process. A process of its own BenchmarkDotNet can only make for a project that is called as its program is; this one is
    /// Bench and its program WebhookService.Bench.
    /// </summary>
    private static ManualConfig Config(string artifacts) => ManualConfig.CreateEmpty()
        .AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithWarmupCount(10)
            .WithIterationCount(Iterations)
            .WithIterationTime(TimeInterval.FromMilliseconds(150)))
        .AddDiagnoser(MemoryDiagnoser.Default)
        .WithOptions(ConfigOptions.DisableLogFile)
        .WithArtifactsPath(artifacts);

    private static void AddParser(ManualConfig config, Report report)
    {
        var kinds = new Dictionary<string, (string Event, EventKind Kind)>
        {
            [nameof(ParserBenchmarks.Publish)] = ("`message.publish`", EventKind.Publish),
            [nameof(ParserBenchmarks.Delivered)] = ("`message.delivered`", EventKind.Delivered),
            [nameof(ParserBenchmarks.Acked)] = ("`message.acked`", EventKind.Acked),
            [nameof(ParserBenchmarks.Connected)] = ("`client.connected`", EventKind.Connected),
            [nameof(ParserBenchmarks.Disconnected)] = ("`client.disconnected`", EventKind.Disconnected),
            [nameof(ParserBenchmarks.Subscribed)] = ("`session.subscribed`", EventKind.Subscribed),
        };
        var figures = Measure<ParserBenchmarks>("parser", config);
        report.Say("Parser: from the body of a webhook, as EMQX 5.8 sends it, to the command.");
        report.Table("event | bytes | µs | ± | bytes allocated", figures.Select(one =>
        {
            var (name, kind) = kinds[one.Benchmark];
            return Row($"{name} | {ParserBenchmarks.Body(kind).Length} | {one.Mean / 1_000:0.00} | {one.Deviation / 1_000:0.00} | {one.Allocated:N0}");
        }));
    }

    private static void AddPresence(ManualConfig config, Report report)
    {
        var reports = new Dictionary<string, string>
        {
            [nameof(PresenceBenchmarks.Connected)] = "connected",
            [nameof(PresenceBenchmarks.Disconnected)] = "disconnected",
            [nameof(PresenceBenchmarks.Message)] = "a message",
            [nameof(PresenceBenchmarks.OutOfOrder)] = "disconnected, then connected: each of the two",
        };
        var figures = Measure<PresenceBenchmarks>("presence", config);
        report.Say($"Presence: a report told to the sessions of a device and the device, which has had {PresenceBenchmarks.Before} connections before, in memory.");
        report.Table("report | µs | ± | bytes allocated", figures.Select(one => Row($"{reports[one.Benchmark]} | {one.Mean / 1_000:0.00} | {one.Deviation / 1_000:0.00} | {one.Allocated:N0}")));
    }

    private static void AddWriter(ManualConfig config, Report report)
    {
        var figures = Measure<WriterBenchmarks>("writer", config);
        report.Say("Writer: transactions of messages, each from its first command until all are answered, which is when they are on disk (`fsync`).");
        report.Table("messages of a transaction | ms | ± | µs a message | bytes allocated a message", figures.Select(one =>
        {
            var messages = (int)one.Case.Parameters[nameof(WriterBenchmarks.Messages)];
            return Row($"{messages} | {one.Mean / 1e6:0.00} | {one.Deviation / 1e6:0.00} | {one.Mean / 1_000 / messages:0.0} | {one.Allocated / messages:N0}");
        }));
    }

    private static string Row(FormattableString row) => row.ToString(CultureInfo.InvariantCulture);

    /// <exception cref="InvalidOperationException">Something was not measured.</exception>
    private static List<Figure> Measure<T>(string part, ManualConfig config)
    {
        Console.WriteLine($"Measuring the {part} …");
        var log = new AccumulationLogger(); // told only where it fails
        var summary = BenchmarkRunner.Run<T>(config.AddLogger(log));
        if (summary.HasCriticalValidationErrors || summary.Reports.Length == 0 || summary.Reports.Any(report => report.ResultStatistics is null))
            throw new InvalidOperationException($"The {part} was not measured (run it with -c Release):\n{log.GetLog()}");
        return [.. summary.Reports.Select(Figure.Of)];
    }

    /// <summary>One operation: nanoseconds and bytes.</summary>
    private sealed record Figure(string Benchmark, BenchmarkCase Case, double Mean, double Deviation, long Allocated)
    {
        public static Figure Of(BenchmarkReport report) => new(
            report.BenchmarkCase.Descriptor.WorkloadMethod.Name, report.BenchmarkCase, report.ResultStatistics!.Mean, report.ResultStatistics.StandardDeviation,
            report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0);
    }
}
