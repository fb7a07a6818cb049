namespace WebhookService.Bench.Ingest;

/// <summary>Requests over so many connections, so many of each on their way.</summary>
internal readonly record struct Lanes(int Connections, int Depth)
{
    public override string ToString() => Depth == 1 ? $"{Connections}" : $"{Connections} × {Depth}";
}

internal enum Server
{
    /// <summary>Kestrel alone, which reads the bodies as JSON and keeps nothing.</summary>
    Kestrel,

    /// <summary>The service's host with an endpoint that does no more than that.</summary>
    Host,

    /// <summary>WebhookService as it is.</summary>
    Service,
}

/// <summary>One load on one server.</summary>
/// <param name="Cpu">Of the server, microseconds for each event; <paramref name="WriterCpu"/> is the part of the thread that writes.</param>
/// <param name="Peak">The most that the server had in memory.</param>
internal sealed record IngestRow(Mix Mix, Lanes Lanes, Server Server, LoadResult Load, double Cpu, double WriterCpu, Memory Peak);

/// <summary>What a run of the ingest benchmark found.</summary>
internal sealed record IngestFindings
{
    public required Timings Syncs { get; init; }

    /// <summary>What is told: of several turns the one whose cost is in the middle.</summary>
    public List<IngestRow> Rows { get; } = [];

    /// <summary>All turns.</summary>
    public List<IngestRow> Turns { get; } = [];
    public Dictionary<Mix, LedgerCheck> Ledgers { get; } = [];
    public double? BytesPerMessage { get; set; }
    public ReadingFindings? Reading { get; set; }
    public OverloadFindings? Overload { get; set; }
    public IReadOnlyList<WrkRow> ByWrk { get; set; } = [];

    /// <summary>Null where it was not measured.</summary>
    public IngestRow? Of(Mix mix, Lanes lanes, Server server) => Rows.Find(row => row.Mix == mix && row.Lanes == lanes && row.Server == server);

    /// <summary>The most that the service had in memory during the loads of a mix.</summary>
    public Memory PeakOf(Mix mix) => Turns.Where(row => row.Mix == mix && row.Server is Server.Service).Select(row => row.Peak).MaxBy(peak => peak.Resident);
}

/// <summary>
/// Webhooks from the socket to the disk: how many a second, how long each waits, and what that costs beside a server that keeps nothing. And
/// whether everything that was answered is there.
/// </summary>
internal static class IngestBenchmark
{
    /// <summary>Requests of a connection that EMQX has on their way at most (`enable_pipelining` of its HTTP connector).</summary>
    public const int Pipelined = 100;

    /// <summary>The load by which costs are compared.</summary>
    public static readonly Lanes Usual = new(64, 1);

    /// <summary>Turns that the servers take at that load: shared machines are a third faster at one time than at another.</summary>
    public const int Turns = 5;

    private const int FullSeconds = 3;
    private static readonly int[] FullConnections = [8, 64, 256];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    /// <summary>Requests after which .NET has compiled what is hot; before that a load measures the compiler. Warming up ends after so many rounds.</summary>
    private const int WarmAfter = 150_000;
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
        bounded.CancelAfter(
            TimeSpan.FromMinutes(3) + (3 * Turns * duration) + (mixes.Length * ((((2 * lanes.Length) + (3 * Turns)) * (duration + WarmUp)) + (3 * MostWarmUps * WarmUp) + TimeSpan.FromMinutes(1))));
        using var folder = new TemporaryFolder();
        var found = new IngestFindings { Syncs = Disk.Syncs(folder.File("sync"), times: 200) };
        using (var kestrel = await ServiceProcess.StartAsync("WebhookService.Bench.dll", [BareServer.Verb], "/health/ready", bounded.Token))
        using (var host = await ServiceProcess.StartAsync(
            "WebhookService.Bench.dll", [BareServer.HostVerb], "/health/ready", bounded.Token, ServiceProcess.Settings(folder.File("host.db"))))
        {
            foreach (var bare in new[] { kestrel, host }) await WarmUpAsync(bare, Mix.PublishOnly, bounded.Token);
            foreach (var mix in mixes) await MeasureAsync(mix, lanes, duration, kestrel, host, folder.File($"{mix.Word}.db"), found, bounded.Token);
            if (mixes.Contains(Mix.PublishOnly) && lanes.Contains(Usual)) found.ByWrk = await WrkTest.RunAsync(folder, kestrel, host, duration, bounded.Token);
        }
        found.Overload = await OverloadTest.RunAsync(folder.File("overload.db"), duration, bounded.Token);

