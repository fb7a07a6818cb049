using System.Diagnostics;

namespace WebhookService.Bench.Ingest;

/// <summary>What became of ten times too much.</summary>
/// <param name="Before">The most that the service had in memory in the first half of it; <paramref name="After"/> in the second.</param>
/// <param name="Recovery">From the end of it until a load had its usual times again; null if that took too long to wait for.</param>
internal sealed record OverloadFindings(LoadResult Load, Memory Before, Memory After, LedgerCheck Ledger, TimeSpan? Recovery);

/// <summary>
/// Ten times as many requests at once as the service takes and holds back, from senders that never wait. Its queue is made short for that: what the default
/// one takes and writes within its two seconds of holding back is more than one machine's connections could send at once.
/// </summary>
internal static class OverloadTest
{
    public const int Connections = 10 * (Queue + HeldBack);

    /// <summary>Milliseconds within which 99 of 100 answers come when there is not too much.</summary>
    public const double Usual = 25;

    private const int Queue = 100;
    private const int HeldBack = 200; // what the service writes in the time of holding back, and more
    private const int Calm = 8;

    /// <summary>Each half of it at the least: what memory takes up in the first seconds, it takes up once.</summary>
    private static readonly TimeSpan LeastHalf = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static async Task<OverloadFindings> RunAsync(string path, TimeSpan duration, CancellationToken cancellation)
    {
        var half = duration > LeastHalf ? duration : LeastHalf;
        Console.WriteLine($"  overload: {Connections:N0} requests at once");
        var (receipts, run) = (new List<Receipts>(), 1_000L);
        LoadResult load;
        Memory before, after;
        TimeSpan? recovery = null;
        using (var service = await ServiceProcess.StartServiceAsync(
            path, cancellation, ("Ingest__Queue__Capacity", $"{Queue}"), ("Ingest__Queue__Hold", "00:00:00.010")))
        {
            foreach (var warmUp in await IngestBenchmark.WarmUpAsync(service, Mix.PublishOnly, cancellation)) receipts.AddRange(warmUp.Receipts);
            var running = Load.RunAsync(service.Address, new LoadPlan(Connections, ++run, half + half), cancellation);
            before = await IngestBenchmark.PeakAsync(service, Task.WhenAny(running, Task.Delay(half, cancellation)));
            after = await IngestBenchmark.PeakAsync(service, running);
            load = await running;
            receipts.AddRange(load.Receipts);

            var watch = Stopwatch.StartNew();
            while (recovery is null && watch.Elapsed < Patience)
            {
                var calm = await Load.RunAsync(service.Address, new LoadPlan(Calm, ++run, Slice), cancellation);
                receipts.AddRange(calm.Receipts);
                if (calm.Refused == 0 && calm.Times.P99 <= Usual) recovery = watch.Elapsed;
            }
        }
        using var ledger = new Ledger(path);
        var found = new OverloadFindings(load, before, after, ledger.Check(receipts), recovery);
        Console.WriteLine(
            $"    {found.Load.PerSecond:N0}/s taken, {found.Load.HeldBack:N0} answers 429, {found.Load.Refused - found.Load.HeldBack} others, {found.Before}, then {found.After}, "
            + $"recovered after {found.Recovery?.TotalSeconds:0.00} s; ledger: {found.Ledger}");
        return found;
    }
}
