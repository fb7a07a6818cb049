using Microsoft.Data.Sqlite;

namespace WebhookService.Bench.Ingest;

/// <summary>Webhooks from the socket to the disk: how many a second, how long each waits, and what that costs beside a server that keeps nothing.</summary>
internal static class IngestBenchmark
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    /// <summary>Requests after which .NET has compiled what is hot; before that a load measures the compiler. Warming up ends after so many rounds.</summary>
    private const int WarmAfter = 30_000;
    private const int MostWarmUps = 10;

    private sealed record Row(string Server, int Connections, LoadResult Load, double CpuMicroseconds, double WriterMicroseconds);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        var (duration, connections) = (TimeSpan.FromSeconds(arguments.Number("seconds", 10)), arguments.Numbers("connections", [8, 64]));
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        bounded.CancelAfter(TimeSpan.FromMinutes(2) + (2 * connections.Length * (duration + WarmUp)) + (2 * MostWarmUps * WarmUp));
        using var folder = new TemporaryFolder();
        var path = folder.File("ingest.db");
        var syncs = Disk.Syncs(folder.File("sync"), times: 200);
        var (rows, accepted, run) = (new List<Row>(), 0L, 0L);

        using (var bare = await ServiceProcess.StartAsync("WebhookService.Bench.dll", [BareServer.Verb], "/health/ready", bounded.Token))
        using (var service = await ServiceProcess.StartServiceAsync(path, bounded.Token))
        {
            foreach (var server in new[] { bare, service })
                for (var (round, sent) = (0, 0); round < MostWarmUps && sent < WarmAfter; round++)
                {
                    var warmUp = await Load.RunAsync(server.Address, connections.Max(), ++run, WarmUp, bounded.Token);
                    sent += warmUp.Accepted;
                    if (server == service) accepted += warmUp.Accepted;
                }
            foreach (var count in connections)
                foreach (var (name, server) in new[] { ("bare Kestrel", bare), ("WebhookService", service) })
                {
                    var warmUp = await Load.RunAsync(server.Address, count, ++run, WarmUp, bounded.Token);
                    var (cpu, writer) = (server.Cpu, server.WriterCpu);
                    var load = await Load.RunAsync(server.Address, count, ++run, duration, bounded.Token);
                    rows.Add(new(name, count, load, (server.Cpu - cpu).TotalMicroseconds / Math.Max(1, load.Accepted), (server.WriterCpu - writer).TotalMicroseconds / Math.Max(1, load.Accepted)));
                    if (server == service) accepted += warmUp.Accepted + load.Accepted;
                    Console.WriteLine($"  {name}, {count} connections: {load.PerSecond:N0}/s, p50 {load.Times.P50:0.00} ms, p99 {load.Times.P99:0.00} ms, refused {load.Refused}, CPU {rows[^1].CpuMicroseconds:0.0} µs, writer {rows[^1].WriterMicroseconds:0.0}");
                }
        }

        var stored = CountMessages(path);
        var report = Write(rows, syncs, accepted, stored);
        report.Print();
        report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    private static Report Write(List<Row> rows, Timings syncs, long accepted, long stored)
    {
        var report = new Report("Webhooks to the disk");
        report.Say(
            "EMQX 5.8 `message.publish` bodies of 10,000 clients, one event a request, each connection sending when its last request was answered; "
            + "every answer waits for its transaction to be on disk. The load comes from the same machine. "
            + "Repeat it with `dotnet run -c Release --project bench -- ingest`.");
        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}. Its disk takes {syncs.P50:0.00} ms (p50), {syncs.P99:0.00} ms (p99) to write and sync one page.");
        report.Table("server | connections | requests/s | p50 ms | p99 ms | max ms | server CPU µs/request", rows.Select(row =>
            $"{row.Server} | {row.Connections} | {row.Load.PerSecond:N0} | {row.Load.Times.P50:0.00} | {row.Load.Times.P99:0.00} | {row.Load.Times.Max:0.0} | {row.CpuMicroseconds:0}"));
        foreach (var pair in rows.GroupBy(row => row.Connections))
        {
            var (bare, service) = (pair.First(), pair.Last());
            report.Say(
                $"{pair.Key} connections: {service.Load.PerSecond / bare.Load.PerSecond:0.00} of the bare server's rate, "
                + $"{service.CpuMicroseconds / bare.CpuMicroseconds:0.0} times its processor time.");
        }
        // "Stays under 1": any difference, in either direction, misses it.
        report.Say($"Ledger: {accepted:N0} requests answered 200, {stored:N0} rows in `messages`: {report.Verdict(Math.Abs(accepted - stored), 1)}.");
        report.Say($"Answers other than 200 with one event accepted: {report.Verdict(rows.Sum(row => row.Load.Refused), 1)}.");
        return report;
    }

    private static long CountMessages(string path)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM messages";
        return (long)command.ExecuteScalar()!;
    }
}
