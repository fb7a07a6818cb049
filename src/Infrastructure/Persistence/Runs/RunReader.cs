using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence.Runs;

/// <summary>
/// A complete run: its entries speak of rows with numbers from <paramref name="No"/> to <paramref name="LastNo"/>, at times from
/// <paramref name="OldestAt"/> to <paramref name="NewestAt"/>.
/// </summary>
internal sealed record Run(long No, long LastNo, long NewestAt, long OldestAt);

/// <summary>Finds rows by an index of runs, for one question. An entry may outlive its row: what is found is looked up.</summary>
/// <param name="name">Of the index.</param>
/// <param name="rows">SQL for the key, time and number of all rows with a number greater than @after, in order.</param>
/// <param name="active">Entries that come in.</param>
/// <param name="full">Entries that are being written.</param>
/// <param name="known">Rows beyond this number may be in none of those yet: the few there are in a snapshot are looked at themselves.</param>
internal sealed class RunReader(string name, string rows, RecentEntries active, RecentEntries? full, long known) : IDisposable
{
    private const int Chunk = 256;

    private const int LargestChunk = 1_024;

    /// <summary>Stands for a run where an entry is in memory.</summary>
    public const long InMemory = -1;

    private readonly string newestFirst = $"""
        SELECT at, no FROM {name}_runs WHERE run = @run AND key = @key AND (at, no) < (@at, @no) ORDER BY at DESC, no DESC LIMIT @chunk
        """;

    private readonly string byNumber = $"SELECT no FROM {name}_runs WHERE run = @run AND key = @key AND at = 0 AND no > @no ORDER BY no LIMIT @Chunk";

    private IReadOnlyList<Run>? runs;
    private IReadOnlyList<Run>? runsByTime;
    private ILookup<long, IndexEntry>? unknown;
    private SqliteCommand? look; // a question may look into runs many hundred times
    private bool isDisposed;

    /// <summary>How often runs were looked into for entries in the order of time.</summary>
    public int Looks { get; private set; }

    /// <summary>The complete runs, newest first.</summary>
    public IReadOnlyList<Run> Runs(SqliteConnection connection) =>
        runs ??= [.. connection.Query<(long, long, long, long)>(
                "SELECT run, last_no, newest_at, oldest_at FROM runs WHERE name = @name ORDER BY run DESC", new { name })
            .Select(row => new Run(row.Item1, row.Item2, row.Item3, row.Item4))];

    /// <summary>The complete runs, that with the newest entry first.</summary>
    public IReadOnlyList<Run> RunsByTime(SqliteConnection connection) =>
        runsByTime ??= [.. Runs(connection).OrderByDescending(run => run.NewestAt)];

    /// <summary>The numbers of a key's rows where rows stand in the order of their numbers, from <paramref name="start"/> on, which is left out.</summary>
    public IEnumerable<long> Numbers(SqliteConnection connection, long key, long start, bool ascending)
    {
        var complete = Runs(connection);
        var indexed = complete.Count > 0 ? complete[0].LastNo : 0;
        if (ascending)
        {
            foreach (var run in complete.Reverse().Where(run => run.LastNo > start))
                foreach (var no in Ascending(connection, run.No, key, start)) yield return no;
            foreach (var entry in Recent(key, long.MaxValue).Reverse())
                if (entry.No > Math.Max(indexed, start) && entry.No <= known) yield return entry.No;
            foreach (var entry in Unknown(connection, key))
                if (entry.No > Math.Max(indexed, start)) yield return entry.No;
            yield break;
        }
        foreach (var entry in Unknown(connection, key).Reverse())
            if (entry.No > indexed && entry.No < start) yield return entry.No;
        foreach (var entry in Recent(key, start))
            if (entry.No > indexed && entry.No <= known) yield return entry.No;
        foreach (var run in complete.Where(run => run.No < start))
            foreach (var entry in NewestFirst(connection, run.No, key, 0, start, Chunk)) yield return entry.No;
    }

