using Dapper;
using WebhookService.Application.Devices;
using WebhookService.Domain;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Deadlines;

/// <summary>The table of due times as its worker sees it, and the nudge when something becomes due earlier than it expects.</summary>
internal sealed class Deadlines(Database database, UnitOfWork work) : IDeadlineTable, IDisposable
{
    private const string Rules = "deadline-rules";

    private const string DueBetween = """
        SELECT c.client_id, l.due_at FROM deadlines l JOIN clients c USING (client_no)
        WHERE l.due_at > @after AND l.due_at <= @until ORDER BY l.due_at LIMIT @limit
        """;

    private readonly DueTimes times = new(work);

    /// <summary>A deadline was written. The worker learns of it after the commit.</summary>
    public void Armed(long dueAt) => times.Armed(dueAt);

    /// <summary>
    /// The devices due by <paramref name="now"/>, those that wait longest first. What was due at the start already, which may be the whole fleet
    /// and has its grace anyway, lets the others go first.
    /// </summary>
    /// <returns>Also when the first was due, if that was after the start.</returns>
    public (IReadOnlyList<ClientId> Clients, DateTimeOffset? First) Due(DateTimeOffset now, DateTimeOffset upSince, int limit)
    {
        using var connection = database.OpenForReading();
        var rows = connection.Query<(string ClientId, long DueAt)>(DueBetween, new { after = upSince.ToMs(), until = now.ToMs(), limit }).AsList();
        DateTimeOffset? first = rows.Count == 0 ? null : rows[0].DueAt.ToTime();
        if (rows.Count < limit)
            rows.AddRange(connection.Query<(string, long)>(DueBetween, new { after = long.MinValue, until = upSince.ToMs(), limit = limit - rows.Count }));
        return ([.. rows.Select(row => new ClientId(row.ClientId))], first);
    }

    /// <inheritdoc cref="DueTimes.IsAsleep"/>
    public bool IsAsleep => times.IsAsleep;

    /// <summary>Sleeps until the next deadline, or until an earlier one is armed.</summary>
    /// <returns>How much later than it meant to it woke up.</returns>
    public Task<TimeSpan> SleepAsync(TimeProvider time, CancellationToken cancellation) => times.SleepAsync(ReadFirst, time, cancellation);

    public ValueTask<bool> AdoptAsync(string rules, CancellationToken cancellation)
    {
        var known = work.Connection.ExecuteScalar<string?>("SELECT value FROM settings WHERE name = @Rules", new { Rules });
        if (known == rules) return ValueTask.FromResult(false);

        work.Flush();
        work.Connection.Execute(
            """
            INSERT INTO deadlines SELECT client_no, 0 FROM devices WHERE true ON CONFLICT (client_no) DO UPDATE SET due_at = 0;
            INSERT INTO settings VALUES (@Rules, @rules) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
            """,
            new { Rules, rules });
        work.Forget(); // devices in memory know another due time
        Armed(0);
        return ValueTask.FromResult(true);
    }

    public ValueTask DropAsync(ClientId client, CancellationToken cancellation)
    {
        work.Connection.Execute("DELETE FROM deadlines WHERE client_no = (SELECT client_no FROM clients WHERE client_id = @client)", new { client = client.Value });
        return ValueTask.CompletedTask;
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

    public void Dispose() => times.Dispose();

    private long? ReadFirst()
    {
        using var connection = database.OpenForReading();
        return connection.QueryFirstOrDefault<(string, long DueAt)?>(DueBetween, new { after = long.MinValue, until = long.MaxValue, limit = 1 })?.DueAt;
    }
}
