using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Notices;

/// <summary>
/// A notice that is clear is kept to know facts that come again. When the journal has lost the newest of them nothing can come again, and it goes: devices
/// that invent topics would fill the disk with notices of values.
/// </summary>
internal sealed class NoticeRetention(UnitOfWork work, IOptions<RetentionOptions> options) : IRetained
{
    private const string Find = "SELECT notice_no FROM notices INDEXED BY notices_clear WHERE state = 0 AND told_seq < @oldest ORDER BY told_seq LIMIT 64";

    private readonly Lazy<Statement> remove = work.Prepare("DELETE FROM notices WHERE notice_no = ? AND state = 0 AND told_seq < ? RETURNING 1");

    public string Kind => "notices";

    public RetentionLimit Limit { get; } = options.Value.Journal;

    /// <summary>They are as old as the journal, which tells it.</summary>
    public DateTimeOffset? OldestAt(SqliteConnection reader) => null;

    public RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        var oldest = reader.ExecuteScalar<long?>("SELECT min(seq) FROM journal") ?? (reader.ExecuteScalar<long>(Journal.Journal.ReadHead) + 1);
        var found = reader.Query<long>(Find, new { oldest }).AsList();
        return found.Count > 0 ? new(pressure ?? 0, time => Remove(found, oldest, time)) : null;
    }

    private long Remove(List<long> found, long oldest, StepTime time)
    {
        var removed = 0L;
        foreach (var notice in found)
        {
            if (remove.Value.Add(notice).Add(oldest).Number() is not null) removed++;
            if (time.IsOver) break;
        }
        return removed;
    }
}
