using WebhookService.Bench.Ingest;

namespace WebhookService.Bench.Deadlines;

/// <summary>A million devices that wait for something: what that costs while nothing happens, and how late they are told when it does.</summary>
internal static class DeadlineBenchmark
{
    private const int FullDevices = 1_000_000;
    private const int Rate = 500;
    private const int IdleSeconds = 30;
    private const int Connections = 8;

    /// <summary>Milliseconds: deadlines have to be told within them.</summary>
    private const double Limit = 1_000;

    private static readonly int[] Ladder = [1_000, 2_000, 4_000, 6_000, 8_000];

    /// <summary>The service is up by then, and .NET has compiled what the start called often once more, which takes it most of a minute and is not what the idleness is to tell.</summary>
    private static readonly TimeSpan Lead = TimeSpan.FromSeconds(80);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(7);

    private sealed record Row(Wave Wave, Timings Times, double CpuMsPerSecond, LoadResult? Ingest);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(Longest);
        var devices = arguments.Number("devices", FullDevices, least: 300_000);
        using var folder = new TemporaryFolder();
        var path = folder.File("deadlines.db");
        var waves = Waves(arguments.Number("seconds", 30));
        var fleet = new DeadlineFleet(devices, waves);
        Console.WriteLine($"Writing {devices:N0} devices");
        var beginning = fleet.WriteTo(path, Lead);

        using var service = await ServiceProcess.StartServiceAsync(path, bounded.Token);
        await UntilAsync(beginning, bounded.Token, "The service was not ready when the measurement had to begin");
        Console.WriteLine($"Idle for {IdleSeconds} s");
        var cpu = service.Cpu;
        await Task.Delay(TimeSpan.FromSeconds(IdleSeconds), bounded.Token);
        var (idle, idleMemory) = ((service.Cpu - cpu).TotalMilliseconds / IdleSeconds, service.Memory);

        var watch = new JournalWatch(path, fleet);
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(bounded.Token);
        var following = Task.Run(() => watch.FollowAsync(watching.Token), bounded.Token);
        var rows = new List<Row>();
        foreach (var wave in waves)
        {
            await UntilAsync(beginning + wave.Start, bounded.Token);
            cpu = service.Cpu;
            var load = wave.WithIngest ? Load.RunAsync(service.Address, new LoadPlan(Connections, Run: 1, TimeSpan.FromSeconds(wave.Seconds)), bounded.Token) : null;
            await UntilAsync(beginning + wave.End, bounded.Token);
            var used = (service.Cpu - cpu).TotalMilliseconds / wave.Seconds;
            var ingest = load is null ? null : await load;
            while (watch.Met(wave) < wave.Devices && (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds < beginning + wave.End + wave.Breath)
                await Task.Delay(50, bounded.Token); // some may still be late
            rows.Add(new(wave, watch.Of(wave), used, ingest));
            Console.WriteLine($"  {wave.Name}: {rows[^1].Times.Count:N0} of {wave.Devices:N0} told, p99 {rows[^1].Times.P99:0} ms");
        }
        var memory = service.Memory;
        await watching.CancelAsync();
        await following;

        var report = Write(devices, rows, idle, idleMemory, memory, watch.Wrong);
        report.Print();
        if (devices >= FullDevices) report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    /// <summary>One after another, each with time to end before the next.</summary>
    private static List<Wave> Waves(int seconds)
    {
        var waves = new List<Wave> { new("as a fleet does", Rate, seconds, (IdleSeconds * 1_000L) + 2_000, Breath: 2_000, WithIngest: false) };
        foreach (var rate in Ladder) waves.Add(new("ever more", rate, 5, waves[^1].End + waves[^1].Breath, Breath: rate, WithIngest: false)); // what is too much takes longer
        waves.Add(new("beside webhooks", Rate, 20, waves[^1].End + waves[^1].Breath, Breath: 2_000, WithIngest: true));
        return waves;
    }

    private static Report Write(int devices, List<Row> rows, double idle, Memory idleMemory, Memory memory, int wrong)
    {
        var report = new Report("Deadlines");
        report.Say(
            $"{devices:N0} devices, each with a deadline. Some fall due at random moments: devices offline for the hold, which is told as `device.offline-confirmed`. "
            + "Lateness is the time from the moment due until another process can read the event in the journal, so the commit is in it. "
            + $"What it costs while nothing is due is measured from {Lead.TotalSeconds:0} seconds after the start on, when .NET has compiled for the last time what the start called often. "
            + "Repeat it with `dotnet run -c Release --project bench -- deadlines`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}.");
        report.Table("load | due/s | seconds | told | p50 ms | p99 ms | max ms | server CPU ms/s", rows.Select(row =>
            $"{row.Wave.Name}{(row.Ingest is { } load ? $" ({load.PerSecond:N0}/s, p99 {load.Times.P99:0.0} ms)" : "")} | {row.Wave.PerSecond:N0} | {row.Wave.Seconds} | "
            + $"{row.Times.Count:N0} of {row.Wave.Devices:N0} | {row.Times.P50:0.0} | {row.Times.P99:0.0} | {row.Times.Max:0} | {row.CpuMsPerSecond:0}"));
        var highest = rows.Where(row => !row.Wave.WithIngest && row.Times.Count == row.Wave.Devices && row.Times.P99 < Limit).Select(row => row.Wave.PerSecond).DefaultIfEmpty().Max();
        report.Say($"The highest of these rates with p99 under {Limit:0} ms: {highest:N0}/s.");
        var checks = rows.Where(row => row.Wave.PerSecond == Rate).Select(row =>
            $"p99 at {Rate}/s, {row.Wave.Name} | {row.Times.P99:0.0} ms | {Limit:0} ms | {report.Verdict(row.Times.P99, Limit)}").ToList();
        // "Stays under 1": nothing may be missing, come twice or come too early.
        var missing = rows.Where(row => row.Wave.PerSecond == Rate).Sum(row => row.Wave.Devices - row.Times.Count) + wrong;
        report.Table("what | value | limit | ",
        [
            .. checks,
            $"deadlines of these not told, told twice or too early | {missing} | 1 | {report.Verdict(missing, 1)}",
            $"CPU while nothing is due | {idle:0.0} ms/s | 10 ms/s | {report.Verdict(idle, 10)}",
            $"resident memory while nothing is due | {idleMemory} | 400 MB | {report.Verdict(idleMemory.Resident / 1e6, 400)}",
            $"resident memory at the end | {memory} | 400 MB | {report.Verdict(memory.Resident / 1e6, 400)}",
        ]);
        return report;
    }

    private static async Task UntilAsync(long time, CancellationToken cancellation, string? tooLate = null)
    {
        var rest = DateTimeOffset.FromUnixTimeMilliseconds(time) - TimeProvider.System.GetUtcNow();
        if (tooLate is not null && rest < TimeSpan.Zero) throw new InvalidOperationException($"{tooLate}; the machine is too busy. Run it again.");
        if (rest > TimeSpan.Zero) await Task.Delay(rest, cancellation);
    }
}
