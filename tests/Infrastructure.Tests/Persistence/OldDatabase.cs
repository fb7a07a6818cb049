using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>Databases as earlier programs left them.</summary>
internal static class OldDatabase
{
    /// <summary>Makes one with the schema of that version in a folder, and opens it.</summary>
    /// <param name="devices">Their clients have the numbers from 1 on.</param>
    public static SqliteConnection Create(string folder, int version, DateTimeOffset since, params string[] devices)
    {
        var old = new SqliteConnection($"Data Source={Path.Combine(folder, "webhooks.db")};Pooling=False");
        old.Open();
        old.Execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (@version, 0)", new { version });
        var next = (version + 1).ToString("0000_", CultureInfo.InvariantCulture);
        foreach (var script in Scripts().TakeWhile(script => !script.Contains(next, StringComparison.Ordinal))) old.Execute(Read(script));
        for (var no = 1; no <= devices.Length; no++)
            old.Execute(
                """
                INSERT INTO clients VALUES (@no, @id);
                INSERT INTO devices (client_no, client_id, first_seen_at, status, confidence, since, evidence, session_count, subscription_count)
                VALUES (@no, @id, @at, 1, 0, @at, 'session', 0, 0);
                """, new { no, id = devices[no - 1], at = since.ToMs() });
        return old;
    }

    /// <summary>A script of the migrations, by its file's name.</summary>
    public static string Script(string name) => Read(Scripts().Single(script => script.EndsWith(name, StringComparison.Ordinal)));

    private static IEnumerable<string> Scripts() =>
        typeof(Migrator).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Read(string script)
    {
        using var reader = new StreamReader(typeof(Migrator).Assembly.GetManifestResourceStream(script)!);
        return reader.ReadToEnd();
    }
}
