using System.Diagnostics;

namespace WebhookService.Bench;

/// <summary>What the disk alone can do.</summary>
internal static class Disk
{
    private const int Page = 4_096;

    /// <summary>Appends a page and waits until it is on the disk, time after time: no commit can be faster.</summary>
    public static Timings Syncs(string path, int times)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var (page, durations) = (new byte[Page], new List<double>());
        for (var i = 0; i < times; i++)
        {
            var start = Stopwatch.GetTimestamp();
            file.Write(page);
            file.Flush(flushToDisk: true);
            durations.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        return new Timings(durations);
    }
}
