using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Brokers;

namespace WebhookService.Infrastructure.Notices;

/// <summary>
/// Raises notices whose time has come, and sends what waited in outboxes. A notice is raised only when its rule has read all that had been written by
/// then: what ended it may be in the journal already. After a start it waits until the broker's backlog has had its time to come in, as deadlines do.
/// </summary>
internal sealed partial class NoticeWorker(
    IMediator mediator, NoticeTimes times, ConsumerDesk desk, IJournalBell bell, ReconciliationWorker sweeps, IOptions<NoticesOptions> options,
    IOptions<ReconciliationOptions> reconciliation, TimeProvider time, ILogger<NoticeWorker> logger) : BackgroundService
{
    /// <summary>Notices that one command looks at.</summary>
    private const int Chunk = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await DoAsync(RemoveOthersAsync, stoppingToken);
        if (options.Value is { Rules: [], Targets: [] }) return;
        await sweeps.FirstSweeps.WaitAsync(stoppingToken);
        await Task.Delay(reconciliation.Value.StartGrace, time, stoppingToken);
        while (!stoppingToken.IsCancellationRequested) await DoAsync(() => StepAsync(stoppingToken), stoppingToken);
    }

    private async Task RemoveOthersAsync()
    {
        while (await mediator.Send(new AdoptNoticeRules(), CancellationToken.None) > 0) { }
    }

    private async Task StepAsync(CancellationToken cancellation)
    {
        var (now, head, behind) = (time.GetUtcNow(), bell.Head, new List<string>());
        foreach (var rule in times.RulesDueBy(now).Where(rule => options.Value.FindRule(rule) is not null))
        {
            if (!await HasReadAsync(rule, head, cancellation))
            {
                behind.Add(rule);
                continue;
            }
            while (times.DueBy(now, rule, Chunk) is { Count: > 0 } due) await mediator.Send(new MeetNotices(due, now), cancellation);
        }
        if (times.OutboxesDueBy(now) is { Count: > 0 } targets) await mediator.Send(new EmptyOutboxes(targets, now), cancellation);
        await times.SleepAsync(time, behind, behind.Count > 0 ? Pause : null, cancellation);
    }

    /// <summary>Waits a little for the rule to come up to there. One that is paused or far behind is not waited for.</summary>
    private async Task<bool> HasReadAsync(string rule, long head, CancellationToken cancellation)
    {
        if (options.Value.FindRule(rule)?.Consumer is not { } name) return true;
        for (var tries = 0; tries < 10; tries++)
        {
            if (desk.Find(name) is not { State.IsPaused: false } engine) return false; // paused or off: its notices wait
            if (engine.State.Position >= head) return true;
            await Task.Delay(Pause / 10, time, cancellation);
        }
        return false;
    }

    /// <summary>Tries until it is done; the log tells why it failed.</summary>
    private async Task DoAsync(Func<Task> step, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                await step();
                return;
            }
            catch (OverloadedException overloaded)
            {
                await Task.Delay(overloaded.RetryAfter, time, cancellation);
            }
            catch (Exception fault) when (!cancellation.IsCancellationRequested)
            {
                Failed(fault);
                await Task.Delay(Pause, time, cancellation);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "Notices that are due could not be raised; it is tried again in a second. Please report this if it stays so")]
    private partial void Failed(Exception fault);
}
