using Dapper;
using WebhookService.Application.Common;
using WebhookService.Domain.Brokers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Brokers;

internal sealed class ReconciliationRepository(UnitOfWork work, Journal.Journal journal) : IReconciliationRepository
{
    /// <summary>Sweeps that are remembered; the journal has the outcome of them all.</summary>
    private const int Kept = 1_000;

    private const string Insert = """
        INSERT INTO reconciliations (broker, cause, result, started_at, finished_at, scanned, discovered, corrected_online, corrected_offline, confirmed, verified, held, problem)
        VALUES (@Broker, @Cause, @Result, @StartedAt, @FinishedAt, @Scanned, @Discovered, @CorrectedOnline, @CorrectedOffline, @Confirmed, @Verified, @Held, @Problem)
        RETURNING reconciliation_no
        """;

    private const string Update = """
        UPDATE reconciliations SET result = @Result, finished_at = @FinishedAt, scanned = @Scanned, discovered = @Discovered, corrected_online = @CorrectedOnline,
          corrected_offline = @CorrectedOffline, confirmed = @Confirmed, verified = @Verified, held = @Held, problem = @Problem
        WHERE reconciliation_no = @ReconciliationNo
        """;

    public ValueTask<Reconciliation?> FindAsync(long id, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.QuerySingleOrDefault<ReconciliationRow>(
            $"SELECT {ReconciliationRow.Columns} FROM reconciliations WHERE reconciliation_no = @id", new { id })?.ToReconciliation());

    public ValueTask<IReadOnlyList<Reconciliation>> UnfinishedAsync(CancellationToken cancellation) =>
        ValueTask.FromResult<IReadOnlyList<Reconciliation>>(
            [.. work.Connection.Query<ReconciliationRow>($"SELECT {ReconciliationRow.Columns} FROM reconciliations WHERE finished_at IS NULL ORDER BY reconciliation_no")
                .Select(row => row.ToReconciliation())]);

    public ValueTask<long> SaveAsync(Reconciliation reconciliation, CancellationToken cancellation)
    {
        var row = ReconciliationRow.From(reconciliation);
        journal.Append(reconciliation.TakeEvents());
        if (row.ReconciliationNo != 0)
        {
            work.Connection.Execute(Update, row);
            return ValueTask.FromResult(row.ReconciliationNo);
        }
        var number = work.Connection.ExecuteScalar<long>(Insert, row);
        work.Connection.Execute("DELETE FROM reconciliations WHERE reconciliation_no <= @last", new { last = number - Kept });
        return ValueTask.FromResult(number);
    }
}

internal sealed record ReconciliationRow
{
    public const string Columns =
        "reconciliation_no, broker, cause, result, started_at, finished_at, scanned, discovered, corrected_online, corrected_offline, confirmed, verified, held, problem";

    public long ReconciliationNo { get; init; }
    public string Broker { get; init; } = "";
    public string Cause { get; init; } = "";
    public string Result { get; init; } = "";
    public long StartedAt { get; init; }
    public long? FinishedAt { get; init; }
    public long Scanned { get; init; }
    public long Discovered { get; init; }
    public long CorrectedOnline { get; init; }
    public long CorrectedOffline { get; init; }
    public long Confirmed { get; init; }
    public long Verified { get; init; }
    public long Held { get; init; }
    public string? Problem { get; init; }

    private Findings Findings => new(Scanned, Discovered, CorrectedOnline, CorrectedOffline, Confirmed, Verified, Held);

    public static ReconciliationRow From(Reconciliation sweep) => new()
    {
        ReconciliationNo = sweep.Id,
        Broker = sweep.Broker,
        Cause = Words.Of(sweep.Cause),
        Result = Words.Of(sweep.Result),
        StartedAt = sweep.StartedAt.ToMs(),
        FinishedAt = sweep.FinishedAt.ToMs(),
        Scanned = sweep.Findings.Scanned,
        Discovered = sweep.Findings.Discovered,
        CorrectedOnline = sweep.Findings.CorrectedOnline,
        CorrectedOffline = sweep.Findings.CorrectedOffline,
        Confirmed = sweep.Findings.Confirmed,
        Verified = sweep.Findings.Verified,
        Held = sweep.Findings.Held,
        Problem = sweep.Problem,
    };

    public Reconciliation ToReconciliation() => Reconciliation.Restore(
        ReconciliationNo, Broker, Words.Read<SweepCause>(Cause), StartedAt.ToTime(), FinishedAt.ToTime(), Words.Read<SweepResult>(Result), Findings, Problem);

    public Application.Brokers.ReconciliationView ToView() => new()
    {
        Id = ReconciliationNo,
        Broker = Broker,
        Cause = Words.Read<SweepCause>(Cause),
        Result = Words.Read<SweepResult>(Result),
        StartedAt = StartedAt.ToTime(),
        FinishedAt = FinishedAt.ToTime(),
        Findings = Findings,
        Problem = Problem,
    };
}
