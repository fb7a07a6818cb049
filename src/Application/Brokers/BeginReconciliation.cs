using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;

namespace WebhookService.Application.Brokers;

/// <summary>A sweep begins.</summary>
/// <returns>Its number.</returns>
public sealed record BeginReconciliation(string Broker, SweepCause Cause) : ICommand<long>;

/// <summary>A sweep ended.</summary>
public sealed record FinishReconciliation(long Id, SweepResult Result, Findings Findings, string? Problem) : ICommand;

/// <summary>The service has started: sweeps that were under way when it stopped have failed.</summary>
public sealed record AbandonReconciliations : ICommand;

internal sealed class ReconciliationHandler(IReconciliationRepository reconciliations, TimeProvider time) :
    ICommandHandler<BeginReconciliation, long>,
    ICommandHandler<FinishReconciliation>,
    ICommandHandler<AbandonReconciliations>
{
    public async Task<long> Handle(BeginReconciliation command, CancellationToken cancellationToken) =>
        await reconciliations.SaveAsync(Reconciliation.Begin(command.Broker, command.Cause, time.GetUtcNow()), cancellationToken);

    public async Task<Outcome> Handle(FinishReconciliation command, CancellationToken cancellationToken) =>
        await reconciliations.FindAsync(command.Id, cancellationToken) is { } sweep
            ? await FinishAsync(sweep, command.Result, command.Findings, command.Problem, cancellationToken)
            : Outcome.Overtaken;

    public async Task<Outcome> Handle(AbandonReconciliations command, CancellationToken cancellationToken)
    {
        foreach (var sweep in await reconciliations.UnfinishedAsync(cancellationToken))
            await FinishAsync(sweep, SweepResult.Failed, sweep.Findings, "The service stopped amidst it.", cancellationToken);
        return Outcome.Applied;
    }

    private async Task<Outcome> FinishAsync(Reconciliation sweep, SweepResult result, Findings findings, string? problem, CancellationToken cancellation)
    {
        var outcome = sweep.Finish(result, findings, problem, time.GetUtcNow());
        if (outcome is Outcome.Applied) await reconciliations.SaveAsync(sweep, cancellation);
        return outcome;
    }
}
