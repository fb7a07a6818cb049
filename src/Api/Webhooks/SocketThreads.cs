using System.Runtime.InteropServices;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// Has the threads that hear of sockets, for .NET's thread pool to go on, interrupt nobody. Linux lets a thread that wakes up take the processor from one that
/// runs, and these wake up for next to every webhook: docs/decisions/0018-those-who-hear-of-sockets-wait.md. Does nothing where the system is not Linux.
/// </summary>
internal sealed partial class SocketThreads(ILogger<SocketThreads> logger) : BackgroundService
{
    private const string Name = ".NET Sockets"; // as System.Net.Sockets names them
    private const string Tasks = "/proc/self/task";

    // Classes of threads, see sched(7).
    private const int Other = 0;
    private const int Batch = 3;

    /// <summary>Until there are any: the first socket makes them.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    /// <summary>Threads of the pool that one of them started are of its class until the next look.</summary>
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            while (true) await Task.Delay(Look() ? Every : Soon, stoppingToken);
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            LogRefused(refusal.Message);
        }
    }

    /// <summary>Gives each thread its class.</summary>
    /// <returns>Whether there was one that hears of sockets.</returns>
    /// <exception cref="IOException">The system does not allow it.</exception>
    private static bool Look()
    {
        var any = false;
        foreach (var task in Directory.EnumerateDirectories(Tasks))
        {
            if (NameOf(task) is not { } name) continue;
            var (thread, isOfSockets) = (int.Parse(Path.GetFileName(task)), name == Name);
            any |= isOfSockets;
            var (now, wanted) = isOfSockets ? (Other, Batch) : (Batch, Other);
            if (sched_getscheduler(thread) == now && sched_setscheduler(thread, wanted, 0) != 0 && Directory.Exists(task))
                throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }
        return any;
    }

    /// <returns>Null where the thread ended meanwhile.</returns>
    private static string? NameOf(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).TrimEnd();
        }
        catch (IOException) when (!Directory.Exists(task))
        {
            return null;
        }
    }

    [DllImport("libc")]
    private static extern int sched_getscheduler(int thread);

    /// <param name="priority">The only one that these classes have is 0.</param>
    [DllImport("libc", SetLastError = true)]
    private static extern int sched_setscheduler(int thread, int policy, in int priority);

    [LoggerMessage(LogLevel.Information, "The threads that hear of sockets cannot be made to wait for others, so webhooks cost more processor time: {Reason}")]
    private partial void LogRefused(string reason);
}
