using System.Text.Json;
using Dapper;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Deadlines;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Notices;

/// <summary>The due times of notices and outboxes, as their worker sees them.</summary>
internal sealed class NoticeTimes(Database database, UnitOfWork work) : IDisposable
{
    private const string RulesDue = "SELECT DISTINCT rule FROM notices WHERE due_at <= @until";

    private const string Due = """
        SELECT rule, kind, subject, topic FROM notices INDEXED BY notices_due
        WHERE rule = @rule AND due_at <= @until ORDER BY due_at LIMIT @limit
        """;

    private const string OutboxesDue = "SELECT target FROM notice_outboxes WHERE due_at <= @until";

    private const string First = """
        SELECT min(due_at) FROM (
          SELECT min(due_at) AS due_at FROM notices WHERE due_at IS NOT NULL AND rule NOT IN (SELECT value FROM json_each(@except))
          UNION ALL SELECT min(due_at) FROM notice_outboxes)
        """;

    private readonly DueTimes times = new(work);

    /// <summary>A due time was written. The worker learns of it after the commit.</summary>
    public void Armed(long dueAt) => times.Armed(dueAt);

    /// <summary>The rules of which something is due.</summary>
    public IReadOnlyList<string> RulesDueBy(DateTimeOffset now)
    {
        using var connection = database.OpenForReading();
        return connection.Query<string>(RulesDue, new { until = now.ToMs() }).AsList();
    }

    /// <summary>What is due of a rule, that which waits longest first.</summary>
    public IReadOnlyList<NoticeKey> DueBy(DateTimeOffset now, string rule, int limit)
    {
        using var connection = database.OpenForReading();
        return [.. connection.Query<NoticeRow>(Due, new { rule, until = now.ToMs(), limit }).Select(row => row.Key)];
    }

    public IReadOnlyList<string> OutboxesDueBy(DateTimeOffset now)
    {
        using var connection = database.OpenForReading();
        return connection.Query<string>(OutboxesDue, new { until = now.ToMs() }).AsList();
    }

    /// <summary>Sleeps until the next is due, or until an earlier one is armed.</summary>
    /// <param name="except">Rules that are waited for, so that what is due of them wakes nobody.</param>
    public Task SleepAsync(TimeProvider time, IReadOnlyCollection<string> except, TimeSpan? longest, CancellationToken cancellation)
    {
        var waited = JsonSerializer.Serialize(except);
        return times.SleepAsync(ReadFirst, time, cancellation, longest);

        long? ReadFirst()
        {
            using var connection = database.OpenForReading();
            return connection.ExecuteScalar<long?>(First, new { except = waited });
        }
    }

    public void Dispose() => times.Dispose();
}
