using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;

namespace WebhookService.Infrastructure.Journal;

/// <summary>
/// The newest entries of the journal, in memory. Consumers that keep up all want the same rows at the same moment: the first of them reads, the
/// others find them here.
/// </summary>
internal sealed class JournalTail
{
    /// <summary>Who is further behind than that reads for itself.</summary>
    public const int Most = 2_048;

    /// <summary>Of payloads and data together.</summary>
    private const long MostBytes = 4 * 1024 * 1024;

    private readonly Lock gate = new();
    private readonly Queue<(JournalEntry Entry, long Bytes)> entries = new();
    private long first = 1; // entries from here …
    private long last;      // … to here are in the queue, as far as there are any
    private long bytes;
    private long? oldest;

    /// <summary>Reads on from the newest entry that is here, if nobody did since.</summary>
    /// <param name="after">What was read last. The journal goes on behind it.</param>
    /// <param name="load">Reads from the database what follows a number, whatever its type, with the bytes each entry holds.</param>
    /// <returns>Null if that place is not in memory (any more).</returns>
    public JournalPage? Read(long after, EventTypes types, int limit, Func<long, TailPage> load)
    {
        lock (gate)
        {
            if (after > last || entries.Count == 0) Begin(after);
            if (after + 1 < first) return null;
            if (after == last) Take(load(after));
            if (after + 1 < first) return null;

            var found = new List<JournalEntry>();
            foreach (var (entry, _) in entries)
            {
                if (entry.Seq <= after || !types.Include(entry.Type)) continue;
                found.Add(entry);
                if (found.Count == limit) return new(found, entry.Seq, oldest);
            }
            return new(found, last, oldest);
        }
    }

    private void Begin(long after)
    {
        entries.Clear();
        (first, last, bytes) = (after + 1, after, 0);
    }

    private void Take(TailPage page)
    {
        foreach (var one in page.Entries)
        {
            entries.Enqueue(one);
            bytes += one.Bytes;
        }
        (last, oldest) = (page.ReadTo, page.Oldest);
        while (entries.Count > Most || (bytes > MostBytes && entries.Count > 1))
        {
            var gone = entries.Dequeue();
            bytes -= gone.Bytes;
            first = gone.Entry.Seq + 1;
        }
    }
}

/// <param name="ReadTo">All entries up to this number were looked at.</param>
/// <param name="Oldest">The oldest that is kept.</param>
internal sealed record TailPage(IReadOnlyList<(JournalEntry Entry, long Bytes)> Entries, long ReadTo, long? Oldest);
