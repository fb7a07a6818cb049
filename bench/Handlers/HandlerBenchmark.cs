using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Bench.Ingest;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Handlers;

/// <summary>What business handlers that do nothing cost: how many events a second they get, how far they lag behind, and what is left of the ingest.</summary>
internal static class HandlerBenchmark
{
    private const int FullSize = 1_000_000;
    private const int Invocations = 100_000;
    private const int Handlers = 5;

    /// <summary>Of the ingest without handlers, that with them has to reach so much.</summary>
    private const double LeastShare = 0.8;

    /// <summary>Loads of each server, in turn.</summary>
    private const int Rounds = 5;

    /// <summary>Until .NET has compiled what is hot; before that a load measures the compiler.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>After so long without any progress something is wrong.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task<int> RunAsync(Arguments arguments, CancellationToken interrupted)
    {
        var (events, seconds, connections) = (arguments.Number("events", FullSize, least: Invocations), arguments.Number("seconds", 10), arguments.Number("connections", 64));
        var report = new Report("Business handlers");
        report.Say("Handlers that want every event and do nothing with it. Repeat it with `dotnet run -c Release --project bench -- handlers`.");
        using var folder = new TemporaryFolder();

        await ReplayAsync(report, folder.File("replay.db"), events, interrupted);
        await IngestAsync(report, folder, TimeSpan.FromSeconds(seconds), connections, interrupted);

        report.Say($"Machine: {Machine.Description}; at the end {Machine.Load}.");
        report.Print();
        if (events == FullSize) report.WriteInto(Report.DefaultPath);
        return report.AllPassed ? 0 : 1;
    }

    /// <summary>A journal of many events, handled again: killed and restarted in the middle, called off near the end.</summary>
    private static async Task ReplayAsync(Report report, string path, int events, CancellationToken cancellation)
    {
        Console.WriteLine($"  writing a journal of {events:N0} events");
        WriteJournal(path, events);
        var (handled, took, atRestart, atCancel) = (0L, TimeSpan.Zero, 0L, 0L);
        using (var service = await StartAsync(path, 1, cancellation))
        using (var handler = new Handler(service))
        {
            // The last ones first: the code gets warm, and the number is that of a small backlog.
            await handler.ReplayAsync(events - Invocations + 1, cancellation);
            await handler.UntilAsync(state => state.Lag == 0, cancellation);
            var before = await handler.StateAsync(cancellation);
            var watch = Stopwatch.StartNew();
            await handler.ReplayAsync(events - Invocations + 1, cancellation);
            var after = await handler.UntilAsync(state => state.Lag == 0, cancellation);
            report.Say($"{after.Handled - before.Handled:N0} invocations of one handler, from a backlog: {(after.Handled - before.Handled) / watch.Elapsed.TotalSeconds:N0}/s.");

            watch.Restart();
            await handler.ReplayAsync(1, cancellation);
            var middle = await handler.UntilAsync(state => state.Position >= events / 2, cancellation);
            (handled, took, atRestart) = (middle.Handled - after.Handled, watch.Elapsed, middle.Position);
        } // killed
        using (var service = await StartAsync(path, 1, cancellation))
        using (var handler = new Handler(service))
        {
            var back = await handler.StateAsync(cancellation);
            var watch = Stopwatch.StartNew();
            var near = await handler.UntilAsync(state => state.Position >= events / 20 * 19, cancellation);
            (handled, took, atCancel) = (handled + near.Handled - back.Handled, took + watch.Elapsed, near.Position);
            await handler.EndReplayAsync(cancellation);
            var end = await handler.StateAsync(cancellation);
            report.Say(
                $"Replay of {events:N0} events: killed at {atRestart:N0}, went on at {back.Position:N0}, called off at {atCancel:N0}; {handled / took.TotalSeconds:N0}/s. "
                + $"Events between the place at the kill and the first one after it, beyond a second's work: {report.Verdict(Math.Max(0, atRestart - back.Position - (handled / took.TotalSeconds)), 1)}. "
                + $"Lag after it was called off: {report.Verdict(end.Lag, 1)}.");
        }
    }

