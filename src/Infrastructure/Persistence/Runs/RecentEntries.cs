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
/// adds, readers walk meanwhile; what was added after a reader began it may see or not.
/// </summary>
/// <param name="capacity">Entries that there is room for from the beginning: making room anew copies all of them.</param>
internal sealed class RecentEntries(int capacity)
{
    private const int None = -1;

    private readonly Lock gate = new();
    private readonly Dictionary<long, int> newest = [];
    private IndexEntry[] entries = new IndexEntry[capacity];
    private int[] older = new int[capacity];
    private int count;

    public int Count => Volatile.Read(ref count);

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

    /// <summary>All entries in the order of a run.</summary>
    public IndexEntry[] Sorted()
    {
        IndexEntry[] all;
        lock (gate) all = entries[..count];
        Array.Sort(all, IndexEntry.Order);
        return all;
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
