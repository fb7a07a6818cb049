using System.Diagnostics;

namespace WebhookService.Bench.Fleet;

/// <summary>A large fleet in one file: how long it takes the service to be ready on it, to answer, and how much memory that needs.</summary>
internal static class FleetBenchmark
{
    public const int ColdRequests = 10;
    private const int WarmUp = 20;
    public const int Requests = 200;
    public const int AtOnce = 8;
    public const int WholeLedgerRequests = 5;
    private const int CrowdRounds = 25;
    private const int FullDevices = 1_000_000;
    private const int FullMessages = 10_000_000;

    /// <summary>So long the questions are asked over and over at the most; so long everything may take.</summary>
    private static readonly TimeSpan LongestRounds = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(45);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(Longest);
        var cancellation = bounded.Token;

        using var folder = new TemporaryFolder(arguments.Has("keep") && !arguments.Has("file"));
        var path = Path.GetFullPath(arguments.Text("file") ?? folder.File("fleet.db"));
        var isOurs = !File.Exists(path);
        try
        {
            if (isOurs) Generate(arguments, path, cancellation);
            var sample = new FleetSample(path);
            var report = FleetReport.Of(sample, await MeasureAsync(path, sample, cancellation));
            report.Print();
            if (sample.Devices >= FullDevices && sample.Messages >= FullMessages) report.WriteInto(Report.DefaultPath);
            else Console.WriteLine("Smaller than the fleet that the limits are for: not written to docs/performance.md.");
            return report.AllPassed ? 0 : 1;
        }
        finally
        {
            if (isOurs && !arguments.Has("keep"))
                foreach (var file in new[] { path, path + "-wal", path + "-shm" }) File.Delete(file);
        }
    }

    private static void Generate(Arguments arguments, string path, CancellationToken cancellation)
    {
        var plan = new FleetPlan(arguments.Number("devices", FullDevices, least: 100), arguments.Number("messages", FullMessages, least: 1_000), TimeProvider.System.GetUtcNow());
        Console.WriteLine($"Generating {plan.Devices:N0} devices and {plan.Messages:N0} messages into {path}");
        var watch = Stopwatch.StartNew();
        var part = path + ".part"; // so that half a fleet is never taken for one
        try
        {
            using (var generator = new FleetGenerator(plan, part)) generator.Run(cancellation);
            File.Move(part, path);
        }
        finally
        {
            File.Delete(part);
        }
        Console.WriteLine($"Generated in {watch.Elapsed.TotalSeconds:0} s: {new FileInfo(path).Length / 1e9:0.00} GB");
    }

    private static async Task<FleetMeasurement> MeasureAsync(string path, FleetSample sample, CancellationToken cancellation)
    {
        var isCold = FileCache.Drop(path);
        using var service = await ServiceProcess.StartServiceAsync(path, cancellation);
        var memoryAtStart = service.Memory;
        Console.WriteLine($"Ready in {service.StartToReady.TotalSeconds:0.00} s, {memoryAtStart}");
        using var timer = new HttpTimer(service.Address);

        var queries = FleetQueries.Of(sample).ToList();
        var cold = await RoundsAsync(queries, ColdRequests);

        await FileCache.WarmAsync(path, cancellation);
        DeepList[] lists = [new("clientId", timer), new("-lastSeenAt", timer)];
        foreach (var list in lists) await list.WalkAsync(sample.Online, cancellation);
        queries = [.. queries, .. lists.SelectMany(list => new[] { list.First, list.Deep })];
        await RoundsAsync(queries, WarmUp);
        var warm = await RoundsAsync(queries, Requests);
        var memoryAfterQueries = service.Memory;

        var crowd = Enumerable.Range(0, CrowdRounds).SelectMany(_ => queries.Select(query => query.Path())).ToArray();
        await Parallel.ForEachAsync(
            crowd, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation },
            async (asked, stop) => await timer.GetAsync(asked, stop));

        var memoryAfterCrowd = service.Memory;

        var wholeLedger = FleetQueries.OfTheWholeLedger().ToList();
        var looked = await RoundsAsync(wholeLedger, WholeLedgerRequests);

        return new FleetMeasurement
        {
            FileBytes = new FileInfo(path).Length,
            StartToReady = service.StartToReady,
            IsCold = isCold,
            Cold = cold,
            Warm = warm,
            Lists = lists,
            MemoryAtStart = memoryAtStart,
            MemoryAfterQueries = memoryAfterQueries,
            MemoryAfterCrowd = memoryAfterCrowd,
            WholeLedger = looked,
            MemoryAfterWholeLedger = service.Memory,
        };

        async Task<IReadOnlyDictionary<FleetQuery, Timings>> RoundsAsync(List<FleetQuery> all, int rounds) =>
            all.Zip(await timer.MeasureAsync([.. all.Select(query => query.Path)], rounds, LongestRounds, cancellation)).ToDictionary(pair => pair.First, pair => pair.Second);
    }
}
