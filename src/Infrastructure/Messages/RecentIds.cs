namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Numbers of the messages that came last, by id, at least of those that no table knows by id yet. It tells of most new messages that they are not stored, without
/// asking the database: ids begin with the time (<see cref="Domain.Messages.MessageId"/>), so a new one is mostly beyond all but the newest. Where a broker's
/// clock runs far ahead, the database is asked.
/// </summary>
/// <param name="size">So many ids make a generation; the newest two are remembered.</param>
internal sealed class RecentIds(int size)
{
    private Dictionary<UInt128, long> newer = new(size);
    private Dictionary<UInt128, long> older = new(size);
    private UInt128 edge = UInt128.MaxValue; // up to this one ids may be stored that are not remembered
    private long lastOfNewer;
    private long lastOfOlder;
    private long indexed;

    /// <summary>The database's table of ids goes up to these. What it does not have is to be added.</summary>
    public void Begin(UInt128 newestId, long newestNumber)
    {
        newer.Clear();
        older.Clear();
        (edge, indexed, lastOfNewer, lastOfOlder) = (newestId, newestNumber, 0, 0);
    }

    /// <summary>The number under which a message was stored last. Where that was rolled back, or the message was deleted, the number is another one's, or nobody's.</summary>
    public long? NumberOf(UInt128 id) => newer.TryGetValue(id, out var number) || older.TryGetValue(id, out number) ? number : null;

    /// <summary>Whether the database's table of ids may have one that is not remembered.</summary>
    public bool TableMayHave(UInt128 id) => id <= edge;

    /// <summary>A message of that id is stored, or will be if its transaction is committed.</summary>
    public void Add(UInt128 id, long number)
    {
        newer[id] = number;
        lastOfNewer = Math.Max(lastOfNewer, number);
        if (newer.Count < size || lastOfOlder > indexed) return;

        foreach (var forgotten in older.Keys) edge = UInt128.Max(edge, forgotten);
        older.Clear();
        (newer, older, lastOfNewer, lastOfOlder) = (older, newer, 0, lastOfNewer);
    }

    /// <summary>The database's table of ids has all messages up to that number.</summary>
    public void Indexed(long number) => indexed = number;
}