    /// <summary>The same load on the service without handlers and with five of them, in turn, so that what else the machine does falls on both.</summary>
    private static async Task IngestAsync(Report report, TemporaryFolder folder, TimeSpan duration, int connections, CancellationToken cancellation)
    {
        using var without = await StartAsync(folder.File("without.db"), 0, cancellation);
        using var with = await StartAsync(folder.File("with.db"), Handlers, cancellation);
        using var handler = new Handler(with);
        var (rows, run, lags) = (new List<Row>(), 1_000L, new List<long>());
        foreach (var server in new[] { without, with }) await Load.RunAsync(server.Address, new LoadPlan(connections, ++run, WarmUp), cancellation);
        await handler.UntilAsync(state => state.Lag == 0, cancellation);
        for (var round = 0; round < Rounds; round++)
        {
            var cpu = without.Cpu;
            var alone = await Load.RunAsync(without.Address, new LoadPlan(connections, ++run, duration), cancellation);
            rows.Add(new(false, alone, without.Cpu - cpu));
            cpu = with.Cpu;
            var load = Load.RunAsync(with.Address, new LoadPlan(connections, ++run, duration), cancellation);
            while (!load.IsCompleted)
            {
                lags.Add((await handler.StateAsync(cancellation)).Lag);
                await Task.Delay(Poll, cancellation);
            }
            var loaded = await load;
            await handler.UntilAsync(state => state.Lag == 0, cancellation); // the other server's turn shall be its own
            rows.Add(new(true, loaded, with.Cpu - cpu));
            Console.WriteLine($"  ingest without handlers {alone.PerSecond:N0}/s, with {Handlers} {loaded.PerSecond:N0}/s, lag {lags[^1]:N0}");
        }
        var share = Rate(withHandlers: true) / Rate(withHandlers: false);
        report.Table("ingest | requests/s | p50 ms | p99 ms | server CPU µs/request", rows.Select(row =>
            $"{(row.HasHandlers ? $"{Handlers} handlers" : "no handlers")} | {row.Load.PerSecond:N0} | {row.Load.Times.P50:0.00} | {row.Load.Times.P99:0.00} | {row.Cpu.TotalMicroseconds / Math.Max(1, row.Load.Accepted):0}"));
        report.Say(
            $"{connections} connections, {duration.TotalSeconds:0} s each in turn; an event each, handled {Handlers} times. With handlers {share:0.00} of the rate without: {report.Verdict(-share, -LeastShare)} (limit {LeastShare:0.0}). "
            + $"Lag of one of them during the load: {new Timings([.. lags.Select(lag => (double)lag)]).P50:N0} events (median), {lags.Max():N0} at most.");

        double Rate(bool withHandlers) => rows.Where(row => row.HasHandlers == withHandlers).Sum(row => row.Load.PerSecond);
    }

    private static Task<ServiceProcess> StartAsync(string path, int handlers, CancellationToken cancellation) => ServiceProcess.StartAsync(
        "WebhookService.Bench.dll", [HandlerServer.Verb], "/health/ready", cancellation,
        [.. ServiceProcess.Settings(path), .. Enumerable.Range(1, handlers).Select(n => ($"Handlers__bench-{n}__Enabled", "true"))]);

    private static void WriteJournal(string path, int events)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, ForeignKeys = false }.ConnectionString);
        connection.Open();
        connection.Execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        Migrator.Migrate(connection);
        connection.Execute(
            """
            BEGIN;
            INSERT INTO event_types (type_no, name) VALUES (1000, 'emqx.bench');
            INSERT INTO clients (client_no, client_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, printf('sensor-%05d', i) FROM n;
            INSERT INTO journal (seq, type_no, at, client_no, data)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @events)
            SELECT i, 1000, 1767225600000 + i, 1 + i * 7919 % 10000, '{"event":"bench","n":' || i || '}' FROM n;
            COMMIT;
            PRAGMA journal_mode=WAL;
            """, new { events });
    }

    /// <param name="Cpu">Of the server, until its handlers had handled all.</param>
    private sealed record Row(bool HasHandlers, LoadResult Load, TimeSpan Cpu);

    private sealed record State(long Position, long Lag, long Handled);

    /// <summary>The first of the handlers, by its levers.</summary>
    private sealed class Handler : IDisposable
    {
        private const string Path = "api/v1/handlers/bench-1";
        private readonly HttpClient http;

        public Handler(ServiceProcess service) => http = new()
        {
            BaseAddress = service.Address,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", ServiceProcess.Token) },
        };

        public async Task<State> StateAsync(CancellationToken cancellation)
        {
            var answer = JsonNode.Parse(await http.GetStringAsync(Path, cancellation))!;
            return new((long)answer["position"]!, (long)answer["lag"]!, (long)answer["handled"]!);
        }

        public async Task ReplayAsync(long from, CancellationToken cancellation)
        {
            using var answer = await http.PostAsJsonAsync($"{Path}/replay", new { from = $"{from}" }, cancellation);
            answer.EnsureSuccessStatusCode();
        }

        public async Task EndReplayAsync(CancellationToken cancellation)
        {
            using var answer = await http.DeleteAsync($"{Path}/replay", cancellation);
            answer.EnsureSuccessStatusCode();
        }

        /// <exception cref="InvalidOperationException">It makes no progress.</exception>
        public async Task<State> UntilAsync(Func<State, bool> reached, CancellationToken cancellation)
        {
            var (last, since) = (await StateAsync(cancellation), Stopwatch.StartNew());
            while (!reached(last))
            {
                await Task.Delay(Poll, cancellation);
                var next = await StateAsync(cancellation);
                if (next.Position != last.Position) since.Restart();
                if (since.Elapsed > Patience) throw new InvalidOperationException($"The handler stands at {last.Position}, {last.Lag} behind.");
                last = next;
            }
            return last;
        }

        public void Dispose() => http.Dispose();
    }
}
