using System.Data;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Opens connections to the SQLite file: one for the writer, pooled ones for readers, which see the last commit and block nobody (WAL).</summary>
internal sealed class Database
{
    /// <summary>What to do where the file cannot be used.</summary>
    public const string Choose = "Give Storage:ConnectionString a file that the service may write, such as \"Data Source=data/webhooks.db\".";

    private readonly string writing;
    private readonly string moving;
    private readonly string reading;

    static Database()
    {
        // A connection is used by one thread at a time here (the writer's, or that of the reader who took it from the pool), so it needs no lock of its own.
        // Nobody asks how much memory SQLite uses, and counting that takes a lock at every turn. Both are refused, harmlessly, where SQLite is in use already.
        SQLitePCL.Batteries_V2.Init();
        _ = SQLitePCL.raw.sqlite3_config(SQLitePCL.raw.SQLITE_CONFIG_MULTITHREAD);
        _ = SQLitePCL.raw.sqlite3_config(SQLitePCL.raw.SQLITE_CONFIG_MEMSTATUS, 0);
        GatheredLog.Register();
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset)); // else parameters go past the handler
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset?));
        SqlMapper.AddTypeHandler(new UnixTimeHandler());
    }

    public Database(IOptions<StorageOptions> options)
    {
        var source = Parse(options.Value.ConnectionString);
        Path = System.IO.Path.GetFullPath(source.DataSource);
        source.DataSource = Path;
        CreateFolder();
        source.Pooling = false;
        if (!options.Value.ConnectionString.Contains("Timeout", StringComparison.OrdinalIgnoreCase)) source.DefaultTimeout = 5;
        writing = string.IsNullOrEmpty(source.Vfs) ? $"{source.ConnectionString};Vfs={GatheredLog.Name}" : source.ConnectionString;
        moving = new SqliteConnectionStringBuilder(source.ConnectionString)
        {
            Mode = SqliteOpenMode.ReadWrite, // a file that somebody took away is not made anew
            Cache = SqliteCacheMode.Private, // one that is shared has locks of its own
        }.ConnectionString;
        source.Pooling = true;
        source.Mode = SqliteOpenMode.ReadOnly;
        reading = source.ConnectionString;
    }

    public string Path { get; }

    private static SqliteConnectionStringBuilder Parse(string text)
    {
        try
        {
            var source = new SqliteConnectionStringBuilder(text) { ForeignKeys = false };
            if (source.DataSource.Length > 0) return source;
            throw new DatabaseUnusableException($"Storage:ConnectionString names no file. {Choose}");
        }
        catch (ArgumentException wrong)
        {
            throw new DatabaseUnusableException($"Storage:ConnectionString is '{text}', which is no connection string ({wrong.Message}). {Choose}", wrong);
        }
    }

    private void CreateFolder()
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new DatabaseUnusableException($"The folder of the database '{Path}' cannot be made ({failed.Message}). {Choose}", failed);
        }
    }

    /// <summary>
    /// The connection that writes. synchronous=FULL: a commit is on disk before it is answered. auto_vacuum=INCREMENTAL, which only a new file
    /// takes: what retention frees can be given back to the disk.
    /// </summary>
    public SqliteConnection OpenForWriting() => Open(
        writing,
        connection => $"""
            PRAGMA busy_timeout={connection.DefaultTimeout * 1000}; PRAGMA auto_vacuum=INCREMENTAL;
            PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint={Checkpoints.Usual};
            PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;
            """);

    /// <summary>A connection beside the writer's that moves pages from the log to the file, and syncs the log before.</summary>
    public SqliteConnection OpenForMoving() => Open(
        moving,
        _ => "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0"); // the first of them opens the log, too: there is nothing to move before

    private static SqliteConnection Open(string text, Func<SqliteConnection, string> settings)
    {
        var connection = new SqliteConnection(text);
        try
        {
            connection.Open();
            connection.Execute(settings(connection));
            return connection;
        }
        catch (SqliteException)
        {
            connection.Dispose();
            throw;
        }
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
