using System.Buffers.Binary;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>The log begins anew however the writer writes, and what it held is in the file.</summary>
public sealed class CheckpointsTests : IDisposable
{
    private const int Limit = 400;
    private const int PageInLog = 4096 + 24;

    private readonly string folder = Directory.CreateTempSubdirectory("checkpoints-").FullName;
    private readonly Database database;
    private readonly SqliteConnection writer;
    private readonly Log log = [];
    private readonly Checkpoints checkpoints;

    public CheckpointsTests()
    {
        database = new Database(Options.Create(new StorageOptions { ConnectionString = $"Data Source={File}" }));
        writer = database.OpenForWriting();
        writer.Execute("PRAGMA synchronous=OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, value BLOB)");
        checkpoints = new Checkpoints(database, log, Limit);
        checkpoints.Watch(writer);
    }

    private string File => Path.Combine(folder, "a.db");

    /// <summary>How often the log began anew: SQLite counts it at its beginning (https://sqlite.org/fileformat2.html#walformat).</summary>
    private int TimesBegun
    {
        get
        {
            using var wal = new FileStream($"{File}-wal", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var head = new byte[32];
            wal.ReadExactly(head);
            return BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(12));
        }
    }

    private long PagesOfLog => new FileInfo($"{File}-wal").Length / PageInLog;

    public void Dispose()
    {
        checkpoints.End();
        writer.Dispose();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_writer_that_never_rests_has_a_log_of_bounded_length()
    {
        var written = Write(pages: 40 * Limit);

        Assert.InRange(PagesOfLog, Limit, (2 * Limit) + 20);
        Assert.Equal(written, writer.QuerySingle<long>("SELECT count(*) FROM t"));
        Assert.Equal("ok", writer.QuerySingle<string>("PRAGMA integrity_check"));
        Assert.Empty(log);
    }

    [Fact]
    public void Most_of_the_log_is_moved_beside_the_writer_and_the_end_waits_for_it()
    {
        writer.Execute("INSERT INTO t (value) VALUES (zeroblob(@bytes))", new { bytes = Limit * 4096 });
        Assert.InRange(new FileInfo(File).Length, 1, 10 * 4096); // of its own accord the writer moves nothing

        checkpoints.Between(writer);
        checkpoints.End();

        Assert.InRange(new FileInfo(File).Length, Limit * 4096, long.MaxValue);
    }

    [Fact]
    public void Where_all_was_moved_before_the_writer_goes_on_the_log_begins_anew_no_sooner()
    {
        Write(pages: 20 * Limit, afterEach: checkpoints.End);

        Assert.InRange(TimesBegun, 20, 30);
        Assert.Empty(log);
    }

    [Fact]
    public void A_log_that_readers_need_by_turns_begins_anew_as_soon_as_none_does()
    {
        var (turn, reader) = (0, (SqliteConnection?)null);
        Write(pages: 4 * Limit, afterEach: () =>
        {
            checkpoints.End();
            reader?.Dispose();
            if (++turn % 7 == 0) return; // nobody between this transaction and the next one
            reader = database.OpenForReading();
            reader.QuerySingle<long>("SELECT count(*) FROM t", transaction: reader.BeginTransaction(deferred: true));
        });
        reader?.Dispose();

        Assert.InRange(TimesBegun, 2, 4);
        Assert.InRange(PagesOfLog, Limit, Limit + 120);
    }

    [Fact]
    public void A_log_that_a_reader_needs_grows_and_begins_anew_when_the_reader_is_gone()
    {
        Write(pages: 10);
        using (var reader = database.OpenForReading())
        {
            reader.Execute("BEGIN TRANSACTION");
            var seen = reader.QuerySingle<long>("SELECT count(*) FROM t");
            Write(pages: 20 * Limit);
            Assert.InRange(PagesOfLog, 20 * Limit, long.MaxValue);
            Assert.Equal(seen, reader.QuerySingle<long>("SELECT count(*) FROM t"));
            reader.Execute("COMMIT TRANSACTION");
        }

        var longest = PagesOfLog;
        Write(pages: 10 * Limit); // it tries again soon: after an eighth of the limit
        Assert.InRange(PagesOfLog, longest, longest + (3 * Limit));
        checkpoints.End(); // two at once are refused
        Assert.InRange(writer.QuerySingle<(int Busy, int Pages, int Moved)>("PRAGMA wal_checkpoint(PASSIVE)").Pages, 1, (2 * Limit) + 20); // and no longer than before
    }

    [Fact]
    public void Where_the_file_is_no_longer_in_its_place_the_writer_moves_all_itself_and_touches_no_other()
    {
        System.IO.File.Move(File, $"{File}.away"); // the writer has it open
        System.IO.File.WriteAllText(File, "another one");

        Write(pages: 10 * Limit);

        Assert.InRange(PagesOfLog, Limit, (2 * Limit) + 20);
        Assert.StartsWith($"The database file is no longer at {File}", log[0], StringComparison.Ordinal);
        Assert.Equal("another one", System.IO.File.ReadAllText(File));
        System.IO.File.Move($"{File}.away", File, overwrite: true);
    }

    [Fact]
    public void Where_the_file_cannot_be_opened_once_more_the_writer_moves_all_itself_and_the_log_says_so()
    {
        var none = new Database(Options.Create(new StorageOptions { ConnectionString = $"Data Source={File}.none" }));
        var alone = new Checkpoints(none, log, Limit);
        alone.Watch(writer);

        Write(pages: 10 * Limit, alone);

        alone.End();
        Assert.InRange(PagesOfLog, Limit, (2 * Limit) + 20);
        Assert.StartsWith("Pages of the write-ahead log could not be moved", log[0], StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists($"{File}.none"));
    }

    [Fact]
    public void The_library_is_one_that_loses_nothing_where_the_log_begins_anew_beside_a_checkpoint() =>
        Assert.InRange(Version.Parse(writer.ServerVersion), new Version(3, 51, 3), new Version(4, 0));

    /// <summary>Transactions of a few pages, one after another, at least so many pages in all.</summary>
    private long Write(int pages, Checkpoints? own = null, Action? afterEach = null)
    {
        const int PagesOfTransaction = 10;
        var value = new byte[PagesOfTransaction * 4000];
        for (var i = 0; i < pages / PagesOfTransaction; i++)
        {
            writer.Execute("INSERT INTO t (value) VALUES (@value)", new { value });
            (own ?? checkpoints).Between(writer);
            afterEach?.Invoke();
        }
        return pages / PagesOfTransaction;
    }

    private sealed class Log : List<string>, ILogger<Checkpoints>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Add(formatter(state, exception));
    }
}
