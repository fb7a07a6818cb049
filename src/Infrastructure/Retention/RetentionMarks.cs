using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Retention;

/// <summary>
/// Notes now and then which number a kind has reached. What has a number up to that of a mark had come in by its time: so age is known without
/// an index on time, and whatever the clocks of brokers say.
/// </summary>
internal static class RetentionMarks
{
    /// <summary>Marks of a kind from its MaxAge: the age is exact to this part of it …</summary>
    private const int Marks = 1_000;

    /// <summary>… and to so long at the most.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    private const string Newest = "SELECT at, number FROM retention_marks WHERE kind = @Kind AND at <= @at ORDER BY at DESC LIMIT 1";

    private const string Add = "INSERT OR IGNORE INTO retention_marks (kind, at, number) VALUES (@Kind, @at, @number)";

    /// <summary>All that lie before what is kept, but for the new one.</summary>
    private const string Prune = "DELETE FROM retention_marks WHERE kind = @Kind AND number < @oldest AND at < @at";

    private const string ReachedBy = "SELECT number FROM retention_marks WHERE kind = @kind AND at <= @at ORDER BY at DESC LIMIT 1";

    private const string InBy = "SELECT at FROM retention_marks WHERE kind = @kind AND number >= @number ORDER BY at LIMIT 1";

    /// <summary>The mark that is due, to be written by the writer; null if there is none. What a clock that ran ahead had marked only says too late a time.</summary>
    public static Action<UnitOfWork>? Due(SqliteConnection reader, IMarked kind, TimeSpan interval, TimeProvider time)
    {
        var (oldest, number) = kind.Span(reader);
        var at = time.GetUtcNow().ToMs(); // after the number was read: all up to it have come in by now
        var spacing = Math.Max(interval.TotalMilliseconds, Math.Min(kind.Limit.Scale.TotalMilliseconds / Marks, Longest.TotalMilliseconds));
        var isMarked = reader.QuerySingleOrDefault<(long At, long Number)?>(Newest, new { kind.Kind, at }) is var (last, reached)
            ? number <= reached || at < last + spacing
            : number == 0;
        if (isMarked) return null;
        return work =>
        {
            work.Connection.Execute(Add, new { kind.Kind, at, number });
            work.Connection.Execute(Prune, new { kind.Kind, oldest, at });
        };
    }

    /// <summary>The number up to which all had come in by a time; 0 if none is known to.</summary>
    public static long Reached(SqliteConnection reader, string kind, DateTimeOffset at) =>
        reader.ExecuteScalar<long?>(ReachedBy, new { kind, at = at.ToMs() }) ?? 0;

    /// <summary>By when the one of that number had come in; null if it is newer than the last mark.</summary>
    public static DateTimeOffset? TimeOf(SqliteConnection reader, string kind, long number) =>
        reader.ExecuteScalar<long?>(InBy, new { kind, number }).ToTime();
}
