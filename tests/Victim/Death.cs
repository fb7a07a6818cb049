using System.Diagnostics;

namespace WebhookService.Victim;

/// <summary>Ends the process as `kill -9` does, when it comes to a point for the n-th time.</summary>
internal sealed class Death(string? point, int times)
{
    private int passed;

    public bool Waits(string at) => at == point;

    public void At(string here)
    {
        if (here != point || Interlocked.Increment(ref passed) < times) return;
        using var self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL: nothing is flushed, no finally runs
        Thread.Sleep(Timeout.Infinite);
    }
}
