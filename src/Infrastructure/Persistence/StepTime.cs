using System.Diagnostics;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>How long a step may hold the writer. Looked at after every few rows.</summary>
internal readonly struct StepTime(TimeSpan length)
{
    private readonly long started = Stopwatch.GetTimestamp();

    public TimeSpan Spent => Stopwatch.GetElapsedTime(started);

    public bool IsOver => Spent >= length;
}
