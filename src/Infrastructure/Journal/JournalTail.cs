using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;

namespace WebhookService.Infrastructure.Journal;

/// <summary>
/// The newest events of the journal, in memory, as the writer committed them: who keeps up reads no database. It holds them only while somebody
/// follows the journal.
/// </summary>
internal sealed class JournalTail
{
    /// <summary>Events it holds; who is further behind reads the database. A power of two.</summary>
    public const int Most = 1_024;

    /// <summary>Of payloads and texts together.</summary>
    private const long MostBytes = 4 * 1024 * 1024;

    private readonly Lock gate = new();
    private readonly CommittedEvent?[] events = new CommittedEvent?[Most]; // each in the place of its number
    private long first = 1; // events from here …
    private long last;      // … to here are held
    private long bytes;
    private int unasked;    // events since somebody read
    private volatile bool isFollowed;

    /// <summary>Whether somebody follows the journal, so that events are worth being given.</summary>
    public bool IsFollowed => isFollowed;

    /// <summary>The next events of these types.</summary>
    /// <param name="after">What was read last.</param>
    /// <returns>Null if what follows it is not here.</returns>
    public JournalPage? Read(long after, EventTypes types, int limit)
    {
        CommittedEvent[] following;
        lock (gate)
        {
            (isFollowed, unasked) = (true, 0);
            if (after < first - 1 || after >= last) return null;
            following = new CommittedEvent[types.IsAll ? Math.Min(last - after, limit) : last - after];
            for (var i = 0; i < following.Length; i++) following[i] = At(after + 1 + i)!;
        }
        var found = new List<JournalEntry>();
        foreach (var one in following)
        {
            if (!types.Include(one.Type)) continue;
            found.Add(one.Entry);
            if (found.Count == limit) return new(found, one.Seq, Gone: 0);
        }
        return new(found, following[^1].Seq, Gone: 0);
    }

    /// <summary>Events of a transaction that is on disk, in order and without a gap.</summary>
    public void Give(IReadOnlyList<CommittedEvent> committed)
    {
        lock (gate)
        {
            if (unasked > Most)
            {
                (isFollowed, unasked) = (false, 0);
                Clear();
                return;
            }
            unasked += committed.Count;
            if (committed[0].Seq != last + 1) // it was not followed meanwhile, or something was taken back
            {
                last = committed[0].Seq - 1;
                Clear();
            }
            foreach (var one in committed)
            {
                if (last + 1 - first == Most) DropFirst();
                last = one.Seq;
                At(last) = one;
                bytes += one.Bytes;
                while (bytes > MostBytes && first < last) DropFirst();
            }
        }
    }

    /// <summary>Drops all it holds: the database may say something else.</summary>
    public void Forget()
    {
        lock (gate) Clear();
    }

    private void DropFirst()
    {
        bytes -= At(first)!.Bytes;
        At(first++) = null;
    }

    private void Clear()
    {
        Array.Clear(events);
        (first, bytes) = (last + 1, 0);
    }

    private ref CommittedEvent? At(long seq) => ref events[seq & (Most - 1)];
}
