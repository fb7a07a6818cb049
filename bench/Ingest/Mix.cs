namespace WebhookService.Bench.Ingest;

/// <summary>What an event tells.</summary>
internal enum EventKind
{
    Publish,
    Delivered,
    Acked,
    Connected,
    Disconnected,
    Subscribed,
}

/// <summary>Which events a load consists of.</summary>
/// <param name="Word">As it is written on the command line.</param>
internal sealed class Mix(string Word, string Description, params (EventKind Kind, double Share)[] Shares)
{
    /// <summary>Sessions that each client has had in a fleet that has run for long.</summary>
    public const int LongPast = 64;

    private const int Round = 200; // all shares are whole numbers of it

    private static readonly (EventKind, double)[] ComeAndGo = [(EventKind.Connected, 0.5), (EventKind.Disconnected, 0.5)];

    public static readonly Mix PublishOnly = new("publish", "publish only", (EventKind.Publish, 1));

    /// <summary>A fleet at work: one message in three or four has a subscriber that acknowledges it, clients come and go, and few subscribe.</summary>
    public static readonly Mix Real = new(
        "real", "real mix", (EventKind.Publish, 0.60), (EventKind.Delivered, 0.18), (EventKind.Acked, 0.18), (EventKind.Connected, 0.015), (EventKind.Disconnected, 0.015),
        (EventKind.Subscribed, 0.01));

    /// <summary>Every client connects and is cut off again, over and over.</summary>
    public static readonly Mix Storm = new("storm", "connect/disconnect storm", ComeAndGo);

    /// <summary>The same in a fleet that has run for long: what a connect finds of before is more than stays in memory.</summary>
    public static readonly Mix StormWithPast =
        new("storm-past", $"connect/disconnect storm of clients that have connected {LongPast} times before", ComeAndGo) { Past = LongPast };

    public static readonly IReadOnlyList<Mix> All = [PublishOnly, Real, Storm, StormWithPast];

    public string Word { get; } = Word;
    public string Description { get; } = Description;

    /// <summary>Sessions that each client has had before the load.</summary>
    public int Past { get; private init; }

    /// <summary>The kinds in the order in which they are sent, again and again: each as evenly spread as its share allows, a delivery after its message.</summary>
    public IReadOnlyList<EventKind> Order { get; } = Spread(Shares);

    /// <summary>The shares in words, such as `message.publish` 60 %.</summary>
    public string Contents { get; } = string.Join(", ", Shares.Select(one => $"{Name(one.Kind)} {100 * one.Share:0.#} %"));

    /// <exception cref="UsageException">One of the words is no mix.</exception>
    public static Mix[] Read(string words) => [.. words.Split(',').Select(
        word => All.FirstOrDefault(mix => mix.Word == word) ?? throw new UsageException($"'{word}' is no mix; there are {string.Join(", ", All.Select(mix => mix.Word))}."))];

    private static string Name(EventKind kind) => kind switch
    {
        EventKind.Publish => "message.publish",
        EventKind.Delivered => "message.delivered",
        EventKind.Acked => "message.acked",
        EventKind.Connected => "client.connected",
        EventKind.Disconnected => "client.disconnected",
        _ => "session.subscribed",
    };

    /// <summary>Takes next what is furthest behind its share.</summary>
    private static EventKind[] Spread((EventKind Kind, double Share)[] shares)
    {
        var (order, taken) = (new EventKind[Round], new int[shares.Length]);
        for (var i = 0; i < Round; i++)
        {
            var next = Enumerable.Range(0, shares.Length).MaxBy(which => (shares[which].Share * (i + 1)) - taken[which]);
            taken[next]++;
            order[i] = shares[next].Kind;
        }
        return order;
    }
}
