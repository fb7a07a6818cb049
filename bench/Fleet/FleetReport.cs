namespace WebhookService.Bench.Fleet;

/// <summary>What a run of the fleet benchmark found.</summary>
internal sealed record FleetMeasurement
{
    public required long FileBytes { get; init; }
    public required TimeSpan StartToReady { get; init; }

    /// <summary>None of the file was in memory at the start.</summary>
    public required bool IsCold { get; init; }
    public required IReadOnlyDictionary<FleetQuery, Timings> Cold { get; init; }
    public required IReadOnlyDictionary<FleetQuery, Timings> Warm { get; init; }
    public required IReadOnlyList<DeepList> Lists { get; init; }
    public required Memory MemoryAtStart { get; init; }
    public required Memory MemoryAfterQueries { get; init; }
    public required Memory MemoryAfterCrowd { get; init; }
    public required IReadOnlyDictionary<FleetQuery, Timings> WholeLedger { get; init; }
    public required Memory MemoryAfterWholeLedger { get; init; }
}

/// <summary>The section "A million devices".</summary>
internal static class FleetReport
{
    private const double ReadyLimitSeconds = 5;
    private const double MemoryLimitMb = 400;
    private const double DepthLimit = 2;

    public static Report Of(FleetSample sample, FleetMeasurement found)
    {
        var report = new Report("A million devices");
        report.Say(
            $"{sample.Devices:N0} devices ({sample.Online:N0} online) and {sample.Messages:N0} messages in a SQLite file of {found.FileBytes / 1e9:0.0} GB. "
            + "Repeat it with `dotnet run -c Release --project bench -- fleet`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}. The limits are targets for 2 cores that have nothing else to do.");
        report.Say(
            $"Milliseconds over HTTP with keep-alive, one request at a time, {FleetBenchmark.Requests} of each kind in turn, with different arguments; pages of 50. "
            + $"Cold: the first {FleetBenchmark.ColdRequests} of each kind after the start{(found.IsCold ? ", none of the file in memory" : "")}. "
            + "The others: the file was read once before, and the code is warm. Limits hold for p95; "
            + "the row `nothing` shows what HTTP and the machine's other work make of it.");
        report.Table("query | cold, first | cold, p50 | p50 | p95 | max | limit | ", found.Warm.Select(row =>
        {
            var ((query, times), first) = (row, found.Cold.GetValueOrDefault(row.Key));
            var limit = query.LimitMs is { } most ? $"{most:0} | {report.Verdict(times.P95, most)}" : " | ";
            return $"{query.Name} | {Ms(first?.First)} | {Ms(first?.P50)} | {Ms(times.P50)} | {Ms(times.P95)} | {Ms(times.Max)} | {limit}";
        }));

        report.Say($"Questions that look at the ledger of every device ({sample.Sessions:N0} sessions), {FleetBenchmark.WholeLedgerRequests} of each, in seconds.");
        report.Table("query | p50 | max", found.WholeLedger.Select(row => $"{row.Key.Name} | {row.Value.P50 / 1_000:0.00} | {row.Value.Max / 1_000:0.00}"));

        string Depth(DeepList list)
        {
            var ratio = found.Warm[list.Deep].P50 / found.Warm[list.First].P50;
            return $"p50 of page {list.DeepPage:N0} against page 1, sort={list.Sort} | {ratio:0.00}× | {DepthLimit:0}× | {report.Verdict(ratio, DepthLimit)}";
        }
        string Held(string when, Memory memory) =>
            $"resident memory {when} | {memory} | {MemoryLimitMb:0} MB | {report.Verdict(memory.Resident / 1e6, MemoryLimitMb)}";
        var ready = found.StartToReady.TotalSeconds;
        return report.Table("what | value | limit | ", [
            .. found.Lists.Select(Depth),
            $"start to ready | {ready:0.00} s | {ReadyLimitSeconds:0} s | {report.Verdict(ready, ReadyLimitSeconds)}",
            Held("after the start", found.MemoryAtStart),
            Held("after these queries", found.MemoryAfterQueries),
            Held($"after them again, {FleetBenchmark.AtOnce} at a time", found.MemoryAfterCrowd),
            Held("after the questions to the whole ledger", found.MemoryAfterWholeLedger),
        ]);
    }

    private static string Ms(double? milliseconds) => milliseconds is { } value ? value.ToString(value < 10 ? "0.00" : "0.0") : "";
}
