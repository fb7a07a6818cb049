using System.Diagnostics;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>How long a step may hold the writer. Looked at after every few rows.</summary>
internal readonly struct StepTime(TimeSpan length)
{
    /// <summary>
    /// What falls behind goes on beyond its time, up to so many rows, which take the writer some ten milliseconds. Where all processors are busy the time of a
    /// step may pass while its thread waits for one.
    /// </summary>
    public const int MostRows = 8_192;

    private readonly long started = Stopwatch.GetTimestamp();

    public TimeSpan Spent => Stopwatch.GetElapsedTime(started);

    public bool IsOver => Spent >= length;
}
