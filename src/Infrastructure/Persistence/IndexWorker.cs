using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebhookService.Application.Common;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Writes late indexes, and removes what of them speaks of rows that are gone, in steps among the writer's other commands.</summary>
internal sealed partial class IndexWorker(IEnumerable<ILateIndex> indexes, Writer writer, ILogger<IndexWorker> logger) : BackgroundService
{
    /// <summary>Between two steps: a hundred thousand entries are written within a second or two, while the next ones gather.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(4);

    /// <summary>How often is looked for entries whose rows are gone. What is left of them does no harm but to the disk.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(indexes.SelectMany(index => new[] { WriteAsync(index, stoppingToken), RemoveAsync(index, stoppingToken) }));

    private async Task WriteAsync(ILateIndex index, CancellationToken cancellation)
    {
        var steps = new WriterSteps(writer);
        while (true)
        {
            await index.WhenManyAsync(cancellation);
            while (index.IsWaiting)
            {
                index.Prepare();
                await StepAsync(index, steps, index.Write, cancellation);
                await Task.Delay(Rest, cancellation);
            }
        }
    }

    private async Task RemoveAsync(ILateIndex index, CancellationToken cancellation)
    {
        var steps = new WriterSteps(writer);
        var more = false;
        while (true)
        {
            await Task.Delay(more ? Rest : LookEvery, cancellation);
            await StepAsync(index, steps, time => more = index.RemoveOutdated(time), cancellation);
        }
    }

    private async Task StepAsync(ILateIndex index, WriterSteps steps, Action<StepTime> step, CancellationToken cancellation)
    {
        try
        {
            await Overload.WaitOutAsync(
                () => steps.RunAsync(time =>
                {
                    step(time);
                    return true;
                }, cancellation),
                TimeProvider.System, cancellation);
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            Failed(fault, index.Name, Pause);
            await Task.Delay(Pause, cancellation);
        }
    }

    [LoggerMessage(LogLevel.Error, "The index {Index} could not be written; nothing is lost by that, questions take longer. It is tried again in {Pause}")]
    private partial void Failed(Exception fault, string index, TimeSpan pause);
}
