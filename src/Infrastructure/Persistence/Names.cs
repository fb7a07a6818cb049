using WebhookService.Infrastructure.Messages;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Numbers for names that stand in many rows. A name gets its number in the transaction that first uses it.</summary>
internal abstract class Names : IUnitOfWorkPart
{
    private readonly GenerationCache<string, long> known;
    private readonly Lazy<Statement> find;
    private readonly Lazy<Statement> insert;

    protected Names(UnitOfWork work, string find, string insert, int capacity)
    {
        known = new(capacity);
        this.find = work.Prepare(find);
        this.insert = work.Prepare(insert);
        work.Enlist(this);
    }

    public long NumberOf(string name) => Find(name) ?? Add(name);

    public long? Find(string name)
    {
        if (known.TryGet(name, out var number)) return number;
        if (find.Value.Add(name).Number() is not { } stored) return null;
        known.Set(name, stored);
        return stored;
    }

    /// <summary>The name's row was deleted in this transaction.</summary>
    public void Drop(string name) => known.Remove(name);

    public void Flush() { } // names are written as they come

    public void Forget() => known.Clear();

    public void Committed() => known.Age();

    /// <summary>Binds what a new name's row needs, name first.</summary>
    protected virtual Statement Bind(Statement row, string name) => row.Add(name);

    private long Add(string name)
    {
        var number = Bind(insert.Value, name).Number() ?? throw new InvalidOperationException("INSERT … RETURNING gave no number.");
        known.Set(name, number);
        return number;
    }
}

/// <summary>Every client id that was ever named.</summary>
internal sealed class ClientNames(UnitOfWork work) : Names(
    work,
    "SELECT client_no FROM clients WHERE client_id = ?",
    "INSERT INTO clients (client_id) VALUES (?) RETURNING client_no",
    capacity: 32_768);

/// <summary>Every topic of a message that is kept.</summary>
internal sealed class TopicNames(UnitOfWork work) : Names(
    work,
    "SELECT topic_no FROM topics WHERE topic = ?",
    "INSERT INTO topics (topic, reversed) VALUES (?, ?) RETURNING topic_no",
    capacity: 32_768)
{
    protected override Statement Bind(Statement row, string name) => row.Add(name).Add(TopicSearch.Reversed(name));
}

/// <summary>The journal's event types.</summary>
internal sealed class EventTypeNames(UnitOfWork work) : Names(
    work,
    "SELECT type_no FROM event_types WHERE name = ?",
    "INSERT INTO event_types (name) VALUES (?) RETURNING type_no",
    capacity: 1_024);
