namespace WebhookService.Domain;

/// <summary>Something that happened, in the words of the domain. The journal keeps each one once, in commit order.</summary>
public interface IDomainEvent
{
    /// <summary>The client it happened to; null for what concerns the broker as a whole.</summary>
    ClientId? Client { get; }

    /// <summary>When it happened by the broker's clock, or when it reached us where the broker tells no time.</summary>
    DateTimeOffset At { get; }
}

/// <summary>The name under which an event stands in the journal; part of the contract with its readers, so it never changes.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class EventNameAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}

/// <summary>A consistency boundary: it is told facts, decides what they mean, and remembers what happened until it is saved.</summary>
public abstract class Aggregate
{
    private List<IDomainEvent>? events;

    protected void Raise(IDomainEvent happened) => (events ??= []).Add(happened);

    /// <summary>Hands over what happened since the last call, oldest first.</summary>
    public IReadOnlyList<IDomainEvent> TakeEvents()
    {
        if (events is null) return [];
        var taken = events;
        events = null;
        return taken;
    }
}
