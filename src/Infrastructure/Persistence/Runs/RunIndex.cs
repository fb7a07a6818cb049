using System.Runtime.InteropServices;
using Dapper;

namespace WebhookService.Infrastructure.Persistence.Runs;

/// <summary>
/// An index over rows that are numbered as they come, by a key that has no such order. SQLite's own index would change a page at a random place
/// for every row, and a page is 4 KiB to write twice. Here new entries stay in memory; when they are many they are written together, sorted, as a
/// run, and a reader looks into each run. Nothing is lost with the memory: it is read anew from the rows, which are on disk. See decision 0011.
/// </summary>
internal abstract class RunIndex : IUnitOfWorkPart, ILateIndex, IDisposable
{
    /// <summary>Entries inserted between two looks at the clock.</summary>
    private const int AtOnce = 64;

    private readonly UnitOfWork work;
    private readonly string rows;
    private readonly string newest;
    private readonly int entriesOfRun;
    private readonly Lazy<Statement> insert;
    private readonly Lazy<Statement> complete;
    private readonly Lazy<Statement> removeEntry;
    private readonly Lazy<Statement> outdated;
    private readonly Lazy<Statement> removeSome;
    private readonly Lazy<Statement> removeRun;
    private readonly SemaphoreSlim many = new(0, 1);
    private readonly List<IndexEntry> added = [];
    private readonly List<IndexEntry> removed = [];
    private readonly List<int> places = []; // of the run that is being built
    private readonly IndexEntry[] chunk = new IndexEntry[AtOnce];
    private volatile Memory memory;
    private RecentEntries? spare; // those of the last run, which no new reader comes to; old ones may still be there
    private Building? building;
    private int written; // of the run that is being built, in this transaction
    private bool finished;
    private bool incomplete; // what was added in this transaction is not known
    private long reached;    // the newest row of this transaction
    private long last;       // all rows up to this one are in memory or in a run, as readers may rely on

    /// <param name="work">The writer's transactions, whose rows are indexed.</param>
    /// <param name="name">`‹name›_runs` holds the entries; `runs` tells which runs are complete, and up to which row.</param>
    /// <param name="rows">SQL for the key, time and number of all rows with a number greater than @after, in order.</param>
    /// <param name="oldest">SQL for the lowest number of all rows that are found by runs, null if there are none: runs that lie before it go.</param>
    /// <param name="newest">SQL for the highest number of all rows, those without a key too; null if there are none.</param>
    /// <param name="entriesOfRun">So many entries make a run.</param>
    protected RunIndex(UnitOfWork work, string name, string rows, string oldest, string newest, int entriesOfRun)
    {
        (this.work, Name, this.rows, this.newest, this.entriesOfRun) = (work, name, rows, newest, entriesOfRun);
        memory = new(new(), null);
        insert = work.Prepare($"INSERT OR IGNORE INTO {name}_runs (run, key, at, no) VALUES (?, ?, ?, ?)");
        complete = work.Prepare("INSERT OR REPLACE INTO runs (name, run, last_no, newest_at, oldest_at) VALUES (?, ?, ?, ?, ?)");
        removeEntry = work.Prepare($"DELETE FROM {name}_runs WHERE run = ? AND key = ? AND at = ? AND no = ?");
        outdated = work.Prepare($"SELECT run FROM runs WHERE name = '{name}' AND last_no < coalesce(({oldest}), {long.MaxValue}) ORDER BY run LIMIT 1");
        removeSome = work.Prepare(
            $"DELETE FROM {name}_runs WHERE run = ?1 AND (key, at, no) IN (SELECT key, at, no FROM {name}_runs WHERE run = ?1 LIMIT {AtOnce}) RETURNING 1");
        removeRun = work.Prepare($"DELETE FROM runs WHERE name = '{name}' AND run = ?");
        work.Enlist(this);
    }

    public string Name { get; }

    /// <summary>Whether entries wait to be written as a run.</summary>
    public bool IsWaiting => memory.Full is not null;

    /// <summary>In the transaction that writes the row.</summary>
    public void Add(long key, long at, long no)
    {
        added.Add(new(key, at, no));
        reached = Math.Max(reached, no);
    }

    /// <summary>In the transaction that writes a row without a key.</summary>
    public void Skip(long no) => reached = Math.Max(reached, no);

    /// <summary>
    /// What a reader must take before it opens its snapshot: then whatever leaves memory meanwhile is in a run that the snapshot has, and rows that
    /// come meanwhile, or are committed and not yet here, are read from the table. Until it is disposed, what it sees of memory stays.
    /// </summary>
    public RunReader Reader()
    {
        while (true)
        {
            var (now, known) = (memory, Volatile.Read(ref last));
            if (!now.TryEnter()) continue;
            if (ReferenceEquals(now, memory)) return new(Name, rows, now.Active, now.Full, known); // else known may count entries that are elsewhere
            now.Leave();
        }
    }

    /// <summary>Forgets entries, in the transaction that deletes their rows.</summary>
    public void Remove(long run, IndexEntry entry)
    {
        if (run == RunReader.InMemory) removed.Add(entry);
        else removeEntry.Value.Add(run).Add(entry.Key).Add(entry.At).Add(entry.No).Run();
    }

    /// <summary>Waits until there are entries enough for a run.</summary>
    public Task WhenManyAsync(CancellationToken cancellation) => many.WaitAsync(cancellation);

    /// <summary>Sorts what is to be written, beside the writer.</summary>
    public void Prepare()
    {
        if (memory.Full is not { } entries || building is not null) return;
        if (places.Capacity > MostKept)
        {
            places.Clear();
            places.TrimExcess();
        }
        entries.Sort(places);
        building = new(entries, places);
    }

