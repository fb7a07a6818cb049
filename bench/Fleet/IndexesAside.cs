using System.Diagnostics;
using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Bench.Fleet;

/// <summary>
/// The indexes of a database, taken away before a bulk load and put back after it from their own SQL: the schema stays what the
/// migrations made it, and sorting once is many times faster than keeping ten million rows sorted.
/// </summary>
internal sealed class IndexesAside
{
    private readonly SqliteConnection connection;
    private readonly List<(string Name, string Sql)> indexes;

    public IndexesAside(SqliteConnection connection)
    {
        this.connection = connection;
        indexes = connection.Query<(string, string)>("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name").AsList();
        foreach (var (name, _) in indexes) connection.Execute($"DROP INDEX {name}");
    }

    public void PutBack(CancellationToken cancellation)
    {
        foreach (var (name, sql) in indexes)
        {
            cancellation.ThrowIfCancellationRequested();
            var watch = Stopwatch.StartNew();
            connection.Execute(sql, commandTimeout: 0);
            if (watch.Elapsed.TotalSeconds > 1) Console.WriteLine($"  {name}: {watch.Elapsed.TotalSeconds:0.0} s");
        }
    }
}
