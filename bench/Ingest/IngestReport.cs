namespace WebhookService.Bench.Ingest;

/// <summary>The section "Webhooks to the disk".</summary>
internal static class IngestReport
{
    private const double RateOfBare = 0.5;
    private const double CpuOfPublish = 2.6;
    private const double CpuOfReal = 3.2;
    private const double PipelinedRate = 0.5;
    private const double RateOfTutorials = 8 * 2_500;
    private const double MedianMs = 1;
    private const double DiskBytes = 450;
    private const double MemoryMb = 250;
    private const double OverloadGrowth = 1.2;
    private const double DeviceMs = 10;
    private const double ListMs = 50;
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(1);
    private static readonly Lanes Few = new(8, 1);
    private static readonly Lanes Many = new(256, 1);
    private static readonly Lanes FewPipelined = new(8, IngestBenchmark.Pipelined);

    public static Report Of(IngestFindings found, TimeSpan duration)
    {
        var report = new Report("Webhooks to the disk");
        var mixes = found.Rows.Select(row => row.Mix).Distinct().ToList();
        report.Say(
            $"Bodies as EMQX 5.8 writes them, of {EmqxBodies.Clients:N0} clients, one event a request, over kept connections; every answer waits for its transaction to be on disk "
            + "(WAL, synchronous=FULL). *64*: 64 connections, each sending when its last request was answered. "
            + $"*8 × {IngestBenchmark.Pipelined}*: 8 connections with up to {IngestBenchmark.Pipelined} requests on their way, pipelined as EMQX does it; "
            + "times are from sending a burst. *Bare Kestrel* reads the same bodies as JSON and keeps nothing; *bare host* is such an endpoint in the service's own host, "
            + "behind all that a webhook passes there. Both run as .NET starts them, without what the service does to the threads that hear of sockets (decision 0018). "
            + $"Each load lasts {duration.TotalSeconds:0} s, by turns on one and the other, and comes from the same machine. Of {IngestBenchmark.Usual} connections each has "
            + $"{IngestBenchmark.Turns} turns, and that with the middle cost is told. "
            + "Repeat it with `dotnet run -c Release --project bench -- ingest`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}. Its disk takes {found.Syncs.P50:0.00} ms (p50), {found.Syncs.P99:0.00} ms (p99) to write and sync one page.");
        foreach (var mix in mixes)
        {
            report.Say($"**{char.ToUpperInvariant(mix.Description[0])}{mix.Description[1..]}** ({mix.Contents}):");
            report.Table(
                "server | connections | requests/s | of bare Kestrel | p50 ms | p99 ms | p99.9 ms | max ms | CPU µs/event | × bare Kestrel | resident MB",
                found.Rows.Where(row => row.Mix == mix).Select(row => Line(found, row)));
        }

        if (found.ByWrk.Count > 0)
        {
            report.Say(
                $"**Publish only, {IngestBenchmark.Usual} connections, driven by `wrk`** with requests of the same shape, likewise {IngestBenchmark.Turns} turns each, "
                + "of which that with the middle rate is told. wrk corrects its times for what it could not send meanwhile:");
            report.Table("server | requests/s | of bare Kestrel | p50 ms | p99 ms | CPU µs/event | × bare Kestrel", found.ByWrk.Select(row => Line(found, row)));
        }

        var checks = new List<string>();
        if (found.Of(Mix.PublishOnly, IngestBenchmark.Usual, Server.Service) is { } usual)
        {
            foreach (var bare in Bare(usual)) checks.Add(AtLeast($"rate at 64 connections, of the {NameOf(bare.Server)}'s", usual.Load.PerSecond / bare.Load.PerSecond, RateOfBare, "0.00"));
            checks.Add(AtLeast("requests/s at 64 connections; the receivers of the tutorials take 2,500", usual.Load.PerSecond, RateOfTutorials, "N0"));
            foreach (var bare in Bare(usual)) checks.Add(AtMost($"CPU of an event at 64 connections, publish only, times the {NameOf(bare.Server)}'s", usual.Cpu / bare.Cpu, CpuOfPublish, "0.00"));
            checks.Add(AtMost("p99 at 64 connections, ms", usual.Load.Times.P99, OverloadTest.Usual, "0.00"));
        }
        if (found.ByWrk.FirstOrDefault(row => row.Server is Server.Service) is { } byWrk)
        {
            foreach (var bare in found.ByWrk.Where(row => row != byWrk))
                checks.Add(AtLeast($"rate at 64 connections driven by wrk, of the {NameOf(bare.Server)}'s", byWrk.PerSecond / bare.PerSecond, RateOfBare, "0.00"));
            checks.Add(Zero("answers of 400 and more to wrk, and answers that did not come", found.ByWrk.Sum(row => row.Failed)));
        }
        if (found.Of(Mix.Real, IngestBenchmark.Usual, Server.Service) is { } real)
            foreach (var bare in Bare(real)) checks.Add(AtMost($"CPU of an event at 64 connections, real mix, times the {NameOf(bare.Server)}'s", real.Cpu / bare.Cpu, CpuOfReal, "0.00"));
        if (found.Of(Mix.PublishOnly, Few, Server.Service) is { } few) checks.Add(AtMost("p50 at 8 connections, ms", few.Load.Times.P50, MedianMs, "0.00"));
        if (found.Of(Mix.PublishOnly, Many, Server.Service) is { } many && found.Of(Mix.PublishOnly, FewPipelined, Server.Service) is { } pipelined)
            checks.Add(AtLeast($"rate at {FewPipelined}, of that at {Many} connections", pipelined.Load.PerSecond / many.Load.PerSecond, PipelinedRate, "0.00"));
        if (found.BytesPerMessage is { } bytes) checks.Add(AtMost("bytes in the file for each message of publish only, all included", bytes, DiskBytes, "0"));
        foreach (var mix in mixes)
            checks.Add(AtMost(
                $"{mix.Description}: resident memory at most, {found.PeakOf(mix).OfFiles / 1e6:0} MB of it mapped files, MB", found.PeakOf(mix).Resident / 1e6, MemoryMb, "0"));
        checks.Add(Zero("answers other than 200 with one event accepted", found.Turns.Sum(row => row.Load.Refused) + (found.Reading?.Load.Refused ?? 0)));
        foreach (var (mix, ledger) in found.Ledgers) checks.Add(Zero($"{mix.Description}: events lost, stored twice, or stored without an answer; {ledger.Acknowledged:N0} were answered 200", ledger.Mistakes));
        if (found.Reading is { } reading)
        {
            var beside = $"beside {reading.Load.PerSecond:N0} events/s of the real mix, half of what it takes: p99, ms";
            checks.Add(AtMost($"device by id {beside}", reading.DeviceById.P99, DeviceMs, "0.00"));
            checks.Add(AtMost($"devices of a username and status {beside}", reading.List.P99, ListMs, "0.00"));
            checks.Add(AtMost($"messages of a topic {beside}", reading.MessagesOfTopic.P99, ListMs, "0.00"));
        }
        if (found.Overload is { } overload)
        {
            checks.Add(AtLeast($"overload, {OverloadTest.Connections:N0} requests at once, ten times what the queue (made short) takes: answers 429", overload.Load.HeldBack, 1, "N0"));
            checks.Add(Zero("overload: answers other than 200 and 429", overload.Load.Refused - overload.Load.HeldBack));
            checks.Add(Zero($"overload: events lost, stored twice, or stored without an answer; {overload.Ledger.Acknowledged:N0} were answered 200", overload.Ledger.Mistakes));
            checks.Add(AtMost(
                $"overload: resident memory in its second half, {overload.After}, of that in its first", overload.After.Resident / (double)overload.Before.Resident, OverloadGrowth, "0.00"));
            checks.Add(AtMost("overload: s until the usual times again", overload.Recovery?.TotalSeconds ?? double.NaN, Recovery.TotalSeconds, "0.00"));
        }
        return report.Table("what | value | limit | ", checks);

        IEnumerable<IngestRow> Bare(IngestRow row) =>
            new[] { Server.Kestrel, Server.Host }.Select(server => found.Of(row.Mix, row.Lanes, server)).OfType<IngestRow>();
        string AtMost(string what, double value, double limit, string format) => $"{what} | {value.ToString(format)} | ≤ {limit:#,0.##} | {report.AtMost(value, limit)}";
        string AtLeast(string what, double value, double limit, string format) => $"{what} | {value.ToString(format)} | ≥ {limit:#,0.##} | {report.AtLeast(value, limit)}";
        string Zero(string what, long value) => $"{what} | {value:N0} | 0 | {report.AtMost(value, 0)}";
    }

