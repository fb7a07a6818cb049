using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using WebhookService.Bench.Ingest;

namespace WebhookService.Bench.Retention;

/// <summary>What removing costs those who send: the same load on a service that keeps all, and on one that removes as fast as it stores.</summary>
internal static class RetentionBenchmark
{
    private const int Kept = 20_000;
    private const int Connections = 32;
    private const int Rounds = 3;

    private sealed record Row(string Service, int Round, LoadResult Load, double CaughtUpAfter);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        var duration = TimeSpan.FromSeconds(arguments.Number("seconds", 8));
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(TimeSpan.FromMinutes(4) + (4 * Rounds * duration));
        using var folder = new TemporaryFolder();
        var (rows, accepted, run) = (new List<Row>(), 0L, 0L);
        var bounds = new[] { ("Retention__Messages__MaxCount", $"{Kept}"), ("Retention__Journal__MaxCount", $"{2 * Kept}"), ("Retention__Interval", "00:00:01") };
        using (var all = await ServiceProcess.StartServiceAsync(folder.File("all.db"), bounded.Token))
        using (var few = await ServiceProcess.StartServiceAsync(folder.File("few.db"), bounded.Token, bounds))
            for (var round = 0; round <= Rounds; round++)
                foreach (var (name, service) in new[] { ("keeps all", all), ($"keeps {Kept:N0}", few) })
                {
                    var load = await Load.RunAsync(service.Address, new LoadPlan(Connections, ++run, duration), bounded.Token);
                    var watch = Stopwatch.StartNew();
                    if (service == few)
                    {
                        accepted += load.Accepted;
                        await CaughtUpAsync(service, bounded.Token); // else it would disturb the other
                    }
                    if (round == 0) continue; // .NET has still to compile
                    rows.Add(new(name, round, load, watch.Elapsed.TotalSeconds));
                    Console.WriteLine($"  {name}: {load.PerSecond:N0}/s, p50 {load.Times.P50:0.00} ms, p99 {load.Times.P99:0.00} ms, caught up after {watch.Elapsed.TotalSeconds:0.0} s");
                }

        var report = Write(rows, duration, accepted, CountNewest(folder.File("few.db"), accepted));
        report.Print();
        report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    private static Report Write(List<Row> rows, TimeSpan duration, long accepted, long newest)
    {
        var report = new Report("Retention while webhooks come in");
        report.Say(
            $"The load of `ingest` over {Connections} connections, {duration.TotalSeconds:0} s by turns on a service that keeps all and on one that keeps {Kept:N0} messages and {2 * Kept:N0} events, "
            + "so that all it stores makes it remove as much. Repeat it with `dotnet run -c Release --project bench -- retention`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}.");
        report.Table("service | round | requests/s | p50 ms | p99 ms | max ms | within its bounds after s", rows.Select(row =>
            $"{row.Service} | {row.Round} | {row.Load.PerSecond:N0} | {row.Load.Times.P50:0.00} | {row.Load.Times.P99:0.00} | {row.Load.Times.Max:0.0} | {row.CaughtUpAfter:0.0}"));
        var ratio = rows.Where((_, i) => i % 2 == 1).Average(row => row.Load.PerSecond) / rows.Where((_, i) => i % 2 == 0).Average(row => row.Load.PerSecond);
        report.Say($"Rate with removing, of that without: {ratio:0.00}. Least allowed 0.4, since removing may take half of the writer where it falls behind: {report.Verdict(0.4, ratio)}.");
        report.Say($"Ledger: of {accepted:N0} messages answered 200, {newest:N0} of the newest {Kept:N0} are there: {report.Verdict(Kept - newest, 1)}. Refused: {report.Verdict(rows.Sum(row => row.Load.Refused), 1)}.");
        return report;
    }

    /// <summary>Waits until the journal is within its bound.</summary>
    private static async Task CaughtUpAsync(ServiceProcess service, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = service.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ServiceProcess.Token);
        while (true)
        {
            var stats = JsonElement.Parse(await http.GetStringAsync("/api/v1/stats", cancellation));
            var journal = stats.GetProperty("journal");
            if (journal.GetProperty("head").GetInt64() - journal.GetProperty("oldest").GetInt64() < 2 * Kept
                && stats.GetProperty("messages").GetProperty("total").GetInt64() < Kept + 20_000) return; // with the last of each topic
            await Task.Delay(100, cancellation);
        }
    }

    private static long CountNewest(string path, long accepted)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM messages WHERE message_no > {accepted - Kept}";
        return (long)command.ExecuteScalar()!;
    }
}
