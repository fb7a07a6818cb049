using System.Runtime.InteropServices;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// The threads that hear of sockets, for .NET's thread pool to go on. Linux lets a thread that wakes up take the processor from one that runs, and these wake
/// up for next to every webhook: docs/decisions/0018-those-who-hear-of-sockets-wait.md.
/// </summary>
internal static partial class SocketThreads
{
    private const string Name = ".NET Sockets"; // as System.Net.Sockets names them
    private const string Tasks = "/proc/self/task";
    private const int Batch = 3; // SCHED_BATCH, see sched(7)

    /// <summary>
    /// Has them wait until a processor is free or it is their turn, and hear of more sockets at once. Does nothing where the system is not Linux or there are no
    /// sockets yet.
    /// </summary>
    /// <param name="logger">Told what the system does not allow; all works as before then, for more processor time.</param>
    public static void LetOthersFinish(ILogger logger)
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            foreach (var task in Directory.EnumerateDirectories(Tasks))
                if (NameOf(task) == Name && sched_setscheduler(int.Parse(Path.GetFileName(task)), Batch, 0) != 0)
                    LogRefused(logger, Marshal.GetLastPInvokeErrorMessage());
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            LogRefused(logger, failure.Message);
        }
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

    /// <param name="priority">The only one that this class of threads has is 0.</param>
    [DllImport("libc", SetLastError = true)]
    private static extern int sched_setscheduler(int thread, int policy, in int priority);

    [LoggerMessage(LogLevel.Information, "The threads that hear of sockets cannot be made to wait for others, so webhooks cost more processor time: {Reason}")]
    private static partial void LogRefused(ILogger logger, string reason);
}
