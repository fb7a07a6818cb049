using System.Diagnostics;
using WebhookService.Bench.Ingest;

namespace WebhookService.Bench;

/// <summary>Resident memory in bytes. File pages are those of the database that SQLite maps: the system takes them back when it needs them.</summary>
internal readonly record struct Memory(long Resident, long OfFiles)
{
    public override string ToString() => $"{Resident / 1e6:0} MB ({OfFiles / 1e6:0} MB of it mapped files)";
}

/// <summary>A server as a process of its own, on a free port of this machine.</summary>
internal sealed class ServiceProcess : IDisposable
{
    /// <summary>The token that the service is told to accept.</summary>
    public const string Token = "bench-token-bench-token-bench";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private const string Announcement = "Now listening on: ";

    private readonly Process process;

    private ServiceProcess(Process process, Uri address, TimeSpan startToReady) => (this.process, Address, StartToReady) = (process, address, startToReady);

    public Uri Address { get; }

    /// <summary>From the start of the process until `/health/ready` said 200.</summary>
    public TimeSpan StartToReady { get; }

    /// <summary>Processor time used so far.</summary>
    public TimeSpan Cpu
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    /// <summary>Processor time that the thread which writes the database used so far; zero where the system does not tell.</summary>
    public TimeSpan WriterCpu
    {
        get
        {
            if (!OperatingSystem.IsLinux()) return TimeSpan.Zero;
            foreach (var task in Directory.GetDirectories($"/proc/{process.Id}/task"))
            {
                var stat = File.ReadAllText(Path.Combine(task, "stat"));
                if (!stat.Contains("(writer)", StringComparison.Ordinal)) continue;
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' '); // the third and following; user and system time, in 1/100 s, are 14 and 15
                return TimeSpan.FromSeconds((long.Parse(fields[11]) + long.Parse(fields[12])) / 100.0);
            }
            return TimeSpan.Zero;
        }
    }

    public Memory Memory
    {
        get
        {
            process.Refresh();
            if (!OperatingSystem.IsLinux()) return new(process.WorkingSet64, 0);
            var status = File.ReadLines($"/proc/{process.Id}/status").Select(line => line.Split(':', StringSplitOptions.TrimEntries)).ToDictionary(parts => parts[0], parts => parts[1]);
            long Bytes(string name) => long.Parse(status[name].Split(' ')[0]) * 1024; // "123 kB"
            return new(Bytes("VmRSS"), Bytes("RssFile"));
        }
    }

    /// <summary>The real service on a database file, as it comes: full durability, default settings.</summary>
    /// <param name="settings">Other than the default ones.</param>
    public static Task<ServiceProcess> StartServiceAsync(string database, CancellationToken cancellation, params (string Name, string Value)[] settings) => StartAsync(
        "WebhookService.Api.dll", [], "/health/ready", cancellation, [.. Settings(database), .. settings]);

    /// <summary>The environment that a service needs: where its data are, and the token.</summary>
    public static (string Name, string Value)[] Settings(string database) =>
    [
        ("Storage__ConnectionString", $"Data Source={database}"),
        ("Security__Tokens__0__Token", Token), ("Security__Tokens__0__Name", "bench"),
        ("Security__Tokens__0__Scopes__0", "ingest"), ("Security__Tokens__0__Scopes__1", "manage"),
    ];

    /// <summary>Starts a program that lies beside this one and waits until it answers <paramref name="readyPath"/> with 200.</summary>
    public static async Task<ServiceProcess> StartAsync(
        string program, string[] arguments, string readyPath, CancellationToken cancellation, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            WorkingDirectory = AppContext.BaseDirectory, // not where databases lie: a server may watch the folder it works in
            Environment = { ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["ASPNETCORE_ENVIRONMENT"] = "Production" },
        };
        Load.AsUsual(start.Environment);
        foreach (var (name, value) in environment) start.Environment[name] = value;

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Patience);
        var watch = Stopwatch.StartNew();
        var started = Process.Start(start)!;
        try
        {
            var address = await ReadAddressAsync(started, patience.Token);
            using var http = new HttpClient { BaseAddress = address };
            while (true)
            {
                using var answer = await http.GetAsync(readyPath, patience.Token);
                if (answer.IsSuccessStatusCode) break;
                await Task.Delay(5, patience.Token);
            }
            return new ServiceProcess(started, address, watch.Elapsed);
        }
        catch
        {
            Stop(started);
            throw;
        }
    }

    public void Dispose() => Stop(process);

    private static async Task<Uri> ReadAddressAsync(Process process, CancellationToken cancellation)
    {
        var said = new List<string>();
        while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            said.Add(line);
            if (line.IndexOf(Announcement, StringComparison.Ordinal) is >= 0 and var at)
            {
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None); // a full pipe would stop it
                return new Uri(line[(at + Announcement.Length)..].Trim());
            }
        }
        throw new InvalidOperationException($"'{process.StartInfo.ArgumentList[0]}' ended before it listened. {string.Join('\n', said)}");
    }

    private static void Stop(Process process)
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
    }
}
