using System.Diagnostics;

namespace WebhookService.Bench.Fleet;

/// <summary>A large fleet in one file: how long it takes the service to be ready on it, to answer, and how much memory that needs.</summary>
internal static class FleetBenchmark
{
    private const int ColdRequests = 10;
    private const int WarmUp = 20;
    private const int Requests = 200;
    private const int AtOnce = 8;
    private const double ReadyLimitSeconds = 5;
    private const double MemoryLimitMb = 400;
    private const double DepthLimit = 2;
    private const int FullDevices = 1_000_000;
    private const int FullMessages = 10_000_000;

    /// <summary>No query is timed longer, and nothing as a whole.</summary>
    private static readonly TimeSpan LongestQuery = TimeSpan.FromSeconds(20);
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
            var report = await MeasureAsync(path, sample, cancellation);
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

    private static async Task<Report> MeasureAsync(string path, FleetSample sample, CancellationToken cancellation)
    {
        var dropped = FileCache.Drop(path);
        using var service = await ServiceProcess.StartServiceAsync(path, cancellation);
        var memoryAtStart = service.Memory;
        Console.WriteLine($"Ready in {service.StartToReady.TotalSeconds:0.00} s, {memoryAtStart}");
        using var timer = new HttpTimer(service.Address);

        // Cold: the first requests of this process, and the file on the disk only.
        var queries = FleetQueries.Of(sample).ToList();
        var cold = new Dictionary<FleetQuery, Timings>();
        foreach (var query in queries) cold[query] = await TimeAsync(query, ColdRequests);

        await FileCache.WarmAsync(path, cancellation);
        DeepList[] lists = [new("clientId", timer), new("-lastSeenAt", timer)];
        foreach (var list in lists) await list.WalkAsync(sample.Online, cancellation);
        var listQueries = lists.SelectMany(list => new FleetQuery[]
        {
            new($"devices, status=online, sort={list.Sort}, page 1", list.FirstPage, FleetQueries.ListLimitMs),
            new($"devices, status=online, sort={list.Sort}, page {list.DeepPage:N0}", list.ADeepPage, FleetQueries.ListLimitMs),
        }).ToList();

        var warm = new List<(FleetQuery Query, Timings Times)>();
        foreach (var query in listQueries.Concat(queries))
        {
            await TimeAsync(query, WarmUp);
            warm.Add((query, await TimeAsync(query, Requests)));
            Console.WriteLine($"  {query.Name}: p50 {warm[^1].Times.P50:0.00} ms, p95 {warm[^1].Times.P95:0.00} ms");
        }
        var memoryAfterQueries = service.Memory;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => timer.MeasureAsync(
            [.. listQueries.Concat(queries).SelectMany(query => Enumerable.Range(0, 5).Select(_ => query.Path()))], LongestQuery, cancellation)));
        var memoryAfterCrowd = service.Memory;

        return Write();

        Task<Timings> TimeAsync(FleetQuery query, int count) =>
            timer.MeasureAsync(Enumerable.Range(0, count).Select(_ => query.Path()), LongestQuery, cancellation);

        Report Write()
        {
            var report = new Report("A million devices");
            report.Say(
                $"{sample.Devices:N0} devices ({sample.Online:N0} online) and {sample.Messages:N0} messages in a SQLite file of {new FileInfo(path).Length / 1e9:0.0} GB. "
                + $"Repeat it with `dotnet run -c Release --project bench -- fleet`.");
            report.Say($"Machine: {Machine.Description}. The limits are targets for 2 cores.");
            report.Say(
                $"Times are milliseconds over HTTP with keep-alive, one request at a time, {Requests} with different arguments each; pages of 50. "
                + $"Cold: the first {ColdRequests} of each kind after the start{(dropped ? ", none of the file in memory" : "")}. "
                + "The others: the file was read once before, and the code is warm. The limit holds for p95.");
            report.Table("query | cold, first | cold, p50 | p50 | p95 | max | limit | ", warm.Select(row =>
            {
                var ((query, times), first) = (row, cold.GetValueOrDefault(row.Query));
                var limit = query.LimitMs is { } most ? $"{most:0} | {report.Verdict(times.P95, most)}" : "|";
                return $"{query.Name} | {Ms(first?.First)} | {Ms(first?.P50)} | {Ms(times.P50)} | {Ms(times.P95)} | {Ms(times.Max)} | {limit}";
            }));

            double Depth(int list) => warm[(2 * list) + 1].Times.P50 / warm[2 * list].Times.P50;
            report.Table("| | value | limit | ", [
                .. lists.Select((list, i) => $"page {list.DeepPage:N0} against page 1, sort={list.Sort}, p50 | {Depth(i):0.00}× | {DepthLimit:0}× | {report.Verdict(Depth(i), DepthLimit)}"),
                $"start to ready | {service.StartToReady.TotalSeconds:0.00} s | {ReadyLimitSeconds:0} s | {report.Verdict(service.StartToReady.TotalSeconds, ReadyLimitSeconds)}",
                $"resident memory after the start | {memoryAtStart} | {MemoryLimitMb:0} MB | {report.Verdict(memoryAtStart.Resident / 1e6, MemoryLimitMb)}",
                $"… after these queries | {memoryAfterQueries} | {MemoryLimitMb:0} MB | {report.Verdict(memoryAfterQueries.Resident / 1e6, MemoryLimitMb)}",
                $"… after all of them again, {AtOnce} at a time | {memoryAfterCrowd} | {MemoryLimitMb:0} MB | {report.Verdict(memoryAfterCrowd.Resident / 1e6, MemoryLimitMb)}",
            ]);
            return report;
        }
    }

    private static string Ms(double? milliseconds) => milliseconds is { } value ? value.ToString(value < 10 ? "0.00" : "0.0") : "";
}