    /// <summary>Writes a part of the run, in a transaction of the writer: sorted, so that every page is written once.</summary>
    public void Write(StepTime time)
    {
        (written, finished) = (0, false);
        if (building is not { } run) return;
        if (!ReferenceEquals(run.Source, memory.Full))
        {
            building = null; // the database was opened anew while it was sorted
            return;
        }
        do
        {
            var next = chunk.AsSpan(0, run.Read(run.Next + written, chunk));
            foreach (ref readonly var entry in next) insert.Value.Add(run.No).Add(entry.Key).Add(entry.At).Add(entry.No).Run();
            Written(next);
            written += next.Length;
        }
        while (run.Next + written < run.Count && (!time.IsOver || (IsBehind(run.Next + written) && written < StepTime.MostRows)));
        if (run.Next + written < run.Count) return;

        complete.Value.Add(Name).Add(run.No).Add(run.Bounds.LastNo).Add(run.Bounds.NewestAt).Add(run.Bounds.OldestAt).Run();
        finished = true;
    }

    /// <summary>A run is to be written before the next one is half gathered: else ever more would be in memory.</summary>
    private bool IsBehind(int entriesWritten) => entriesWritten < 2 * memory.Active.Count;

    /// <summary>
    /// A part of a run was written, in the order of its entries, in this transaction: so an index can note by key what its runs hold. It may hear
    /// of an entry twice, and of one before its run is complete, because a run that was broken off is gathered and written anew.
    /// </summary>
    protected virtual void Written(ReadOnlySpan<IndexEntry> entries) { }

    /// <summary>Removes runs all of whose rows are gone.</summary>
    public bool RemoveOutdated(StepTime time)
    {
        while (outdated.Value.Number() is { } run)
        {
            while (removeSome.Value.Add(run).Number() is not null)
                if (time.IsOver) return true;
            removeRun.Value.Add(run).Run();
        }
        return false;
    }

    /// <summary>Reads what is in no run yet.</summary>
    public void Opened()
    {
        Volatile.Write(ref last, work.Connection.ExecuteScalar<long>("SELECT coalesce(max(last_no), 0) FROM runs WHERE name = @Name", new { Name }));
        (memory, building) = (new(NoEntries(), null), null);
        ReadRows();
        WriteIfMany();
    }

    public void Dispose() => many.Dispose();

    public void Flush() { }

    public void Forget()
    {
        added.Clear();
        removed.Clear(); // stay behind: what they speak of is looked up
        (written, finished, incomplete, reached) = (0, false, true, 0);
    }

    public void Committed()
    {
        if (removed.Count > 0)
        {
            memory.Active.Remove(removed);
            memory.Full?.Remove(removed);
            removed.Clear();
        }
        if (building is { } run) run.Next += written;
        if (finished)
        {
            (memory, building, spare) = (new(memory.Active, null), null, memory.Full?.Count <= MostKept ? memory.Full : null);
            spare?.TryEmpty(); // where readers are still there, when the next run begins
        }
        (written, finished) = (0, false);

        if (incomplete) ReadRows();
        else if (reached > 0) Take(CollectionsMarshal.AsSpan(added), reached);
        reached = 0;
        added.Clear();
        WriteIfMany();
    }

    /// <summary>Entries for which memory is kept from run to run: more came together only while runs could not be written.</summary>
    private long MostKept => 2L * entriesOfRun;

    private RecentEntries NoEntries()
    {
        var emptied = spare?.TryEmpty() is true ? spare : null;
        spare = null;
        return emptied ?? new();
    }

    private void ReadRows()
    {
        var upTo = work.Connection.ExecuteScalar<long?>(newest) ?? 0;
        foreach (var some in work.Connection.Query<(long Key, long At, long No)>(rows, new { after = last }, buffered: false).Chunk(1_024))
            Take([.. some.Select(one => new IndexEntry(one.Key, one.At, one.No))], some[^1].No);
        Take([], upTo);
        incomplete = false;
    }

    private void Take(ReadOnlySpan<IndexEntry> some, long upTo)
    {
        if (some.Length > 0) memory.Active.Add(some);
        Volatile.Write(ref last, Math.Max(last, upTo));
    }

    private void WriteIfMany()
    {
        if (memory.Full is not null || memory.Active.Count < entriesOfRun) return;
        memory = new(NoEntries(), memory.Active);
        if (many.CurrentCount == 0) many.Release();
    }

    /// <summary>Entries that are in no complete run: those that come in, and those that are being written.</summary>
    private sealed record Memory(RecentEntries Active, RecentEntries? Full)
    {
        public bool TryEnter()
        {
            if (!Active.TryEnter()) return false;
            if (Full?.TryEnter() is not false) return true;
            Active.Leave();
            return false;
        }

        public void Leave()
        {
            Active.Leave();
            Full?.Leave();
        }
    }

    /// <param name="places">Of the entries, in the order in which they are written.</param>
    private sealed class Building(RecentEntries source, List<int> places)
    {
        public RecentEntries Source { get; } = source;
        public (long FirstNo, long LastNo, long OldestAt, long NewestAt) Bounds { get; } = source.Bounds();
        public long No => Bounds.FirstNo;
        public int Count { get; } = places.Count;
        public int Next { get; set; }

        public int Read(int first, Span<IndexEntry> some)
        {
            var length = Math.Min(some.Length, Count - first);
            for (var i = 0; i < length; i++) some[i] = Source[places[first + i]];
            return length;
        }
    }
}
