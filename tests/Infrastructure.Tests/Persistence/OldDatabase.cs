using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>Databases as earlier programs left them.</summary>
internal static class OldDatabase
{
    /// <summary>Makes one with the schema of that version in a folder, and opens it.</summary>
    public static SqliteConnection Create(string folder, int version)
    {
        var old = new SqliteConnection($"Data Source={Path.Combine(folder, "webhooks.db")};Pooling=False");
        old.Open();
        old.Execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (@version, 0)", new { version });
        var next = (version + 1).ToString("0000_", CultureInfo.InvariantCulture);
        foreach (var script in Scripts().TakeWhile(script => !script.Contains(next, StringComparison.Ordinal))) old.Execute(Read(script));
        return old;
    }

    private static IEnumerable<string> Scripts() =>
        typeof(Migrator).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Read(string script)
    {
        using var reader = new StreamReader(typeof(Migrator).Assembly.GetManifestResourceStream(script)!);
        return reader.ReadToEnd();
    }
}
