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

        await Eventually.IsAsync(() => Threads(service.Id).Where(thread => thread.Name == Name).ToList() is [_, ..] all && all.TrueForAll(thread => thread.Policy == Batch));
        Assert.All(Threads(service.Id).Where(thread => thread.Name != Name), thread => Assert.NotEqual(Batch, thread.Policy));
    }

    public void Dispose() => folder.Delete(recursive: true);

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
