using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebhookService.Application.Common;

namespace WebhookService.Infrastructure.Persistence.Runs;

/// <summary>Writes the entries that an index has gathered, in steps of a millisecond among the writer's other commands.</summary>
internal sealed partial class RunWorker(IEnumerable<RunIndex> indexes, Writer writer, ILogger<RunWorker> logger) : BackgroundService
{
    private static readonly TimeSpan StepLength = TimeSpan.FromMilliseconds(1);

    /// <summary>Between two steps: a run of a hundred thousand entries is written within a second or two, while the next one gathers.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(4);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(indexes.Select(index => WriteAsync(index, stoppingToken)));

    private async Task WriteAsync(RunIndex index, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            await index.WhenManyAsync(cancellation);
            while (index.IsWaiting)
            {
                index.Prepare();
                await StepAsync(index, cancellation);
                await Task.Delay(Rest, cancellation);
            }
        }
    }

    private async Task StepAsync(RunIndex index, CancellationToken cancellation)
    {
        try
        {
            await writer.RunAsync(() =>
            {
                var started = Stopwatch.GetTimestamp();
                index.Write(() => Stopwatch.GetElapsedTime(started) >= StepLength);
                return Task.FromResult(0);
            });
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            if (fault is not OverloadedException) Failed(fault, index.Name, Pause);
            await Task.Delay(fault is OverloadedException overloaded ? overloaded.RetryAfter : Pause, cancellation);
        }
    }

    [LoggerMessage(LogLevel.Error, "Entries of the index {Index} could not be written and stay in memory; tried again in {Pause}")]
    private partial void Failed(Exception fault, string index, TimeSpan pause);
}
