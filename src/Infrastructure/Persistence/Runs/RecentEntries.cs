using System.Buffers;
using System.Runtime.InteropServices;

namespace WebhookService.Infrastructure.Persistence.Runs;

/// <summary>Says that the row <paramref name="No"/> belongs to <paramref name="Key"/>, and where it stands among the others of that key: by time, then by number.</summary>
internal readonly record struct IndexEntry(long Key, long At, long No)
{
    /// <summary>The order of a run: by key, time and number.</summary>
    public static readonly Comparison<IndexEntry> Order = static (one, other) => (one.Key, one.At, one.No).CompareTo((other.Key, other.At, other.No));
}

/// <summary>
/// Entries that are in memory only, because the rows they speak of are on disk already: those of a key are a chain, newest first. The writer
/// adds, readers walk meanwhile; what was added after a reader began it may see or not. They lie in blocks of memory that all indexes share: when no
/// reader is there it can be emptied, and its blocks are for the next entries of whatever index.
/// </summary>
internal sealed class RecentEntries
{
    private const int None = -1;

    private const int BeingEmptied = int.MinValue;

    /// <summary>Entries of a block: so many that the pool, which keeps some blocks for each processor, keeps the blocks of two whole runs where there are two.</summary>
    private const int OfBlock = 4_096;

    private readonly Lock gate = new();
    private readonly Dictionary<long, int> newest = [];
    private Block[] blocks = []; // made longer, never changed, so that readers may go on in what they know; a place beyond that is linked later
    private int count;
    private int readers;

    public int Count => Volatile.Read(ref count);

    /// <summary>A reader comes, until it says <see cref="Leave"/>.</summary>
    /// <returns>False while it is being emptied.</returns>
    public bool TryEnter()
    {
        for (var now = Volatile.Read(ref readers); now != BeingEmptied;)
        {
            var before = Interlocked.CompareExchange(ref readers, now + 1, now);
            if (before == now) return true;
            now = before;
        }
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref readers);

    /// <returns>False where readers are still there.</returns>
    public bool TryEmpty()
    {
        if (Interlocked.CompareExchange(ref readers, BeingEmptied, 0) != 0) return false;
        newest.Clear();
        foreach (var block in blocks) block.Return();
        blocks = [];
        Volatile.Write(ref count, 0);
        Volatile.Write(ref readers, 0);
        return true;
    }

    public void Add(ReadOnlySpan<IndexEntry> some)
    {
        lock (gate)
        {
            foreach (ref readonly var entry in some)
            {
                if (count == blocks.Length * OfBlock) Volatile.Write(ref blocks, [.. blocks, Block.Rent()]);
                Entry(count) = entry;
                Link(count);
                count++;
            }
        }
    }

    /// <summary>The entries of a key before a place, newest first.</summary>
    public IEnumerable<IndexEntry> NewestFirst(long key, long beforeAt, long beforeNo)
    {
        for (var place = Begin(key); place != None; place = Volatile.Read(ref Older(place)))
        {
            var entry = Entry(place);
            if ((entry.At, entry.No).CompareTo((beforeAt, beforeNo)) < 0) yield return entry;
        }
    }

    /// <summary>Takes entries out of their chains; those that are not here are left out.</summary>
    public void Remove(IReadOnlyCollection<IndexEntry> some)
    {
        lock (gate)
            foreach (var ofKey in some.GroupBy(entry => entry.Key))
            {
                if (!newest.TryGetValue(ofKey.Key, out var place)) continue;
                var (gone, last) = (ofKey.ToHashSet(), None);
                for (; place != None; place = Older(place))
                {
                    if (gone.Contains(Entry(place))) continue;
                    if (last == None) newest[ofKey.Key] = place;
                    else Volatile.Write(ref Older(last), place);
                    last = place;
                }
                if (last == None) newest.Remove(ofKey.Key);
                else Older(last) = None;
            }
    }

    /// <summary>The entry at a place that <see cref="Sort"/> told. It stays there until all are emptied, also when it is removed from its chain.</summary>
    public IndexEntry this[int place] => Entry(place);

    /// <summary>Tells the places of all entries in the order of a run; to be called when nothing is added any more. Entries may be removed meanwhile.</summary>
    public void Sort(List<int> places)
    {
        long[] keys;
        int known;
        lock (gate)
        {
            known = newest.Count;
            keys = ArrayPool<long>.Shared.Rent(known);
            newest.Keys.CopyTo(keys, 0);
        }
        Array.Sort(keys, 0, known);
        places.Clear();
        if (places.Capacity < Count) places.Capacity = Count; // no more than that: it would double
        foreach (var key in keys.AsSpan(0, known))
        {
            var first = places.Count;
            for (var place = Begin(key); place != None; place = Volatile.Read(ref Older(place))) places.Add(place);
            places.Reverse(first, places.Count - first);
        }
        ArrayPool<long>.Shared.Return(keys);
    }

    /// <summary>The lowest and highest number and time of all that was added.</summary>
    public (long FirstNo, long LastNo, long OldestAt, long NewestAt) Bounds()
    {
        lock (gate)
        {
            var bounds = (FirstNo: long.MaxValue, LastNo: long.MinValue, OldestAt: long.MaxValue, NewestAt: long.MinValue);
            for (var place = 0; place < count; place++)
            {
                ref readonly var entry = ref Entry(place);
                bounds = (
                    Math.Min(bounds.FirstNo, entry.No), Math.Max(bounds.LastNo, entry.No),
                    Math.Min(bounds.OldestAt, entry.At), Math.Max(bounds.NewestAt, entry.At));
            }
            return bounds;
        }
    }

    private int Begin(long key)
    {
        lock (gate) return newest.GetValueOrDefault(key, None);
    }

    private ref IndexEntry Entry(int place) => ref Volatile.Read(ref blocks)[place / OfBlock].Entries[place % OfBlock];

    /// <summary>The place of the entry that is next in the chain of that at <paramref name="place"/>.</summary>
    private ref int Older(int place) => ref Volatile.Read(ref blocks)[place / OfBlock].Older[place % OfBlock];

    /// <summary>Puts the entry at <paramref name="place"/> into its chain. Rows come nearly in the order of their times, so this looks at few.</summary>
    private void Link(int place)
    {
        ref readonly var entry = ref Entry(place);
        ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(newest, entry.Key, out var known);
        if (!known) head = None;
        if (head == None || IndexEntry.Order(Entry(head), entry) < 0)
        {
            Older(place) = head;
            head = place;
            return;
        }
        var before = head;
        while (Older(before) is not None and var next && IndexEntry.Order(Entry(next), entry) > 0) before = next;
        Older(place) = Older(before);
        Volatile.Write(ref Older(before), place);
    }

    private readonly record struct Block(IndexEntry[] Entries, int[] Older)
    {
        public static Block Rent() => new(ArrayPool<IndexEntry>.Shared.Rent(OfBlock), ArrayPool<int>.Shared.Rent(OfBlock));

        public void Return()
        {
            ArrayPool<IndexEntry>.Shared.Return(Entries);
            ArrayPool<int>.Shared.Return(Older);
        }
    }
}
