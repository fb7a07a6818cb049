namespace WebhookService.Bench.Ingest;

/// <summary>
/// Half of what the service takes, for a long time, with retention removing as much as comes in: memory, times and the file have to stay as they are, and
/// nothing may be lost.
/// </summary>
internal static class SoakBenchmark
{
    private const int FullMinutes = 60;
    private const int Connections = 64;

    /// <summary>Fewer minutes don't tell whether something grows.</summary>
    private const int LeastToJudge = 8;

    private const double Growth = 1.1;
    private const double Slower = 1.5;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Trial = TimeSpan.FromSeconds(10);
    private static readonly Mix Mix = Mix.Real;

    private sealed record Row(int Minute, LoadResult Load, Memory Peak, long FileBytes, double CpuMicroseconds);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        var minutes = arguments.Number("minutes", FullMinutes);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(TimeSpan.FromMinutes(5 + (1.2 * minutes)));
        using var folder = new TemporaryFolder();
        var rate = await TryAsync(folder.File("trial.db"), bounded.Token) / 2;
        var kept = (long)(rate * Share(EventKind.Publish) * Math.Max(30, minutes * 10)); // a sixth of the time
        Console.WriteLine($"  {rate:N0} events/s, half of what it takes; {kept:N0} messages and {2 * kept:N0} events are kept");

        var (path, receipts, rows, run) = (folder.File("soak.db"), new List<Receipts>(), new List<Row>(), 100L);
        var bounds = new[] { ("Retention__Messages__MaxCount", $"{kept}"), ("Retention__Journal__MaxCount", $"{2 * kept}") };
        Past.WriteTo(path, Mix.LongPast);
        using (var service = await ServiceProcess.StartServiceAsync(path, bounded.Token, bounds))
        {
            foreach (var warmUp in await IngestBenchmark.WarmUpAsync(service, Mix, bounded.Token)) receipts.AddRange(warmUp.Receipts);
            for (var minute = 1; minute <= minutes; minute++)
            {
                var cpu = service.Cpu;
                var running = Load.RunAsync(service.Address, new LoadPlan(Connections, ++run, Minute) { Mix = Mix, PerSecond = rate }, bounded.Token);
                var peak = await IngestBenchmark.PeakAsync(service, running);
                var load = await running;
                receipts.AddRange(load.Receipts);
                var row = new Row(minute, load with { Receipts = [] }, peak, Bytes(path) + Bytes(path + "-wal"), (service.Cpu - cpu).TotalMicroseconds / Math.Max(1, load.Accepted));
                rows.Add(row);
                Console.WriteLine("  " + Line(row));
            }
        }
        using var ledger = new Ledger(path);
        var report = Write(rows, rate, kept, ledger.Check(receipts, kept, Mix.LongPast));
        report.Print();
        if (minutes >= FullMinutes) report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    /// <returns>Events a second that the service takes.</returns>
    private static async Task<double> TryAsync(string path, CancellationToken cancellation)
    {
        Past.WriteTo(path, Mix.LongPast);
        using var service = await ServiceProcess.StartServiceAsync(path, cancellation);
        await IngestBenchmark.WarmUpAsync(service, Mix, cancellation);
        return (await Load.RunAsync(service.Address, new LoadPlan(Connections, Run: 100, Trial) { Mix = Mix }, cancellation)).PerSecond;
    }

    private static Report Write(List<Row> rows, double rate, long kept, LedgerCheck ledger)
    {
        var report = new Report("Soak");
        report.Say(
            $"{rows.Count} minutes of the real mix, of clients that have connected {Mix.LongPast} times before, at half of what the service takes, {rate:N0} events/s over {Connections} connections, while retention keeps {kept:N0} messages and "
            + $"{2 * kept:N0} events. Repeat it with `dotnet run -c Release --project bench -- soak`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}.");
        report.Table("minute | events/s | p50 ms | p99 ms | max ms | refused | CPU µs/event | resident MB | file and log MB", rows.Select(Line));

        var checks = new List<string>
        {
            $"answers other than 200 with one event accepted | {rows.Sum(row => row.Load.Refused):N0} | 0 | {report.AtMost(rows.Sum(row => row.Load.Refused), 0)}",
            $"events lost, stored twice, or stored without an answer; {ledger.Acknowledged:N0} were answered 200 | {ledger.Mistakes:N0} | 0 | {report.AtMost(ledger.Mistakes, 0)}",
            $"events/s, of those asked for | {rows.Average(row => row.Load.PerSecond) / rate:0.00} | ≥ 0.95 | {report.AtLeast(rows.Average(row => row.Load.PerSecond) / rate, 0.95)}",
        };
        if (rows.Count >= LeastToJudge)
        {
            checks.Add(Flat("resident memory", row => row.Peak.Resident, Growth));
            checks.Add(Flat("file and log", row => row.FileBytes, Growth));
            checks.Add(Flat("p50", row => row.Load.Times.P50, Slower));
            checks.Add(Flat("p99", row => row.Load.Times.P99, Slower));
        }
        report.Table("what | value | limit | ", checks);
        return rows.Count >= LeastToJudge ? report : report.Say($"Fewer than {LeastToJudge} minutes: whether memory, times and the file stay as they are was not judged.");

        // The second quarter is past the beginning, in which everything grows.
        string Flat(string what, Func<Row, double> value, double limit)
        {
            var quarter = rows.Count / 4;
            var growth = Median(rows.TakeLast(quarter).Select(value)) / Median(rows.Skip(quarter).Take(quarter).Select(value));
            return $"{what} in the last quarter, of that in the second (medians) | {growth:0.00} | ≤ {limit:0.0} | {report.AtMost(growth, limit)}";
        }
    }

    private static string Line(Row row) =>
        $"{row.Minute} | {row.Load.PerSecond:N0} | {row.Load.Times.P50:0.00} | {row.Load.Times.P99:0.00} | {row.Load.Times.Max:0.0} | {row.Load.Refused} | {row.CpuMicroseconds:0} | "
        + $"{row.Peak.Resident / 1e6:0} | {row.FileBytes / 1e6:0}";

    private static double Median(IEnumerable<double> values) => new Timings([.. values]).P50;

    private static double Share(EventKind kind) => Mix.Order.Count(one => one == kind) / (double)Mix.Order.Count;

    private static long Bytes(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;
}
