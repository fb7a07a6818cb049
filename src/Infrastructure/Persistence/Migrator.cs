using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Brings a database to the schema of this program: numbered scripts, each once, in one transaction.</summary>
internal static class Migrator
{
    private const string Folder = ".Persistence.Migrations.Sqlite.";

    /// <summary>The version the scripts of this program lead to.</summary>
    public static int Newest => Scripts()[^1].Version;

    /// <exception cref="DatabaseUnusableException">The database was written by a newer program.</exception>
    public static void Migrate(SqliteConnection connection)
    {
        using var transaction = connection.BeginTransaction();
        connection.Execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT", transaction: transaction);
        var present = connection.ExecuteScalar<int?>("SELECT max(version) FROM schema_version", transaction: transaction) ?? 0;
        if (present > Newest)
            throw new DatabaseUnusableException(
                $"The database '{connection.DataSource}' has schema version {present}; this program knows versions up to {Newest}. "
                + "Start a newer program, or restore a backup made before the upgrade.");

        foreach (var (version, resource) in Scripts().Where(script => script.Version > present))
        {
            connection.Execute(Read(resource), transaction: transaction);
            connection.Execute(
                "INSERT INTO schema_version (version, applied_at) VALUES (@version, unixepoch('subsec') * 1000)", new { version }, transaction);
        }
        transaction.Commit();
    }

    private static List<(int Version, string Resource)> Scripts() =>
        [.. typeof(Migrator).Assembly.GetManifestResourceNames()
            .Where(name => name.Contains(Folder, StringComparison.Ordinal))
            .Select(name => (int.Parse(name.AsSpan(name.IndexOf(Folder, StringComparison.Ordinal) + Folder.Length, 4), CultureInfo.InvariantCulture), name))
            .Order()];

    private static string Read(string resource)
    {
        using var stream = typeof(Migrator).Assembly.GetManifestResourceStream(resource)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
