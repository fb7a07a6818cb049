using System.Collections.Concurrent;

namespace WebhookService.Application.Brokers;

/// <summary>What the service knows at present of the brokers that it may ask. Lives in memory: a start asks anew.</summary>
public sealed class BrokerWatch(IReadOnlyList<IBroker> brokers)
{
    private readonly ConcurrentDictionary<string, BrokerState> states = new();

    public IReadOnlyList<IBroker> Brokers { get; } = brokers;

    public BrokerState Of(IBroker broker) => states.GetOrAdd(broker.Name, _ => new BrokerState());

    /// <summary>The brokers that may know a client of that node; all of them if no node is known.</summary>
    public IEnumerable<IBroker> OwnersOf(string? node) => Brokers.Where(broker => string.IsNullOrEmpty(node) || broker.Owns(node));

    /// <summary>Whether anybody can be asked for a client of that node.</summary>
    public bool CanVerify(string? node) => OwnersOf(node).Any();

    /// <summary>The broker whose list speaks for that node; null where none or several may know its clients, so that no list can tell alone.</summary>
    public IBroker? OnlyOwnerOf(string? node) => OwnersOf(node).Take(2).ToList() is [var owner] ? owner : null;

    /// <summary>When the list that speaks for that node was last read completely, which confirmed those online; null if never, or if none speaks for it.</summary>
    public DateTimeOffset? ListedAt(string? node) => OnlyOwnerOf(node) is { } owner ? Of(owner).ListedAt : null;
}

/// <summary>What is known of one broker. Its sweeps write it, and so do the questions for single clients beside them.</summary>
public sealed class BrokerState
{
    // One word each: others read them while one writes.
    private long listedAt;
    private long silentUntil;

    public BrokerCondition? Condition { get; set; }

    /// <summary>Why it could not be asked the last time; null if it could.</summary>
    public string? Problem { get; set; }
    public DateTimeOffset? CheckedAt { get; set; }
    public DateTimeOffset? NextSweepAt { get; set; }

    /// <summary>The start of the last complete sweep, by the broker's clock and on the safe side.</summary>
    public DateTimeOffset? ListedAt
    {
        get => Read(ref listedAt);
        set => Interlocked.Exchange(ref listedAt, value?.UtcTicks ?? 0);
    }

    /// <summary>Until when it is not asked for single devices: it just gave no answer at all.</summary>
    public DateTimeOffset? SilentUntil
    {
        get => Read(ref silentUntil);
        set => Interlocked.Exchange(ref silentUntil, value?.UtcTicks ?? 0);
    }

    /// <summary>A sweep held, and none was complete since.</summary>
    public bool IsHolding { get; set; }

    /// <summary>Whom it held: when a sweep misses them after <see cref="ReconciliationOptions.BrakeHold"/> again, they are asked for by name.</summary>
    public HeldClients Held { get; set; } = HeldClients.None;

    /// <summary>The number of the sweep under way.</summary>
    public long? Running { get; set; }

    private static DateTimeOffset? Read(ref long ticks) => Interlocked.Read(ref ticks) is not 0 and var known ? new(known, TimeSpan.Zero) : null;
}
