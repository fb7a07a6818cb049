using System.Runtime.InteropServices;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class SocketThreadsTests : IDisposable
{
    private const string Name = ".NET Sockets";
    private const int Batch = 3; // SCHED_BATCH
    private const int AfterName = 38; // the policy is field 41 of stat, see proc_pid_stat(5); what follows the name begins with the third

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("threads-");

    [LinuxFact]
    public async Task The_threads_that_hear_of_sockets_wait_for_others_and_no_others_do()
    {
        using var service = await ServiceProcess.StartAsync(folder);

        await Eventually.IsAsync(() => IsSo(service), () => string.Join(", ", Threads(service.Id)));
    }

    [LinuxFact]
    public async Task Threads_that_got_their_class_from_them_get_their_own_again()
    {
        using var service = await ServiceProcess.StartAsync(folder);
        await Eventually.IsAsync(() => IsSo(service));

        Assert.Equal(0, sched_setscheduler(service.Id, Batch, 0)); // the process' first thread, as one of the pool would be
        Assert.False(IsSo(service));

        await Eventually.IsAsync(() => IsSo(service), () => string.Join(", ", Threads(service.Id)));
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static bool IsSo(ServiceProcess service)
    {
        var threads = Threads(service.Id).ToList();
        return threads.Exists(thread => thread.Name == Name) && threads.TrueForAll(thread => thread.Name == Name == (thread.Policy == Batch));
    }

    [DllImport("libc")]
    private static extern int sched_setscheduler(int thread, int policy, in int priority);

    private static IEnumerable<(string Name, int Policy)> Threads(int process)
    {
        foreach (var task in Directory.GetDirectories($"/proc/{process}/task"))
        {
            string stat;
            try
            {
                stat = File.ReadAllText(Path.Combine(task, "stat"));
            }
            catch (IOException) when (!Directory.Exists(task))
            {
                continue; // it ended meanwhile
            }
            var (begin, end) = (stat.IndexOf('(', StringComparison.Ordinal), stat.LastIndexOf(')'));
            yield return (stat[(begin + 1)..end], int.Parse(stat[(end + 2)..].Split(' ')[AfterName]));
        }
    }
}
