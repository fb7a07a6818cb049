using System.Data;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Opens connections to the SQLite file: one for the writer, pooled ones for readers, which see the last commit and block nobody (WAL).</summary>
internal sealed class Database
{
    private readonly string writing;
    private readonly string reading;

    static Database()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset)); // else parameters go past the handler
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset?));
        SqlMapper.AddTypeHandler(new UnixTimeHandler());
    }

    public Database(IOptions<StorageOptions> options)
    {
        var source = new SqliteConnectionStringBuilder(options.Value.ConnectionString) { ForeignKeys = false };
        Path = System.IO.Path.GetFullPath(source.DataSource);
        source.DataSource = Path;
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        source.Pooling = false;
        if (!options.Value.ConnectionString.Contains("Timeout", StringComparison.OrdinalIgnoreCase)) source.DefaultTimeout = 5;
        writing = source.ConnectionString;
        source.Pooling = true;
        source.Mode = SqliteOpenMode.ReadOnly;
        reading = source.ConnectionString;
    }

    public string Path { get; }

    /// <summary>The connection that writes. synchronous=FULL: a commit is on disk before it is answered.</summary>
    public SqliteConnection OpenForWriting()
    {
        var connection = new SqliteConnection(writing);
        connection.Open();
        connection.Execute($"PRAGMA busy_timeout={connection.DefaultTimeout * 1000}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;");
        return connection;
    }

    /// <summary>A pooled connection that only reads; dispose it soon.</summary>
    public SqliteConnection OpenForReading()
    {
        var connection = new SqliteConnection(reading);
        connection.StateChange += (_, change) =>
        {
            if (change.CurrentState is ConnectionState.Open)
                connection.Execute("PRAGMA cache_size=-8192; PRAGMA query_only=1;");
        };
        connection.Open();
        return connection;
    }
}
