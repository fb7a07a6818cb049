using System.Runtime.InteropServices;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>The log is written with fewer calls, and all else is as it was: what is committed is in the file, what fails is not, others see every commit.</summary>
public sealed class GatheredLogTests : IDisposable
{
    private const int ErrorFull = 13;

    private readonly string folder = Directory.CreateTempSubdirectory("log-").FullName;
    private readonly Database database;
    private readonly SqliteConnection writer;

    public GatheredLogTests()
    {
        database = Open($"Data Source={Path.Combine(folder, "a.db")}");
        writer = database.OpenForWriting();
        writer.Execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value BLOB)");
    }

    public void Dispose()
    {
        writer.Dispose();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("FULL")]
    [InlineData("OFF")]
    public void Any_transactions_whatever_leave_what_they_committed(string synchronous)
    {
        var (random, expected) = (new Random(1), new Dictionary<long, byte[]>());
        writer.Execute($"PRAGMA synchronous={synchronous}; PRAGMA cache_size=5; PRAGMA wal_autocheckpoint=100"); // pages go to the log before the commit, and are read from it again

        for (var i = 0; i < 150; i++)
        {
            var before = new Dictionary<long, byte[]>(expected);
            writer.Execute("BEGIN IMMEDIATE");
            Change(random, expected, random.Next(1, 60));
            if (random.Next(3) == 0)
            {
                var point = new Dictionary<long, byte[]>(expected);
                writer.Execute("SAVEPOINT here");
                Change(random, expected, random.Next(1, 60));
                writer.Execute("ROLLBACK TO here; RELEASE here");
                expected = point;
                Change(random, expected, random.Next(0, 10));
            }
            if (random.Next(5) > 0) writer.Execute("COMMIT");
            else
            {
                writer.Execute("ROLLBACK");
                expected = before;
            }

            Assert.Equal(Lines(expected), Rows(database.OpenForReading()));
        }

        Assert.Equal("ok", writer.ExecuteScalar<string>("PRAGMA integrity_check"));
    }

    [Theory]
    [InlineData("FULL", 2_000, 1)]
    [InlineData("FULL", 2_000, 2_000)] // more than is gathered at once
    [InlineData("OFF", 2_000, 2_000)]
    [InlineData("FULL", 5, 500)]       // with so few pages in memory they are written again and again, and their headers once more in the end
    [InlineData("OFF", 5, 500)]
    public void What_is_committed_is_in_the_files_when_the_process_dies(string synchronous, int pages, int rows)
    {
        var expected = new Dictionary<long, byte[]>();
        writer.Execute($"PRAGMA synchronous={synchronous}; PRAGMA cache_size={pages}");
        writer.Execute("BEGIN IMMEDIATE");
        Change(new Random(1), expected, rows);
        writer.Execute("COMMIT");

        foreach (var ending in new[] { "", "-wal" }) File.Copy($"{database.Path}{ending}", Path.Combine(folder, $"b.db{ending}"));

        Assert.Equal(Lines(expected), Rows(Open($"Data Source={Path.Combine(folder, "b.db")}").OpenForWriting()));
    }

    [LinuxFact]
    public void A_commit_takes_few_calls()
    {
        writer.Execute("BEGIN IMMEDIATE");
        Change(new Random(1), [], 200);
        writer.Execute("COMMIT; PRAGMA wal_checkpoint(RESTART)");
        writer.Execute("INSERT INTO t VALUES (1000, NULL)"); // the log begins anew, over what it held
        writer.Execute("BEGIN IMMEDIATE");
        Change(new Random(1), [], 20);
        var before = Writes();
        writer.Execute("COMMIT");

        Assert.InRange(Writes() - before, 1, 3);

        static long Writes() => long.Parse(File.ReadLines("/proc/thread-self/io").Single(line => line.StartsWith("syscw", StringComparison.Ordinal)).Split(' ')[1]);
    }

    [LinuxFact]
    public void A_log_that_cannot_be_written_fails_the_commit_and_the_next_one_goes_on()
    {
        writer.Execute("INSERT INTO t VALUES (1, zeroblob(10))");
        using (new FullDisk(database.Path))
            Assert.Equal(ErrorFull, Assert.Throws<SqliteException>(() => writer.Execute("INSERT INTO t VALUES (2, zeroblob(10))")).SqliteErrorCode);
        Assert.Equal(["1"], Ids());

        writer.Execute("INSERT INTO t VALUES (3, zeroblob(10))");

        Assert.Equal(["1", "3"], Ids());
        Assert.Equal("ok", writer.ExecuteScalar<string>("PRAGMA integrity_check"));
    }

    [LinuxFact]
    public void No_commit_gets_past_pages_that_could_not_be_written_when_they_were_looked_at()
    {
        writer.Execute("PRAGMA cache_size=5; BEGIN IMMEDIATE");
        Change(new Random(1), [], 30);
        using (new FullDisk(database.Path))
        {
            Assert.Equal(ErrorFull, Assert.Throws<SqliteException>(() => writer.ExecuteScalar<long>("SELECT sum(length(value)) FROM t")).SqliteErrorCode);
            Assert.ThrowsAny<SqliteException>(() => writer.Execute("COMMIT"));
        }
        if (SQLitePCL.raw.sqlite3_get_autocommit(writer.Handle) == 0) writer.Execute("ROLLBACK");
        Assert.Empty(Ids());

        writer.Execute("INSERT INTO t VALUES (3, zeroblob(10))");

        Assert.Equal(["3"], Ids());
        Assert.Equal("ok", writer.ExecuteScalar<string>("PRAGMA integrity_check"));
    }

    [Fact]
    public void A_vfs_that_the_user_chose_is_used()
    {
        Assert.Contains($"Vfs={GatheredLog.Name}", writer.ConnectionString, StringComparison.OrdinalIgnoreCase);
        using var own = Open($"Data Source={Path.Combine(folder, "c.db")};Vfs=unix-none").OpenForWriting();
        Assert.DoesNotContain(GatheredLog.Name, own.ConnectionString, StringComparison.OrdinalIgnoreCase);
    }

    private IReadOnlyList<string> Ids()
    {
        using var reader = database.OpenForReading();
        return reader.Query<string>("SELECT id FROM t ORDER BY id").AsList();
    }

    private static Database Open(string connection) => new(Options.Create(new StorageOptions { ConnectionString = connection }));

    private void Change(Random random, Dictionary<long, byte[]> rows, int changes)
    {
        for (var i = 0; i < changes; i++)
        {
            var (id, value) = (random.NextInt64(200), new byte[random.Next(3_000)]);
            random.NextBytes(value);
            if (random.Next(5) == 0 && rows.Remove(id)) writer.Execute("DELETE FROM t WHERE id = @id", new { id });
            else
            {
                rows[id] = value;
                writer.Execute("REPLACE INTO t VALUES (@id, @value)", new { id, value });
            }
        }
    }

    private static string Rows(SqliteConnection connection)
    {
        using (connection) return Lines(connection.Query<(long Id, byte[] Value)>("SELECT id, value FROM t").ToDictionary(row => row.Id, row => row.Value));
    }

    private static string Lines(Dictionary<long, byte[]> rows) => string.Join('\n', rows.OrderBy(row => row.Key).Select(row => $"{row.Key} {Convert.ToHexString(row.Value)}"));

    /// <summary>A log into which nothing can be written any more, until it is disposed of.</summary>
    private sealed class FullDisk : IDisposable
    {
        private readonly int log;
        private readonly int usual;

        public FullDisk(string database)
        {
            log = int.Parse(Path.GetFileName(Directory.EnumerateFiles("/proc/self/fd").Single(file => new FileInfo(file).LinkTarget == $"{database}-wal")));
            usual = Dup(log);
            using var full = File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite);
            Assert.Equal(log, Dup2((int)full.DangerousGetHandle(), log));
        }

        public void Dispose()
        {
            Assert.Equal(log, Dup2(usual, log));
            Assert.Equal(0, Close(usual));
        }

        [DllImport("libc", EntryPoint = "dup")]
        private static extern int Dup(int file);

        [DllImport("libc", EntryPoint = "dup2")]
        private static extern int Dup2(int from, int to);

        [DllImport("libc", EntryPoint = "close")]
        private static extern int Close(int file);
    }
}
