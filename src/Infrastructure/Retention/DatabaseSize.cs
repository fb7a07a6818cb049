using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Retention;

/// <summary>What SQLite's header says of the file, at no cost.</summary>
/// <param name="FreePages">Pages of the file that hold nothing and are used before it grows.</param>
/// <param name="CanShrink">The file was made so that free pages can be given back to the disk.</param>
internal readonly record struct DatabaseSize(long Pages, long FreePages, long PageBytes, bool CanShrink)
{
    private const long Incremental = 2;

    public long Used => (Pages - FreePages) * PageBytes;

    public static DatabaseSize Of(SqliteConnection reader) => new(
        reader.ExecuteScalar<long>("PRAGMA page_count"), reader.ExecuteScalar<long>("PRAGMA freelist_count"), reader.ExecuteScalar<long>("PRAGMA page_size"),
        reader.ExecuteScalar<long>("PRAGMA auto_vacuum") == Incremental);
}
