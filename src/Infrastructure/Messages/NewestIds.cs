namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Tells of most new messages that none of their id is stored, without asking the database: ids begin with the time (<see cref="Domain.Messages.MessageId"/>), so a new one
/// is mostly beyond all but the newest, which are remembered here. Where a broker's clock runs far ahead, the database is asked.
/// </summary>
/// <param name="size">So many ids make a generation; the newest two are remembered.</param>
internal sealed class NewestIds(int size)
{
    private HashSet<UInt128> newer = new(size);
    private HashSet<UInt128> older = new(size);
    private UInt128 edge = UInt128.MaxValue; // up to this one ids may be stored that are not remembered

    /// <summary>The database holds what it holds, up to that id.</summary>
    public void Begin(UInt128 newest)
    {
        newer.Clear();
        older.Clear();
        edge = newest;
    }

    /// <summary>Whether a message of that id may be stored.</summary>
    public bool MayHave(UInt128 id) => id <= edge || newer.Contains(id) || older.Contains(id);

    /// <summary>A message of that id is stored, or will be if its transaction is committed.</summary>
    public void Add(UInt128 id)
    {
        newer.Add(id);
        if (newer.Count < size) return;

        foreach (var forgotten in older) edge = UInt128.Max(edge, forgotten);
        older.Clear();
        (newer, older) = (older, newer);
    }
}
