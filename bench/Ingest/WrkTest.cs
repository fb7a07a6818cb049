using System.Diagnostics;
using System.Globalization;

namespace WebhookService.Bench.Ingest;

/// <summary>What wrk said of one load.</summary>
/// <param name="Cpu">Of the server, microseconds for each request.</param>
/// <param name="Failed">Answers of 400 and more, broken connections and answers that did not come.</param>
internal sealed record WrkRow(Server Server, double PerSecond, double P50, double P99, double Cpu, long Failed);

/// <summary>
/// The usual load of messages once more, driven by wrk (github.com/wg/wrk): a generator that others know, and that says whether ours is what was measured.
/// It tells nothing of single answers, so the ledger is left to ours.
/// </summary>
internal static class WrkTest
{
    private const string Program = "wrk";
    private const int Threads = 2;
    private const string Told = "told: "; // begins the line that our script writes at the end

    /// <returns>Of each server the turn whose rate is in the middle; none where wrk is not installed.</returns>
    public static async Task<IReadOnlyList<WrkRow>> RunAsync(
        TemporaryFolder folder, ServiceProcess kestrel, ServiceProcess host, TimeSpan duration, CancellationToken cancellation)
    {
        if (!IsInstalled())
        {
            Console.WriteLine("    wrk is not installed, so nothing is driven by it");
            return [];
        }
        using var service = await ServiceProcess.StartServiceAsync(folder.File("wrk.db"), cancellation);
        var run = (await IngestBenchmark.WarmUpAsync(service, Mix.PublishOnly, cancellation)).Count;
        var rows = new List<WrkRow>();
        for (var turn = 0; turn < IngestBenchmark.Turns; turn++)
            foreach (var (server, process) in new[] { (Server.Kestrel, kestrel), (Server.Host, host), (Server.Service, service) })
            {
                var script = folder.File("requests.lua");
                await File.WriteAllTextAsync(script, Script(process.Address, ++run), cancellation);
                var row = await DriveAsync(server, process, script, duration, cancellation);
                rows.Add(row);
                Console.WriteLine($"    {IngestReport.NameOf(server),-14} by wrk: {row.PerSecond,7:N0}/s, p50 {row.P50:0.00} ms, p99 {row.P99:0.00} ms, failed {row.Failed}, CPU {row.Cpu:0.0} µs");
            }
        return [.. rows.GroupBy(row => row.Server).Select(turns => turns.OrderBy(row => row.PerSecond).ElementAt(turns.Count() / 2))];
    }

    private static async Task<WrkRow> DriveAsync(Server server, ServiceProcess process, string script, TimeSpan duration, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(
            Program, [$"-t{Threads}", $"-c{IngestBenchmark.Usual.Connections}", $"-d{duration.TotalSeconds:0}s", "-s", script, new Uri(process.Address, "/webhook/emqx").ToString()])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        var cpu = process.Cpu;
        using var wrk = Process.Start(start)!;
        await using var end = cancellation.Register(wrk.Kill);
        var said = await wrk.StandardOutput.ReadToEndAsync(cancellation);
        if (said.Split('\n').FirstOrDefault(line => line.StartsWith(Told, StringComparison.Ordinal)) is not { } line) throw new InvalidOperationException($"wrk did not tell what it did: {said}");
        var told = line[Told.Length..].Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        var (requests, seconds) = (told[0], told[1] / 1_000_000);
        return new(server, requests / seconds, told[2] / 1_000, told[3] / 1_000, (process.Cpu - cpu).TotalMicroseconds / requests, (long)told[4]);
    }

    private static bool IsInstalled() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, Program)));

    /// <summary>Makes publish requests as <see cref="EmqxBodies"/> does, with a part of the clients for each thread.</summary>
    private static string Script(Uri address, long run) => $$"""
        local ffi = require("ffi")
        ffi.cdef("typedef struct { long s; long us; } moment; int gettimeofday(moment *, void *);")
        local clock, threads, sent = ffi.new("moment"), 0, 0

        function setup(thread)
          thread:set("thread", threads)
          threads = threads + 1
        end

        function request()
          sent = sent + 1
          ffi.C.gettimeofday(clock, nil)
          local ms = tonumber(clock.s) * 1000 + math.floor(tonumber(clock.us) / 1000)
          local number = (sent * {{Threads}} + thread) % {{EmqxBodies.Clients}}
          local client, site, port = string.format("%06d", number), string.format("%02d", number % {{RequestTemplate.Sites}}), string.format("%05d", {{RequestTemplate.FirstPort}} + number)
          local now, message = string.format("%.0f", ms), string.format("%09d", sent)
          local high = math.floor(ms * 1000 / 4294967296)
          local id = string.format("%08X%08X%04X%04X%08X", high, ms * 1000 - high * 4294967296, {{run}}, thread, sent)
          return table.concat({ {{string.Join(", ", new RequestTemplate(address, EventKind.Publish, run, connection: 0).Pieces.Select(Lua))}} })
        end

        function done(summary, latency)
          io.write(string.format("{{Told}}%d %.0f %.0f %.0f %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
            summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
        end
        """;

    private static string Lua((string Text, RequestTemplate.Mark? Then) piece)
    {
        var text = $"\"{piece.Text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", @"\""", StringComparison.Ordinal).ReplaceLineEndings(@"\r\n")}\"";
        return piece.Then is { } mark ? $"{text}, {Name(mark)}" : text;
    }

    private static string Name(RequestTemplate.Mark mark) => mark switch
    {
        RequestTemplate.Mark.Client or RequestTemplate.Mark.Publisher => "client",
        RequestTemplate.Mark.ClientSite or RequestTemplate.Mark.PublisherSite => "site",
        RequestTemplate.Mark.ClientPort => "port",
        RequestTemplate.Mark.Now or RequestTemplate.Mark.Then => "now",
        RequestTemplate.Mark.Message => "message",
        RequestTemplate.Mark.Id => "id",
        _ => throw new ArgumentOutOfRangeException(nameof(mark), mark, "The script has no value for it."),
    };
}
