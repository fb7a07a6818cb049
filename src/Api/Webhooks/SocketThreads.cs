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
            HashSet<int> found;
            do await Task.Delay(Soon, stoppingToken);
            while ((found = Find()).Count == 0);

            while (true)
            {
                foreach (var thread in Threads()) Give(thread, isOfSockets: found.Contains(thread));
                await Task.Delay(Every, stoppingToken);
            }
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            LogRefused(refusal.Message);
        }
    }

    /// <returns>The threads that hear of sockets. .NET makes all of them with the first and ends none, so none have to be looked for again.</returns>
    private static HashSet<int> Find() => [.. Threads().Where(thread => NameOf(thread) == Name)];

    private static IEnumerable<int> Threads() => Directory.EnumerateDirectories(Tasks).Select(task => int.Parse(Path.GetFileName(task)));

    /// <returns>Null where the thread ended meanwhile.</returns>
    private static string? NameOf(int thread)
    {
        var file = $"{Tasks}/{thread}/comm";
        try
        {
            return File.ReadAllText(file).TrimEnd();
        }
        catch (IOException) when (!File.Exists(file))
        {
            return null;
        }
    }

    /// <summary>Gives a thread its class, unless it has one that neither we nor .NET gave it.</summary>
    /// <exception cref="IOException">The system does not allow it.</exception>
    private static void Give(int thread, bool isOfSockets)
    {
        var (now, wanted) = isOfSockets ? (Other, Batch) : (Batch, Other);
        if (sched_getscheduler(thread) == now && sched_setscheduler(thread, wanted, 0) != 0 && Directory.Exists($"{Tasks}/{thread}"))
            throw new IOException(Marshal.GetLastPInvokeErrorMessage());
    }

    [DllImport("libc")]
    private static extern int sched_getscheduler(int thread);

    /// <param name="priority">The only one that these classes have is 0.</param>
    [DllImport("libc", SetLastError = true)]
    private static extern int sched_setscheduler(int thread, int policy, in int priority);

    [LoggerMessage(LogLevel.Information, "The threads that hear of sockets cannot be made to wait for others, so webhooks cost more processor time: {Reason}")]
    private partial void LogRefused(string reason);
}