    public static string NameOf(Server server) => server switch
    {
        Server.Kestrel => "bare Kestrel",
        Server.Host => "bare host",
        _ => "WebhookService",
    };

    private static string Line(IngestFindings found, WrkRow row)
    {
        var kestrel = found.ByWrk.First(one => one.Server is Server.Kestrel);
        var (rate, cpu) = row == kestrel ? ("", "") : Ratios(row.PerSecond / kestrel.PerSecond, row.Cpu / kestrel.Cpu);
        return $"{NameOf(row.Server)} | {row.PerSecond:N0} | {rate} | {row.P50:0.00} | {row.P99:0.00} | {row.Cpu:0} | {cpu}";
    }

    private static string Line(IngestFindings found, IngestRow row)
    {
        var (times, kestrel) = (row.Load.Times, found.Of(row.Mix, row.Lanes, Server.Kestrel)!);
        var (rate, cpu) = row == kestrel ? ("", "") : Ratios(row.Load.PerSecond / kestrel.Load.PerSecond, row.Cpu / kestrel.Cpu);
        return $"{NameOf(row.Server)} | {row.Lanes} | {row.Load.PerSecond:N0} | {rate} | {times.P50:0.00} | {times.P99:0.00} | {times.P999:0.00} | {times.Max:0.0} | {row.Cpu:0} | {cpu} | {row.Peak.Resident / 1e6:0}";
    }

    private static (string Rate, string Cpu) Ratios(double rate, double cpu) => ($"{rate:0.00}", $"{cpu:0.0}");
}
