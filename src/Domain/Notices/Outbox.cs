namespace WebhookService.Domain.Notices;

/// <summary>
/// What goes to one target. It takes so many messages a minute, each of one notice; what comes beyond waits and goes, when the minute is over, as one message
/// that shows the first and counts the rest. A site that fails is told in a few messages, not in a hundred thousand.
/// </summary>
public sealed class Outbox(string target) : Aggregate
{
    /// <summary>Notices that one message shows.</summary>
    public const int Shown = 20;

    public static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly List<NoticeLine> waiting = [];

    public string Target { get; } = target;

    /// <summary>When the present minute began.</summary>
    public DateTimeOffset? Began { get; private set; }

    /// <summary>Messages in the present minute.</summary>
    public int Sent { get; private set; }
    public IReadOnlyList<NoticeLine> Waiting => waiting;
    public long MoreRaised { get; private set; }
    public long MoreCleared { get; private set; }

    /// <summary>When what waits goes; null if nothing waits.</summary>
    public DateTimeOffset? DueAt => waiting.Count > 0 ? Began + Minute : null;

    /// <summary>There is something to tell.</summary>
    /// <param name="perMinute">Messages that the target takes in a minute; 0 for no limit.</param>
    public void Take(NoticeLine line, ClientId? device, int perMinute, DateTimeOffset now)
    {
        if (waiting.Count == 0 && (perMinute == 0 || HasRoom(perMinute, now)))
        {
            Sent++;
            Raise(new NoticeDispatched(Target, device, now, [line], 0, 0));
        }
        else if (waiting.Count < Shown) waiting.Add(line);
        else if (line.IsCleared) MoreCleared++;
        else MoreRaised++;
    }

    /// <summary>Time has passed: sends what waits if it is due.</summary>
    public Outcome Pass(DateTimeOffset now)
    {
        if (!(DueAt <= now)) return Outcome.Repeated;
        Raise(new NoticeDispatched(Target, null, now, [.. waiting], MoreRaised, MoreCleared));
        (Began, Sent, MoreRaised, MoreCleared) = (now, 1, 0, 0);
        waiting.Clear();
        return Outcome.Applied;
    }

    private bool HasRoom(int perMinute, DateTimeOffset now)
    {
        if (Began is not { } began || now - began >= Minute || now < began) (Began, Sent) = (now, 0); // or the clock was set back
        return Sent < perMinute;
    }

    /// <summary>Builds an outbox as it was saved.</summary>
    public static Outbox Restore(string target, DateTimeOffset? began, int sent, IEnumerable<NoticeLine> waiting, long moreRaised, long moreCleared)
    {
        var outbox = new Outbox(target) { Began = began, Sent = sent, MoreRaised = moreRaised, MoreCleared = moreCleared };
        outbox.waiting.AddRange(waiting);
        return outbox;
    }
}
