using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

public sealed class MigratorTests
{
    [Fact]
    public void An_empty_database_comes_to_the_newest_version_and_stays_there()
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();

        Migrator.Migrate(connection);
        Migrator.Migrate(connection);

        Assert.Equal(Enumerable.Range(1, Migrator.Newest).Select(version => (long)version), connection.Query<long>("SELECT version FROM schema_version ORDER BY version"));
    }

    [Fact]
    public void A_newer_database_is_refused_and_untouched()
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        Migrator.Migrate(connection);
        connection.Execute("INSERT INTO schema_version (version, applied_at) VALUES (9999, 0)");

        var refusal = Assert.Throws<DatabaseUnusableException>(() => Migrator.Migrate(connection));

        Assert.Contains("schema version 9999", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Start a newer program", refusal.Message, StringComparison.Ordinal);
    }
}
