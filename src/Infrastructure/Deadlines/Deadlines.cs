using Dapper;
using WebhookService.Application.Devices;
using WebhookService.Domain;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Deadlines;

/// <summary>The table of due times as its worker sees it, and the nudge when something becomes due earlier than it expects.</summary>
internal sealed class Deadlines : IUnitOfWorkPart, IDeadlineTable, IDisposable
{
    private const string Rules = "deadline-rules";

    private readonly Database database;
    private readonly UnitOfWork work;
    private readonly SemaphoreSlim nudge = new(0, 1);
    private long earliest = long.MaxValue; // armed in the present transaction; only the writer's thread
    private long wakeAt = long.MinValue;   // until when the worker sleeps; it is awake while this lies in the past

    public Deadlines(Database database, UnitOfWork work)
    {
        (this.database, this.work) = (database, work);
        work.Enlist(this);
    }

    /// <summary>A deadline was written. The worker learns of it after the commit.</summary>
    public void Armed(long dueAt) => earliest = Math.Min(earliest, dueAt);

    /// <summary>The devices due by <paramref name="now"/>, those that wait longest first, and when the first was.</summary>
    public (IReadOnlyList<ClientId> Clients, DateTimeOffset? First) Due(DateTimeOffset now, int limit)
    {
        using var connection = database.OpenForReading();
        var rows = connection.Query<(string ClientId, long DueAt)>(
            "SELECT c.client_id, l.due_at FROM deadlines l JOIN clients c USING (client_no) WHERE l.due_at <= @now ORDER BY l.due_at LIMIT @limit",
            new { now = now.ToMs(), limit }).AsList();
        return ([.. rows.Select(row => new ClientId(row.ClientId))], rows.Count == 0 ? null : rows[0].DueAt.ToTime());
    }

    /// <summary>Sleeps until the next deadline, or until an earlier one is armed.</summary>
    public async Task SleepAsync(TimeProvider time, CancellationToken cancellation)
    {
        Volatile.Write(ref wakeAt, long.MaxValue); // from here on commits nudge: what was committed before is read now
        using (var connection = database.OpenForReading())
            Volatile.Write(ref wakeAt, connection.ExecuteScalar<long?>("SELECT min(due_at) FROM deadlines") ?? long.MaxValue);

        var rest = wakeAt == long.MaxValue ? Longest : wakeAt.ToTime() - time.GetUtcNow();
        if (rest > TimeSpan.Zero)
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            await Task.WhenAny(nudge.WaitAsync(over.Token), Task.Delay(rest < Longest ? rest : Longest, time, over.Token));
            await over.CancelAsync();
        }
        Volatile.Write(ref wakeAt, long.MinValue);
    }

    public ValueTask<bool> AdoptAsync(string rules, DateTimeOffset now, CancellationToken cancellation)
    {
        var known = work.Connection.ExecuteScalar<string?>("SELECT value FROM settings WHERE name = @Rules", new { Rules });
        if (known == rules) return ValueTask.FromResult(false);

        work.Flush();
        work.Connection.Execute(
            """
            INSERT INTO deadlines SELECT client_no, @now FROM devices WHERE true ON CONFLICT (client_no) DO UPDATE SET due_at = excluded.due_at;
            INSERT INTO settings VALUES (@Rules, @rules) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
            """,
            new { now = now.ToMs(), Rules, rules });
        work.Forget(); // devices in memory know another due time
        Armed(now.ToMs());
        return ValueTask.FromResult(true);
    }

    public ValueTask PostponeAsync(ClientId client, DateTimeOffset until, CancellationToken cancellation)
    {
        work.Flush();
        work.Connection.Execute(
            "UPDATE deadlines SET due_at = @until WHERE client_no = (SELECT client_no FROM clients WHERE client_id = @client)",
            new { until = until.ToMs(), client = client.Value });
        work.Forget();
        return ValueTask.CompletedTask;
    }

    public void Dispose() => nudge.Dispose();

    public void Flush() { }

    public void Forget() => earliest = long.MaxValue;

    public void Committed()
    {
        if (earliest < Volatile.Read(ref wakeAt) && nudge.CurrentCount == 0) nudge.Release();
        earliest = long.MaxValue;
    }

    /// <summary>Timers cannot run for longer than 49 days; a clock that is set may need a look earlier.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);
}