    /// <summary>Some entries of a key with the runs they are in, those in memory last.</summary>
    public IEnumerable<(long Run, IndexEntry Entry)> All(SqliteConnection connection, long key)
    {
        foreach (var run in Runs(connection))
            foreach (var entry in NewestFirst(connection, run.No, key, long.MaxValue, long.MaxValue, Chunk)) yield return (run.No, entry);
        foreach (var entry in InNoRun(connection, key, long.MaxValue, long.MaxValue).SelectMany(some => some)) yield return (InMemory, entry);
    }

    /// <summary>A key's entries in one run before a place, newest first.</summary>
    /// <param name="connection">Of the question; the same whenever this reader is asked.</param>
    /// <param name="chunk">So many are read first; then more at once.</param>
    public IEnumerable<IndexEntry> NewestFirst(SqliteConnection connection, long run, long key, long at, long no, int chunk)
    {
        List<IndexEntry> some;
        int asked;
        do
        {
            (some, asked) = (Look(connection, run, key, at, no, chunk), chunk);
            foreach (var one in some) yield return one;
            if (some.Count > 0) (at, no) = (some[^1].At, some[^1].No);
            chunk = Math.Min(4 * chunk, LargestChunk);
        }
        while (some.Count == asked);
    }

    /// <summary>A key's entries before a place that are in no complete run, in some rows that are newest first each.</summary>
    public IEnumerable<IEnumerable<IndexEntry>> InNoRun(SqliteConnection connection, long key, long at, long no)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        yield return active.NewestFirst(key, at, no);
        if (full is not null) yield return full.NewestFirst(key, at, no);
        if (Unknown(connection, key) is IndexEntry[] { Length: > 0 } some)
            yield return some.Where(entry => (entry.At, entry.No).CompareTo((at, no)) < 0).OrderDescending(Comparer<IndexEntry>.Create(IndexEntry.Order));
    }

    public void Dispose()
    {
        if (isDisposed) return;
        isDisposed = true;
        active.Leave();
        full?.Leave();
        look?.Dispose();
    }

    /// <summary>The key's rows of the snapshot that were not known when the reader was made, of which there are some commits of the writer at most.</summary>
    private IndexEntry[] Unknown(SqliteConnection connection, long key)
    {
        unknown ??= connection.Query<(long Key, long At, long No)>(rows, new { after = known }).ToLookup(row => row.Key, row => new IndexEntry(row.Key, row.At, row.No));
        return [.. unknown[key]];
    }

    /// <summary>Those in memory where rows stand in the order of their numbers.</summary>
    private IEnumerable<IndexEntry> Recent(long key, long before)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        var newer = active.NewestFirst(key, 0, before);
        return full is null ? newer : newer.Concat(full.NewestFirst(key, 0, before));
    }

    private List<IndexEntry> Look(SqliteConnection connection, long run, long key, long at, long no, int chunk)
    {
        if (look is null)
        {
            look = connection.CreateCommand();
            look.CommandText = newestFirst;
            foreach (var parameter in new[] { "@run", "@key", "@at", "@no", "@chunk" }) look.Parameters.Add(parameter, SqliteType.Integer);
        }
        var values = look.Parameters;
        (values[0].Value, values[1].Value, values[2].Value, values[3].Value, values[4].Value) = (run, key, at, no, chunk);
        Looks++;
        var found = new List<IndexEntry>();
        using var reader = look.ExecuteReader();
        while (reader.Read()) found.Add(new(key, reader.GetInt64(0), reader.GetInt64(1)));
        return found;
    }

    private IEnumerable<long> Ascending(SqliteConnection connection, long run, long key, long no)
    {
        List<long> some;
        do
        {
            some = connection.Query<long>(byNumber, new { run, key, no, Chunk }).AsList();
            foreach (var one in some) yield return one;
            if (some.Count > 0) no = some[^1];
        }
        while (some.Count == Chunk);
    }
}
