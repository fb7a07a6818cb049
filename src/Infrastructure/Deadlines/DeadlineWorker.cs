using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Infrastructure.Brokers;

namespace WebhookService.Infrastructure.Deadlines;

/// <summary>Meets deadlines: sleeps until the next one, handles what is due in small commands among the reports, and sleeps again.</summary>
internal sealed partial class DeadlineWorker(
    IMediator mediator, Deadlines deadlines, ReconciliationWorker sweeps, BrokerWatch watch, SweepDesk desk, ServiceMetrics metrics, TimeProvider time,
    ILogger<DeadlineWorker> logger) : BackgroundService
{
    /// <summary>Devices a command looks at: few enough that the reports behind it hardly notice.</summary>
    private const int Chunk = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Penalty = TimeSpan.FromHours(1);

    /// <summary>So much longer than meant sleeps only who was stopped, or whose clock was set. Either way reports may be missing, as after a start.</summary>
    private static readonly TimeSpan Oversleep = TimeSpan.FromSeconds(10);

    private DateTimeOffset upSince;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        upSince = time.GetUtcNow();
        await sweeps.FirstSweeps.WaitAsync(stoppingToken); // what happened while the service was down is known only then
        await TryAsync(() => mediator.Send(new AdoptRules(), stoppingToken), stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
            if (!await TryAsync(() => StepAsync(stoppingToken), stoppingToken)) await Task.Delay(Pause, time, stoppingToken);
    }

    private async Task StepAsync(CancellationToken cancellation)
    {
        if (time.GetUtcNow() < upSince) upSince = time.GetUtcNow(); // the clock was set back
        var (due, first) = deadlines.Due(time.GetUtcNow(), upSince, Chunk);
        if (due.Count == 0)
        {
            if (await deadlines.SleepAsync(time, cancellation) is var late && late > Oversleep) StartAnew(late);
        }
        else if (!await TryAsync(() => MeetAsync(due, cancellation), cancellation))
            foreach (var client in due) await MeetAloneAsync(client, cancellation);
        else if (first is { } at)
            metrics.MetDeadline(time.GetUtcNow() - at);
    }

    private void StartAnew(TimeSpan late)
    {
        Overslept(late);
        upSince = time.GetUtcNow();
    }

    private async Task MeetAsync(IReadOnlyList<ClientId> due, CancellationToken cancellation)
    {
        var doubtful = await mediator.Send(new MeetDeadlines(due, upSince), cancellation);
        if (desk.TryAsk(doubtful)) return;
        foreach (var broker in watch.Brokers) await desk.AskAsync(broker.Name, SweepCause.Doubts, cancellation);
    }

    /// <summary>One of them stops the others, so each is met alone; the one to blame waits, and the log tells.</summary>
    private async Task MeetAloneAsync(ClientId client, CancellationToken cancellation)
    {
        if (!await TryAsync(() => MeetAsync([client], cancellation), cancellation))
            await mediator.Send(new PostponeDeadline(client, time.GetUtcNow() + Penalty), cancellation);
    }

    /// <returns>False if it failed for another reason than the load, which only has to pass.</returns>
    private async Task<bool> TryAsync(Func<Task> step, CancellationToken cancellation)
    {
        try
        {
            await Overload.WaitOutAsync(step, time, cancellation);
            return true;
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            Failed(fault);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "Deadlines could not be met. A device that fails again alone is looked at an hour later; please report this")]
    private partial void Failed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "This program stood still, or the clock was set, for {Late}: what is due has its grace again, as after a start (Reconciliation:StartGrace)")]
    private partial void Overslept(TimeSpan late);
}
