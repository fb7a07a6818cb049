namespace WebhookService.Bench.Ingest;

/// <summary>Requests over so many connections, so many of each on their way.</summary>
internal readonly record struct Lanes(int Connections, int Depth)
{
    public override string ToString() => Depth == 1 ? $"{Connections}" : $"{Connections} × {Depth}";
}

/// <summary>One load on one server.</summary>
/// <param name="Cpu">Of the server, microseconds for each event; <paramref name="WriterCpu"/> is the part of the thread that writes.</param>
internal sealed record IngestRow(Mix Mix, Lanes Lanes, bool IsBare, LoadResult Load, double Cpu, double WriterCpu);

/// <summary>What a run of the ingest benchmark found.</summary>
internal sealed record IngestFindings
{
    public required Timings Syncs { get; init; }
    public List<IngestRow> Rows { get; } = [];
    public Dictionary<Mix, LedgerCheck> Ledgers { get; } = [];
    public double? BytesPerMessage { get; set; }

    /// <summary>The most that the service had in memory during the loads of a mix.</summary>
    public Dictionary<Mix, Memory> Peaks { get; } = [];
    public ReadingFindings? Reading { get; set; }
    public OverloadFindings? Overload { get; set; }
}

/// <summary>
/// Webhooks from the socket to the disk: how many a second, how long each waits, and what that costs beside a server that keeps nothing. And
/// whether everything that was answered is there.
/// </summary>
internal static class IngestBenchmark
{
    /// <summary>Requests of a connection that EMQX has on their way at most (`enable_pipelining` of its HTTP connector).</summary>
    public const int Pipelined = 100;

    private const int FullSeconds = 3;
    private static readonly int[] FullConnections = [8, 64, 256];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    /// <summary>Requests after which .NET has compiled what is hot; before that a load measures the compiler. Warming up ends after so many rounds.</summary>
    private const int WarmAfter = 30_000;
    private const int MostWarmUps = 20;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(200);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        var quick = arguments.Has("quick");
        var duration = TimeSpan.FromSeconds(arguments.Number("seconds", quick ? 2 : FullSeconds));
        var mixes = arguments.Text("mixes") is { } words ? Mix.Read(words) : [.. Mix.All];
        var connections = arguments.Numbers("connections", quick ? [8, 64] : FullConnections);
        var pipelined = arguments.Text("pipelined") is "none" ? [] : arguments.Numbers("pipelined", quick ? [8] : connections);
        Lanes[] lanes = [.. connections.Select(count => new Lanes(count, 1)), .. pipelined.Select(count => new Lanes(count, Pipelined))];

        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(TimeSpan.FromMinutes(3) + (mixes.Length * ((2 * lanes.Length * (duration + WarmUp)) + (3 * MostWarmUps * WarmUp) + TimeSpan.FromMinutes(1))));
        using var folder = new TemporaryFolder();
        var found = new IngestFindings { Syncs = Disk.Syncs(folder.File("sync"), times: 200) };
        using (var bare = await ServiceProcess.StartAsync("WebhookService.Bench.dll", [BareServer.Verb], "/health/ready", bounded.Token))
        {
            await WarmUpAsync(bare, Mix.PublishOnly, bounded.Token);
            foreach (var mix in mixes) await MeasureAsync(mix, lanes, duration, bare, folder.File($"{mix.Word}.db"), found, bounded.Token);
        }
        found.Overload = await OverloadTest.RunAsync(folder.File("overload.db"), duration, bounded.Token);

