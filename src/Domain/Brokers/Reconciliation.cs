namespace WebhookService.Domain.Brokers;

/// <summary>Why the broker's client list was compared with what is known.</summary>
public enum SweepCause
{
    /// <summary>The service started.</summary>
    Start,
    Schedule,

    /// <summary>No report came for a while, or reports had to be refused, and now they come again.</summary>
    IngestGap,

    /// <summary>The broker counted more webhooks as failed or dropped.</summary>
    Losses,

    /// <summary>A node of the broker stopped or vanished.</summary>
    NodeGone,

    /// <summary>Too many devices are doubtful to ask for each of them.</summary>
    Doubts,

    /// <summary>The sweep before found too many devices gone to believe it.</summary>
    Brake,
    Request,
}

public enum SweepResult
{
    Running,

    /// <summary>The whole list was read, and every difference settled.</summary>
    Complete,

    /// <summary>The broker gave less than the whole list, so that nobody was taken offline, or did not answer for some of the missing, who are stale.</summary>
    Incomplete,

    /// <summary>
    /// Too many devices were missing to believe it at once: they are stale, and a second sweep follows. Or reports come from nodes that the broker
    /// does not count as running: their devices are left as they are.
    /// </summary>
    Held,

    /// <summary>The broker could not be asked, or what it said cannot be.</summary>
    Failed,
}

/// <summary>What a sweep found.</summary>
/// <param name="Scanned">Clients in the broker's list, each once.</param>
/// <param name="Discovered">Clients that no report had ever named: all of them when the service is new.</param>
/// <param name="CorrectedOnline">Devices that were not online and are.</param>
/// <param name="CorrectedOffline">Devices that were online and are not.</param>
/// <param name="Confirmed">Devices whose state was right, but doubtful or of another session.</param>
/// <param name="Verified">Devices that the broker was asked for one by one.</param>
/// <param name="Held">Devices that were missing and left as they are, stale.</param>
public readonly record struct Findings(long Scanned, long Discovered, long CorrectedOnline, long CorrectedOffline, long Confirmed, long Verified, long Held)
{
    public static Findings operator +(Findings one, Findings other) => new(
        one.Scanned + other.Scanned, one.Discovered + other.Discovered, one.CorrectedOnline + other.CorrectedOnline, one.CorrectedOffline + other.CorrectedOffline,
        one.Confirmed + other.Confirmed, one.Verified + other.Verified, one.Held + other.Held);
}

/// <summary>One comparison of all that is known with a broker's own client list.</summary>
public sealed class Reconciliation : Aggregate
{
    private Reconciliation(string broker, SweepCause cause, DateTimeOffset startedAt) => (Broker, Cause, StartedAt) = (broker, cause, startedAt);

    /// <summary>Its number; 0 until it is saved.</summary>
    public long Id { get; private init; }
    public string Broker { get; }
    public SweepCause Cause { get; }
    public DateTimeOffset StartedAt { get; }
    public DateTimeOffset? FinishedAt { get; private set; }
    public SweepResult Result { get; private set; }
    public Findings Findings { get; private set; }

    /// <summary>What went wrong and what to do; null if nothing did.</summary>
    public string? Problem { get; private set; }

    public static Reconciliation Begin(string broker, SweepCause cause, DateTimeOffset at) => new(broker, cause, at);

    /// <summary>Ends it. Later words on a finished one say nothing.</summary>
    public Outcome Finish(SweepResult result, Findings findings, string? problem, DateTimeOffset at)
    {
        if (FinishedAt is not null) return Outcome.Repeated;
        (Result, Findings, Problem, FinishedAt) = (result, findings, problem, at);
        Raise(new ReconciliationFinished(at, Id, Broker, Cause, result, findings, problem, (at - StartedAt).TotalSeconds));
        return Outcome.Applied;
    }

    /// <summary>Builds one as it was saved.</summary>
    public static Reconciliation Restore(
        long id, string broker, SweepCause cause, DateTimeOffset startedAt, DateTimeOffset? finishedAt, SweepResult result, Findings findings, string? problem) =>
        new(broker, cause, startedAt) { Id = id, FinishedAt = finishedAt, Result = result, Findings = findings, Problem = problem };
}

/// <summary>A sweep ended, well or not.</summary>
[EventName("reconciliation.finished")]
public sealed record ReconciliationFinished(
    DateTimeOffset At, long Reconciliation, string Broker, SweepCause Cause, SweepResult Result, Findings Findings, string? Problem, double DurationSeconds) : IDomainEvent
{
    public ClientId? Client => null;
}

public interface IReconciliationRepository
{
    ValueTask<Reconciliation?> FindAsync(long id, CancellationToken cancellation);

    /// <summary>Those that did not finish: the service was stopped amidst them.</summary>
    ValueTask<IReadOnlyList<Reconciliation>> UnfinishedAsync(CancellationToken cancellation);

    /// <summary>Saves it and what happened.</summary>
    /// <returns>Its number.</returns>
    ValueTask<long> SaveAsync(Reconciliation reconciliation, CancellationToken cancellation);
}
