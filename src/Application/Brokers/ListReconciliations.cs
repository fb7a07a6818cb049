using WebhookService.Application.Common;
using WebhookService.Domain.Brokers;

namespace WebhookService.Application.Brokers;

/// <summary>The sweeps that are remembered, newest first.</summary>
public sealed record ListReconciliations(string? Broker, PageRequest Page) : IQuery<Page<ReconciliationView>>;

/// <summary>One sweep; null if there is none of that number.</summary>
public sealed record GetReconciliation(long Id) : IQuery<ReconciliationView?>;

public sealed record ReconciliationView
{
    public required long Id { get; init; }
    public required string Broker { get; init; }
    public required SweepCause Cause { get; init; }
    public required SweepResult Result { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public required Findings Findings { get; init; }
    public string? Problem { get; init; }
}
