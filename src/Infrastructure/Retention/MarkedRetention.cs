using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Retention;

/// <summary>Rows that go by their number, from the lowest on.</summary>
internal abstract class MarkedRetention(string kind, RetentionLimit limit) : IMarked
{
    public string Kind { get; } = kind;

    public RetentionLimit Limit { get; } = limit;

    public abstract (long Oldest, long Newest) Span(SqliteConnection reader);

    public DateTimeOffset? OldestAt(SqliteConnection reader) =>
        Span(reader) is var (oldest, newest) && oldest <= newest ? RetentionMarks.TimeOf(reader, Kind, oldest) : null;

    public virtual RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        var span = Span(reader);
        if (span.Oldest > span.Newest) return null;
        if (pressure is { } part)
        {
            // Half of what may be too much, so that the last steps are small ones and no more goes than has to.
            var some = span.Oldest + (long)((span.Newest - span.Oldest) * part / (1 + part) / 2);
            return new(part, time => Remove(some, time));
        }

        var (upTo, over) = BeyondCount(reader, span);
        if (Limit.MaxAge > TimeSpan.Zero && RetentionMarks.Reached(reader, Kind, now - Limit.MaxAge) is var old && old >= span.Oldest)
        {
            upTo = Math.Max(upTo, old);
            if (RetentionMarks.TimeOf(reader, Kind, span.Oldest) is { } since) over = Math.Max(over, ((now - since) / Limit.MaxAge) - 1);
        }
        return upTo >= span.Oldest ? new(over, time => Remove(upTo, time)) : null;
    }

    /// <summary>The number up to which there are too many, and by which part. As numbers go; a kind with holes among them has to look closer.</summary>
    protected virtual (long UpTo, double Over) BeyondCount(SqliteConnection reader, (long Oldest, long Newest) span) =>
        Limit.MaxCount > 0 ? (span.Newest - Limit.MaxCount, ((double)(span.Newest - span.Oldest + 1) / Limit.MaxCount) - 1) : (0, 0);

    /// <summary>In the writer's transaction.</summary>
    protected abstract long Remove(long upTo, StepTime time);
}

/// <summary>Rows of one table, of which nothing else speaks.</summary>
internal abstract class TableRetention(string kind, RetentionLimit limit, UnitOfWork work, string table, string number) : MarkedRetention(kind, limit)
{
    /// <summary>Few, because one row can be as large as a request.</summary>
    private const int AtOnce = 16;

    private readonly Lazy<Statement> remove = work.Prepare(
        $"DELETE FROM {table} WHERE {number} IN (SELECT {number} FROM {table} WHERE {number} <= ? ORDER BY {number} LIMIT {AtOnce})");

    private readonly Lazy<Statement> changes = work.Prepare("SELECT changes()");

    /// <summary>The SQL for the highest number ever given.</summary>
    protected abstract string ReadNewest { get; }

    public override (long Oldest, long Newest) Span(SqliteConnection reader)
    {
        var (oldest, newest) = reader.QuerySingle<(long?, long?)>($"SELECT (SELECT min({number}) FROM {table}), ({ReadNewest})");
        return (oldest ?? long.MaxValue, newest ?? 0);
    }

    protected override long Remove(long upTo, StepTime time)
    {
        var (all, some) = (0L, 0L);
        do
        {
            remove.Value.Add(upTo).Run();
            some = changes.Value.Number() ?? 0;
            all += some;
        }
        while (some == AtOnce && !time.IsOver);
        return all;
    }
}

/// <summary>A table of few rows, some of which people remove: its rows are counted, not its numbers.</summary>
internal abstract class SmallTableRetention(string kind, RetentionLimit limit, UnitOfWork work, string table, string number)
    : TableRetention(kind, limit, work, table, number)
{
    private readonly string nth = $"SELECT {number} FROM {table} ORDER BY {number} DESC LIMIT 1 OFFSET @MaxCount";

    protected override string ReadNewest { get; } = $"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"; // AUTOINCREMENT

    protected override (long UpTo, double Over) BeyondCount(SqliteConnection reader, (long Oldest, long Newest) span)
    {
        if (Limit.MaxCount == 0 || span.Newest - span.Oldest + 1 <= Limit.MaxCount || reader.ExecuteScalar<long?>(nth, new { Limit.MaxCount }) is not { } upTo) return (0, 0);
        return (upTo, (double)(upTo - span.Oldest + 1) / Limit.MaxCount);
    }
}
