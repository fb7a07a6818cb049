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
    private long lastOfOlder;
    private long indexed;

    /// <summary>The database holds what it holds: its table of ids goes up to these. What it does not know is to be added.</summary>
    public void Begin(UInt128 newestId, long newestNumber)
    {
        newer.Clear();
        older.Clear();
        (edge, indexed, lastOfOlder) = (newestId, newestNumber, 0);
    }

    /// <summary>Whether it is known under which number a message is stored, or would be; if not, the database's table of ids knows.</summary>
    /// <param name="number">
    /// Null if it is not stored. The message that has the number may be another one, if the transaction of that id was rolled back; then it is not stored either.
    /// </param>
    public bool TryGet(UInt128 id, out long? number)
    {
        var known = newer.TryGetValue(id, out var found) || older.TryGetValue(id, out found);
        number = known ? found : null;
        return known || id > edge;
    }

    /// <summary>A message of that id is stored, or will be if its transaction is committed. Numbers come in their order.</summary>
    public void Add(UInt128 id, long number)
    {
        newer[id] = number;
        if (newer.Count < size || lastOfOlder > indexed) return;

        foreach (var forgotten in older.Keys) edge = UInt128.Max(edge, forgotten);
        older.Clear();
        (newer, older, lastOfOlder) = (older, newer, number);
    }

    /// <summary>The database's table of ids has all messages up to that number.</summary>
    public void Indexed(long number) => indexed = number;
}
