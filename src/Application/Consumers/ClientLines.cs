using WebhookService.Domain;

namespace WebhookService.Application.Consumers;

/// <summary>An event that a consumer has still to handle.</summary>
internal sealed class Work(long seq, ClientId? client, JournalEntry? entry)
{
    public long Seq { get; } = seq;
    public ClientId? Client { get; } = client;

    /// <summary>Null once it is parked: it is read again when its turn comes.</summary>
    public JournalEntry? Entry { get; set; } = entry;

    /// <summary>Tries so far.</summary>
    public int Attempts { get; set; }

    /// <summary>Not to be tried before.</summary>
    public DateTimeOffset NextAt { get; set; }
    public bool IsReplay { get; set; }

    /// <summary>It was asked for again while it was under way: once that has ended, it waits anew.</summary>
    public bool IsAskedAgain { get; set; }

    /// <summary>The position may pass it, because it is written down by itself.</summary>
    public bool IsParked { get; set; }

    /// <summary>Done, dead or parked.</summary>
    public bool IsSettled { get; set; }

    /// <summary>When the present try began, as a timestamp.</summary>
    public long Started { get; set; }
}

/// <summary>What waits of one client, in the order of the journal. One event of a line is under way at a time.</summary>
internal sealed class Line(string key)
{
    private readonly SortedList<long, Work> waiting = [];

    public string Key { get; } = key;
    public Work? Running { get; set; }

    /// <summary>Whether it stands among those whose turn has come.</summary>
    public bool IsReady { get; set; }

    /// <summary>The moment for which its first event is noted.</summary>
    public DateTimeOffset? NotedFor { get; set; }

    public Work? First => waiting.Count > 0 ? waiting.Values[0] : null;
    public bool IsEmpty => Running is null && waiting.Count == 0;

    /// <summary>A later event must not overtake a parked one. Where one is parked, all behind it are, so the last one tells.</summary>
    public bool IsParked => waiting.Count > 0 ? waiting.Values[^1].IsParked : Running is { IsParked: true };

    public Work? Find(long seq) => Running?.Seq == seq ? Running : waiting.GetValueOrDefault(seq);

    public IEnumerable<Work> All => Running is { } running ? waiting.Values.Prepend(running) : waiting.Values;

    public void Add(Work work) => waiting.Add(work.Seq, work);

    public Work Take()
    {
        var first = waiting.Values[0];
        waiting.RemoveAt(0);
        return Running = first;
    }

    public void DropUnparked()
    {
        foreach (var work in waiting.Values.Where(work => !work.IsParked).ToList()) waiting.Remove(work.Seq);
    }
}

/// <summary>The lines of all clients that have something to handle, and whose turn it is. Events without a client are each a line of their own.</summary>
internal sealed class ClientLines
{
    private readonly Dictionary<string, Line> lines = new(StringComparer.Ordinal);
    private readonly Queue<Line> ready = new();
    private readonly PriorityQueue<Line, DateTimeOffset> due = new();
    private readonly PriorityQueue<Line, long> ahead = new(); // one for each event beyond what was reached
    private long reached;

    /// <summary>Events that wait until the journal is read so far again.</summary>
    public int Ahead => ahead.Count;

    /// <summary>Forward: the journal was read so far, which lets parked events up to there have their turn; an earlier one of their client could have come before.</summary>
    public void Reach(long seq, DateTimeOffset now)
    {
        reached = seq;
        while (ahead.TryPeek(out var line, out var first) && first <= reached)
        {
            ahead.Dequeue();
            Note(line, now);
        }
    }

    /// <summary>Somewhere else: forgets what was read but not parked. What is parked beyond waits until the journal is read so far. Nothing may be under way.</summary>
    public void StartOver(long seq, DateTimeOffset now)
    {
        reached = seq;
        ahead.Clear();
        foreach (var line in lines.Values.ToList())
        {
            line.DropUnparked();
            foreach (var work in line.All.Where(work => work.Seq > reached)) ahead.Enqueue(line, work.Seq);
            Note(line, now);
        }
    }

    public Line? Find(ClientId? client, long seq) => lines.GetValueOrDefault(KeyOf(client, seq));

    public void Add(Work work, DateTimeOffset now)
    {
        var key = KeyOf(work.Client, work.Seq);
        if (!lines.TryGetValue(key, out var line)) lines[key] = line = new(key);
        line.Add(work);
        if (work.Seq > reached) ahead.Enqueue(line, work.Seq);
        Note(line, now);
    }

    /// <summary>The next event to handle, which is under way from now on; null if none is due.</summary>
    public Work? Take(DateTimeOffset now)
    {
        while (due.TryPeek(out var line, out var at) && at <= now)
        {
            due.Dequeue();
            if (line.NotedFor == at) line.NotedFor = null;
            Note(line, now);
        }
        while (ready.TryDequeue(out var line))
        {
            line.IsReady = false;
            if (line.Running is null && line.First is { } first && first.Seq <= reached && first.NextAt <= now) return line.Take();
            Note(line, now); // one that must wait came in front
        }
        return null;
    }

    /// <summary>The event under way is done with. The one behind it is next.</summary>
    public void Done(Work work, DateTimeOffset now)
    {
        var line = lines[KeyOf(work.Client, work.Seq)];
        line.Running = null;
        Note(line, now);
    }

    /// <summary>The event under way has to wait for another try, and its line behind it.</summary>
    public void Back(Work work, DateTimeOffset now)
    {
        var line = lines[KeyOf(work.Client, work.Seq)];
        line.Running = null;
        line.Add(work);
        Note(line, now);
    }

    /// <summary>When to look for the next one; null if none waits for its time.</summary>
    public DateTimeOffset? NextAt => due.TryPeek(out _, out var at) ? at : null;

    /// <summary>Sees to it that a line is looked at when its first event is due.</summary>
    public void Note(Line line, DateTimeOffset now)
    {
        if (line.IsEmpty && lines.GetValueOrDefault(line.Key) == line) lines.Remove(line.Key); // the client may have a new line by now
        if (line.Running is not null || line.IsReady || line.First is not { } first || first.Seq > reached) return;
        if (first.NextAt <= now)
        {
            line.IsReady = true;
            ready.Enqueue(line);
        }
        else if (line.NotedFor is not { } noted || first.NextAt < noted)
        {
            line.NotedFor = first.NextAt;
            due.Enqueue(line, first.NextAt);
        }
    }

    private static string KeyOf(ClientId? client, long seq) => client?.Value ?? $"\0{seq}";
}
