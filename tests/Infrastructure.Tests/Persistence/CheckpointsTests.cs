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
    public void Most_of_the_log_is_moved_while_the_writer_writes()
    {
        Write(pages: Limit + 50); // on its own accord it moves nothing before 1,000 and nothing at all once it is watched

        Assert.True(SpinWait.SpinUntil(() => new FileInfo(File).Length > Limit / 2 * 4096, TimeSpan.FromSeconds(30)));
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
    public void Where_the_file_cannot_be_opened_the_writer_moves_all_itself_and_the_log_says_so()
    {
        System.IO.File.Move(File, $"{File}.away"); // the writer has it open

        Write(pages: 10 * Limit);

        Assert.InRange(PagesOfLog, Limit, (2 * Limit) + 20);
        Assert.StartsWith("Pages of the write-ahead log could not be moved", log[0], StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(File));
        System.IO.File.Move($"{File}.away", File);
    }

    /// <summary>Transactions of a few pages, one after another, at least so many pages in all.</summary>
    private long Write(int pages)
    {
        const int PagesOfTransaction = 10;
        var value = new byte[PagesOfTransaction * 4000];
        for (var i = 0; i < pages / PagesOfTransaction; i++)
        {
            writer.Execute("INSERT INTO t (value) VALUES (@value)", new { value });
            checkpoints.Between(writer);
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
