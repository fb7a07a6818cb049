namespace WebhookService.Application.Consumers;

/// <summary>
/// The events of a consumer that wait for another try, client by client and in order. Only the first of a client is tried; the others wait
/// behind it. Events without a client stand alone.
/// </summary>
internal sealed class ParkedClients
{
    private readonly Dictionary<string, SortedList<long, ParkedEvent>> clients = new(StringComparer.Ordinal);
    private readonly HashSet<string> underWay = new(StringComparer.Ordinal);
    private readonly PriorityQueue<(string Lane, long Seq), DateTimeOffset> due = new();

    public int Count { get; private set; }

    public bool Blocks(string lane) => clients.ContainsKey(lane);

    public bool Holds(string lane, long seq) => clients.TryGetValue(lane, out var waiting) && waiting.ContainsKey(seq);

    /// <summary>Adds an event, or says anew how often and when it is tried.</summary>
    public void Put(string lane, ParkedEvent parked)
    {
        if (!clients.TryGetValue(lane, out var waiting)) clients[lane] = waiting = [];
        if (waiting.ContainsKey(parked.Seq)) underWay.Remove(lane);
        else Count++;
        waiting[parked.Seq] = parked;
        Arm(lane, waiting);
    }

    /// <summary>It is done or dead. The one behind it is next.</summary>
    public void Remove(string lane, long seq)
    {
        if (!clients.TryGetValue(lane, out var waiting) || !waiting.Remove(seq)) return;
        Count--;
        underWay.Remove(lane);
        if (waiting.Count == 0) clients.Remove(lane);
        else Arm(lane, waiting);
    }

    /// <summary>The next event that is due, which is under way from now on; null if none is.</summary>
    public (string Lane, ParkedEvent Event)? TakeDue(DateTimeOffset now)
    {
        while (due.TryPeek(out var next, out var at))
        {
            var isFirst = clients.TryGetValue(next.Lane, out var waiting) && waiting.Keys[0] == next.Seq && waiting.Values[0].NextAt == at;
            if (isFirst && at > now) return null;
            due.Dequeue();
            if (isFirst && underWay.Add(next.Lane)) return (next.Lane, waiting!.Values[0]);
        }
        return null;
    }

    /// <summary>When to look for the next one; null if none waits.</summary>
    public DateTimeOffset? NextAt => due.TryPeek(out _, out var at) ? at : null;

    private void Arm(string lane, SortedList<long, ParkedEvent> waiting)
    {
        if (!underWay.Contains(lane)) due.Enqueue((lane, waiting.Keys[0]), waiting.Values[0].NextAt);
    }
}
