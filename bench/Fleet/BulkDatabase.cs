using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Fleet;

/// <summary>New database files into which much is written at once.</summary>
internal static class BulkDatabase
{
    /// <summary>Opens one with the schema of the service's own migrations. The service will find its rules unchanged, and so no reason to look at every device.</summary>
    public static SqliteConnection Create(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, ForeignKeys = false }.ConnectionString);
        connection.Open();
        connection.Execute(
            """
            PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-524288;
            PRAGMA threads=2;
            """); // auto_vacuum as the service does it; the others only make it faster
        Migrator.Migrate(connection);
        connection.Execute("INSERT INTO settings VALUES ('deadline-rules', @rules)", new { rules = PresenceRules.Default.ToString() });
        return connection;
    }
}
