using System.Diagnostics;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Upkeep among the writer's other commands: each step waits in the queue as they do, and lasts a millisecond, or where that waiting is long a tenth of it.
/// So upkeep keeps up with what it is for however long the queue is, and delays nobody much.
/// </summary>
internal sealed class WriterSteps(Writer writer)
{
    private const int PartOfTheTime = 10;
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    private TimeSpan length = Shortest;

    /// <summary>One step, in a transaction of the writer; none at the same time.</summary>
    /// <param name="cancellation">Ends the waiting for a place in the queue, not the step.</param>
    /// <exception cref="Application.Common.OverloadedException">The database can't be written, the service is stopping, or <paramref name="cancellation"/> ended the waiting.</exception>
    public async Task<T> RunAsync<T>(Func<StepTime, T> step, CancellationToken cancellation)
    {
        var asked = Stopwatch.GetTimestamp();
        var started = asked;
        var result = await writer.RunAsync(() =>
        {
            started = Stopwatch.GetTimestamp();
            return Task.FromResult(step(new StepTime(length)));
        }, cancellation);
        var wanted = Stopwatch.GetElapsedTime(asked, started) / PartOfTheTime;
        length = wanted < Shortest ? Shortest : wanted > Longest ? Longest : wanted;
        return result;
    }
}