        var isFull = duration.TotalSeconds >= FullSeconds && mixes.Length == Mix.All.Count && FullConnections.All(count => connections.Contains(count) && pipelined.Contains(count));
        var report = IngestReport.Of(found, duration);
        report.Print();
        if (isFull) report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    /// <summary>All loads of a mix on a new database, by turns on the bare servers; then what the database holds.</summary>
    private static async Task MeasureAsync(
        Mix mix, Lanes[] lanes, TimeSpan duration, ServiceProcess kestrel, ServiceProcess host, string path, IngestFindings found, CancellationToken cancellation)
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
            {
                (Server, ServiceProcess)[] servers = one == Usual
                    ? [.. Enumerable.Repeat(new[] { (Server.Kestrel, kestrel), (Server.Host, host), (Server.Service, service) }, Turns).SelectMany(turn => turn)]
                    : [(Server.Kestrel, kestrel), (Server.Service, service)];
                var rows = new List<IngestRow>();
                foreach (var (server, process) in servers)
                {
                    var plan = new LoadPlan(one.Connections, ++run, WarmUp) { Mix = mix, Depth = one.Depth };
                    var warmUp = await Load.RunAsync(process.Address, plan, cancellation);
                    var (cpu, writer) = (process.Cpu, process.WriterCpu);
                    var running = Load.RunAsync(process.Address, plan with { Run = ++run, Duration = duration }, cancellation);
                    var peak = await PeakAsync(process, running);
                    var load = await running;
                    var row = new IngestRow(mix, one, server, load, PerEvent(process.Cpu - cpu, load), PerEvent(process.WriterCpu - writer, load), peak);
                    rows.Add(row);
                    Console.WriteLine(
                        $"    {IngestReport.NameOf(server),-14} {one,9}: {load.PerSecond,7:N0}/s, p50 {load.Times.P50:0.00} ms, p99 {load.Times.P99:0.00} ms, "
                        + $"refused {load.Refused}, CPU {row.Cpu:0.0} µs{(server is Server.Service ? $" (writer {row.WriterCpu:0.0})" : "")}");
                    if (server is Server.Service) receipts.AddRange([.. warmUp.Receipts, .. load.Receipts]);
                }
                found.Turns.AddRange(rows);
                found.Rows.AddRange(rows.GroupBy(row => row.Server).Select(turns => turns.OrderBy(row => row.Cpu).ElementAt(turns.Count() / 2)));
            }
            if (mix == Mix.Real)
            {
                var full = found.Rows.Last(row => row.Mix == mix && row.Server is Server.Service && row.Lanes.Depth == 1).Load.PerSecond;
                found.Reading = await ReadingTest.RunAsync(service, new LoadPlan(ReadingTest.Connections, ++run, duration + duration) { Mix = mix, PerSecond = full / 2 }, cancellation);
                receipts.AddRange(found.Reading.Load.Receipts);
            }
        }
        using var ledger = new Ledger(path);
        found.Ledgers[mix] = ledger.Check(receipts, past: mix.Past);
        if (mix == Mix.PublishOnly) found.BytesPerMessage = ledger.BytesPerMessage(path);
        Console.WriteLine($"    ledger: {found.Ledgers[mix]}; at most {found.PeakOf(mix)} in memory");
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
