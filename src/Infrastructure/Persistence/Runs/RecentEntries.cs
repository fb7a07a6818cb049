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
/// adds, readers walk meanwhile; what was added after a reader began it may see or not. When no reader is there it can be emptied for the next
/// entries: some megabytes of arrays, which only the rarest of collections would give back.
/// </summary>
/// <param name="capacity">Entries that there is room for from the beginning: making room anew copies all of them.</param>
internal sealed class RecentEntries(int capacity)
{
    private const int None = -1;

    private const int BeingEmptied = int.MinValue;

    private readonly Lock gate = new();
    private readonly Dictionary<long, int> newest = [];
    private IndexEntry[] entries = new IndexEntry[capacity];
    private int[] older = new int[capacity];
    private int count;
    private int readers;

    public int Count => Volatile.Read(ref count);

    /// <summary>Entries that there is room for.</summary>
    public int Capacity => entries.Length;

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
        Volatile.Write(ref count, 0);
        Volatile.Write(ref readers, 0);
        return true;
    }

    public void Add(ReadOnlySpan<IndexEntry> some)
    {
        lock (gate)
        {
            if (count + some.Length > entries.Length)
            {
                var room = Math.Max(entries.Length * 2, count + some.Length);
                Array.Resize(ref entries, room); // readers go on in the old ones
                Array.Resize(ref older, room);
            }
            foreach (ref readonly var entry in some)
            {
                entries[count] = entry;
                Link(count);
                count++;
            }
        }
    }

    /// <summary>The entries of a key before a place, newest first.</summary>
    public IEnumerable<IndexEntry> NewestFirst(long key, long beforeAt, long beforeNo)
    {
        var (all, chain, place) = Begin(key);
        for (; place != None; place = chain[place])
        {
            var entry = all[place];
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
                for (; place != None; place = older[place])
                {
                    if (gone.Contains(entries[place])) continue;
                    if (last == None) newest[ofKey.Key] = place;
                    else Volatile.Write(ref older[last], place);
                    last = place;
                }
                if (last == None) newest.Remove(ofKey.Key);
                else older[last] = None;
            }
    }

    /// <summary>The entry at a place that <see cref="Sort"/> told. It stays there until all are emptied, also when it is removed from its chain.</summary>
    public IndexEntry this[int place] => entries[place];

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
        foreach (var key in keys.AsSpan(0, known))
        {
            var first = places.Count;
            var (_, chain, place) = Begin(key);
            for (; place != None; place = chain[place]) places.Add(place);
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
            foreach (ref readonly var entry in entries.AsSpan(0, count))
                bounds = (
                    Math.Min(bounds.FirstNo, entry.No), Math.Max(bounds.LastNo, entry.No),
                    Math.Min(bounds.OldestAt, entry.At), Math.Max(bounds.NewestAt, entry.At));
            return bounds;
        }
    }

    private (IndexEntry[] Entries, int[] Older, int Newest) Begin(long key)
    {
        lock (gate) return (entries, older, newest.GetValueOrDefault(key, None));
    }

    /// <summary>Puts the entry at <paramref name="place"/> into its chain. Rows come nearly in the order of their times, so this looks at few.</summary>
    private void Link(int place)
    {
        ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(newest, entries[place].Key, out var known);
        if (!known) head = None;
        if (head == None || IndexEntry.Order(entries[head], entries[place]) < 0)
        {
            older[place] = head;
            head = place;
            return;
        }
        var before = head;
        while (older[before] != None && IndexEntry.Order(entries[older[before]], entries[place]) > 0) before = older[before];
        older[place] = older[before];
        Volatile.Write(ref older[before], place);
    }
}