        var isFull = duration.TotalSeconds >= FullSeconds && mixes.Length == Mix.All.Count && FullConnections.All(count => connections.Contains(count) && pipelined.Contains(count));
        var report = IngestReport.Of(found, duration);
        report.Print();
        if (isFull) report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    /// <summary>All loads of a mix on a new database, by turns on the bare server; then what the database holds.</summary>
    private static async Task MeasureAsync(
        Mix mix, Lanes[] lanes, TimeSpan duration, ServiceProcess bare, string path, IngestFindings found, CancellationToken cancellation)
    {
        Console.WriteLine($"  {mix.Description}");
        var receipts = new List<Receipts>();
        if (mix.Past > 0) Past.WriteTo(path, mix.Past);
        using (var service = await ServiceProcess.StartServiceAsync(path, cancellation))
        {
            var warmUps = await WarmUpAsync(service, mix, cancellation);
            receipts.AddRange(warmUps.SelectMany(one => one.Receipts));
            var run = warmUps.Count;
            foreach (var one in lanes)
                foreach (var server in new[] { bare, service })
                {
                    var plan = new LoadPlan(one.Connections, ++run, WarmUp) { Mix = mix, Depth = one.Depth };
                    var warmUp = await Load.RunAsync(server.Address, plan, cancellation);
                    var (cpu, writer) = (server.Cpu, server.WriterCpu);
                    var running = Load.RunAsync(server.Address, plan with { Run = ++run, Duration = duration }, cancellation);
                    if (server == service) found.Peaks[mix] = Larger(found.Peaks.GetValueOrDefault(mix), await PeakAsync(service, running));
                    var load = await running;
                    var row = new IngestRow(mix, one, server == bare, load, PerEvent(server.Cpu - cpu, load), PerEvent(server.WriterCpu - writer, load));
                    found.Rows.Add(row);
                    Console.WriteLine(
                        $"    {(row.IsBare ? "bare Kestrel  " : "WebhookService")} {one,9}: {load.PerSecond,7:N0}/s, p50 {load.Times.P50:0.00} ms, p99 {load.Times.P99:0.00} ms, "
                        + $"refused {load.Refused}, CPU {row.Cpu:0.0} µs{(row.IsBare ? "" : $" (writer {row.WriterCpu:0.0})")}");
                    if (server == service) receipts.AddRange([.. warmUp.Receipts, .. load.Receipts]);
                }
            if (mix == Mix.Real)
            {
                var full = found.Rows.Last(row => row.Mix == mix && !row.IsBare && row.Lanes.Depth == 1).Load.PerSecond;
                found.Reading = await ReadingTest.RunAsync(service, new LoadPlan(ReadingTest.Connections, ++run, duration + duration) { Mix = mix, PerSecond = full / 2 }, cancellation);
                receipts.AddRange(found.Reading.Load.Receipts);
            }
        }
        using var ledger = new Ledger(path);
        found.Ledgers[mix] = ledger.Check(receipts, past: mix.Past);
        if (mix == Mix.PublishOnly) found.BytesPerMessage = ledger.BytesPerMessage(path);
        Console.WriteLine($"    ledger: {found.Ledgers[mix]}; at most {found.Peaks[mix]} in memory");
    }

    /// <summary>Loads until what is hot is compiled.</summary>
    public static async Task<IReadOnlyList<LoadResult>> WarmUpAsync(ServiceProcess server, Mix mix, CancellationToken cancellation)
    {
        var loads = new List<LoadResult>();
        while (loads.Count < MostWarmUps && loads.Sum(load => load.Accepted) < WarmAfter)
            loads.Add(await Load.RunAsync(server.Address, new LoadPlan(64, loads.Count + 1, WarmUp) { Mix = mix }, cancellation));
        return loads;
    }

    /// <summary>The most that a service has in memory until the load is over.</summary>
    public static async Task<Memory> PeakAsync(ServiceProcess service, Task load)
    {
        var peak = service.Memory;
        while (!load.IsCompleted)
        {
            await Task.WhenAny(load, Task.Delay(Glance));
            peak = Larger(peak, service.Memory);
        }
        return peak;
    }

    private static Memory Larger(Memory one, Memory other) => one.Resident >= other.Resident ? one : other;

    private static double PerEvent(TimeSpan cpu, LoadResult load) => cpu.TotalMicroseconds / Math.Max(1, load.Accepted);
}
