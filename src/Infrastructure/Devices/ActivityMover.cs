using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebhookService.Application.Common;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>Moves what the activity log gathers to its table: once a second, and when a list is asked for that sorts, filters or adds up by it.</summary>
internal sealed partial class ActivityMover(ActivityLog log, Writer writer, ILogger<ActivityMover> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly WriterSteps steps = new(writer);
    private Task running = Task.CompletedTask;
    private Task? next;

    /// <summary>
    /// Before a reader opens its snapshot: what was answered so far is in the table then. While the writer takes nothing, the table stays a moment
    /// behind, and the reader is answered all the same.
    /// </summary>
    public async Task CatchUpAsync(CancellationToken cancellation)
    {
        if (log.IsEmpty) return;
        try
        {
            await MoveAsync().WaitAsync(Patience, cancellation);
        }
        catch (Exception late) when (late is OverloadedException or TimeoutException)
        {
            Behind();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await Task.Delay(Every, stoppingToken);
            try
            {
                if (!log.IsEmpty) await MoveAsync().WaitAsync(stoppingToken);
            }
            catch (OverloadedException)
            {
                continue; // others wait for the writer too
            }
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(fault, Pause);
                await Task.Delay(Pause, stoppingToken);
            }
        }
    }

    /// <summary>All that is committed now. Who asks while something is being moved shares the next round with all others who do.</summary>
    private Task MoveAsync()
    {
        lock (gate) return next ??= MoveAfterAsync(running);
    }

    private async Task MoveAfterAsync(Task before)
    {
        await Task.WhenAny(before).ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // its failure is for those who asked for it
        lock (gate) (running, next) = (next!, null);
        ActivityLog.Moving? moving = log.Begin();
        while (moving is { } part) moving = await steps.RunAsync(time => log.Move(part, time), CancellationToken.None); // others may wait for it too
    }

    [LoggerMessage(LogLevel.Information, "A list was read while the writer takes nothing: when devices were last seen may be some seconds behind in it")]
    private partial void Behind();

    [LoggerMessage(LogLevel.Error, "What devices did last could not be moved to its table; it is safe in the log and tried again in {Pause}")]
    private partial void Failed(Exception fault, TimeSpan pause);
}
