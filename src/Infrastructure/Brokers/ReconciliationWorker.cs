using System.Threading.Channels;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.Brokers;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>Decides when each broker's client list is compared with what is known, and asks for single devices that are doubtful.</summary>
internal sealed partial class ReconciliationWorker(
    IMediator mediator, Reconciler reconciler, BrokerWatch watch, SweepDesk desk, IngestWatch ingest, IOptions<ReconciliationOptions> options, TimeProvider time,
    ILogger<ReconciliationWorker> logger) : BackgroundService
{
    private readonly TaskCompletionSource firstSweeps = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when every broker was asked once, or the grace of the start is over.</summary>
    public Task FirstSweeps => firstSweeps.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (watch.Brokers.Count == 0)
        {
            firstSweeps.TrySetResult();
            return;
        }
        await PatientlyAsync(() => mediator.Send(new AbandonReconciliations(), stoppingToken), stoppingToken);
        var first = watch.Brokers.Select(_ => new TaskCompletionSource()).ToList();
        var opened = OpenAsync(Task.WhenAll(first.Select(one => one.Task)), stoppingToken);
        await Task.WhenAll([opened, VerifyAsync(stoppingToken), .. watch.Brokers.Select((broker, i) => TendAsync(broker, first[i], stoppingToken))]);
    }

    private async Task OpenAsync(Task sweeps, CancellationToken cancellation)
    {
        await Task.WhenAny(sweeps, Task.Delay(options.Value.StartGrace, time, cancellation));
        firstSweeps.TrySetResult();
    }

    /// <summary>One broker, as long as the service runs: its sweeps, and between them a look at how it is.</summary>
    private async Task TendAsync(IBroker broker, TaskCompletionSource first, CancellationToken cancellation)
    {
        var (state, planned) = (watch.Of(broker), desk.PlannedFor(broker.Name));
        await AskAsync(broker, SweepCause.Start, cancellation);
        while (!cancellation.IsCancellationRequested)
        {
            if (planned.TryRead(out var sweep))
            {
                await SweepAsync(broker, state, sweep, cancellation);
                first.TrySetResult();
            }
            else if (!await IsPlannedAsync(planned, Rest(state), cancellation))
            {
                SweepCause? due = null;
                await PatientlyAsync(async () => due = await CauseAsync(broker, state, cancellation), cancellation);
                if (due is { } cause) await AskAsync(broker, cause, cancellation);
            }
        }
    }

    private async Task SweepAsync(IBroker broker, BrokerState state, PlannedSweep sweep, CancellationToken cancellation)
    {
        state.Running = sweep.Id;
        var (result, problem) = (SweepResult.Failed, (string?)null);
        await PatientlyAsync(async () => (result, problem) = await reconciler.SweepAsync(broker, sweep.Id, cancellation), cancellation);
        (state.Running, state.CheckedAt) = (null, time.GetUtcNow());
        state.NextSweepAt = time.GetUtcNow() + (state.IsHolding ? options.Value.BrakeHold : options.Value.Interval); // a hold outlives a sweep that failed
        if (problem is not null) Swept(broker.Name, result, problem);
    }

    /// <summary>How long there is nothing to do for a broker.</summary>
    private TimeSpan Rest(BrokerState state)
    {
        var rest = options.Value.CheckInterval;
        var untilSweep = state.NextSweepAt - time.GetUtcNow() ?? rest;
        return untilSweep < TimeSpan.Zero ? TimeSpan.Zero : untilSweep < rest ? untilSweep : rest;
    }

    /// <summary>Why a sweep is due now; null if none is.</summary>
    private async Task<SweepCause?> CauseAsync(IBroker broker, BrokerState state, CancellationToken cancellation)
    {
        if (!(state.NextSweepAt > time.GetUtcNow())) return state.IsHolding ? SweepCause.Brake : SweepCause.Schedule;

        var (before, wasSilent) = (state.Condition, state.Problem is not null);
        try
        {
            state.Condition = await broker.ConditionAsync(cancellation);
            state.Problem = null;
        }
        catch (BrokerException failed)
        {
            if (state.Problem is null) NotReached(failed.Message);
            state.Problem = failed.Message;
        }
        state.CheckedAt = time.GetUtcNow();
        if (wasSilent && state.Problem is null) return SweepCause.Schedule; // it answers again: what was due in between is due now
        if (ingest.HadGap(options.Value.IngestGap)) return SweepCause.IngestGap;
        if (state.Condition?.Lost > before?.Lost) return SweepCause.Losses;
        var running = state.Condition?.Nodes.Where(node => node.Running).Select(node => node.Name) ?? [];
        return before?.Nodes.Where(node => node.Running).Select(node => node.Name).Except(running).Any() is true ? SweepCause.NodeGone : null;
    }

    private async Task VerifyAsync(CancellationToken cancellation)
    {
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Value.Lookups, CancellationToken = cancellation };
        await Parallel.ForEachAsync(desk.Doubtful.ReadAllAsync(cancellation), parallel, async (client, stop) =>
            await PatientlyAsync(
                async () =>
                {
                    if (!await reconciler.VerifyAsync(client, stop)) await mediator.Send(new LeaveUnverified([client]), stop);
                },
                stop));
    }

    private Task AskAsync(IBroker broker, SweepCause cause, CancellationToken cancellation) =>
        PatientlyAsync(() => desk.AskAsync(broker.Name, cause, cancellation), cancellation);

    /// <summary>Waits out an overload; any other failure is told in the log and left to the next sweep.</summary>
    private async Task PatientlyAsync(Func<Task> step, CancellationToken cancellation)
    {
        try
        {
            await Overload.WaitOutAsync(step, time, cancellation);
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            Failed(fault);
            await Task.Delay(TimeSpan.FromSeconds(1), time, cancellation);
        }
    }

    /// <returns>False if nothing was planned before the rest was over.</returns>
    private async Task<bool> IsPlannedAsync(ChannelReader<PlannedSweep> planned, TimeSpan rest, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var asked = planned.WaitToReadAsync(over.Token).AsTask();
        var first = await Task.WhenAny(asked, Task.Delay(rest, time, over.Token));
        await over.CancelAsync();
        cancellation.ThrowIfCancellationRequested();
        return first == asked;
    }

    [LoggerMessage(LogLevel.Warning, "{Problem}")]
    private partial void NotReached(string problem);

    [LoggerMessage(LogLevel.Warning, "The comparison with broker {Broker} ended {Result}: {Problem}")]
    private partial void Swept(string broker, SweepResult result, string problem);

    [LoggerMessage(LogLevel.Error, "The comparison with a broker failed in this program; the next one is due as usual. Please report this")]
    private partial void Failed(Exception fault);
}
