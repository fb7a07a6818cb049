using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence.Runs;

/// <summary>A complete run: its entries speak of rows with numbers up to <paramref name="LastNo"/>, none of them at a later time than <paramref name="NewestAt"/>.</summary>
internal sealed record Run(long No, long LastNo, long NewestAt);

/// <summary>Finds rows by an index of runs, for one question. An entry may outlive its row: what is found is looked up.</summary>
internal sealed class RunReader(string name, RecentEntries active, RecentEntries? full)
{
    private const int Chunk = 256;

    /// <summary>Stands for a run where an entry is in memory.</summary>
    public const long InMemory = -1;

    private readonly string newestFirst = $"""
        SELECT at, no FROM {name}_runs WHERE run = @run AND key = @key AND (at, no) < (@at, @no) ORDER BY at DESC, no DESC LIMIT @Chunk
        """;

    private readonly string byNumber = $"SELECT no FROM {name}_runs WHERE run = @run AND key = @key AND at = 0 AND no > @no ORDER BY no LIMIT @Chunk";

    private List<Run>? runs;

    /// <summary>The complete runs, newest first.</summary>
    public IReadOnlyList<Run> Runs(SqliteConnection connection, SqliteTransaction? snapshot) =>
        runs ??= [.. connection.Query<(long, long, long)>("SELECT run, last_no, newest_at FROM runs WHERE name = @name ORDER BY run DESC", new { name }, snapshot)
            .Select(row => new Run(row.Item1, row.Item2, row.Item3))];

    /// <summary>The numbers of a key's rows where rows stand in the order of their numbers, from <paramref name="start"/> on, which is left out.</summary>
    public IEnumerable<long> Numbers(SqliteConnection connection, SqliteTransaction? snapshot, long key, long start, bool ascending)
    {
        var complete = Runs(connection, snapshot);
        var indexed = complete.Count > 0 ? complete[0].LastNo : 0;
        if (ascending)
        {
            foreach (var run in complete.Reverse().Where(run => run.LastNo > start))
                foreach (var no in Ascending(connection, snapshot, run.No, key, start)) yield return no;
            foreach (var entry in Recent(key, long.MaxValue).Reverse())
                if (entry.No > Math.Max(indexed, start)) yield return entry.No;
            yield break;
        }
        foreach (var entry in Recent(key, start))
            if (entry.No > indexed) yield return entry.No;
        foreach (var run in complete.Where(run => run.No < start))
            foreach (var entry in NewestFirst(connection, snapshot, run.No, key, 0, start)) yield return entry.No;
    }

    /// <summary>Some entries of a key with the runs they are in, those in memory last.</summary>
    public IEnumerable<(long Run, IndexEntry Entry)> All(SqliteConnection connection, long key)
    {
        foreach (var run in Runs(connection, null))
            foreach (var entry in NewestFirst(connection, null, run.No, key, long.MaxValue, long.MaxValue)) yield return (run.No, entry);
        foreach (var entry in Recent(key, long.MaxValue)) yield return (InMemory, entry);
    }

    /// <summary>A key's entries in one run before a place, newest first.</summary>
    public IEnumerable<IndexEntry> NewestFirst(SqliteConnection connection, SqliteTransaction? snapshot, long run, long key, long at, long no)
    {
        List<(long At, long No)> some;
        do
        {
            some = connection.Query<(long, long)>(newestFirst, new { run, key, at, no, Chunk }, snapshot).AsList();
            foreach (var one in some) yield return new(key, one.At, one.No);
            if (some.Count > 0) (at, no) = some[^1];
        }
        while (some.Count == Chunk);
    }

    private IEnumerable<IndexEntry> Recent(long key, long before) =>
        active.NewestFirst(key, 0, before) is var newer && full is not null ? newer.Concat(full.NewestFirst(key, 0, before)) : newer;

    private IEnumerable<long> Ascending(SqliteConnection connection, SqliteTransaction? snapshot, long run, long key, long no)
    {
        List<long> some;
        do
        {
            some = connection.Query<long>(byNumber, new { run, key, no, Chunk }, snapshot).AsList();
            foreach (var one in some) yield return one;
            if (some.Count > 0) no = some[^1];
        }
        while (some.Count == Chunk);
    }
}
