namespace WebhookService.Bench.Ingest;

/// <summary>What was told of a message, a session or a subscription.</summary>
[Flags]
internal enum Facts : byte
{
    None = 0,

    /// <summary>Published; connected; subscribed.</summary>
    First = 1,

    /// <summary>Delivered; disconnected.</summary>
    Second = 2,

    /// <summary>Acknowledged by the subscriber.</summary>
    Third = 4,
}

/// <summary>A session or subscription.</summary>
/// <param name="At">Milliseconds since 1970: connected; subscribed.</param>
internal readonly record struct Begun(int Client, long At);

/// <summary>An event on its way. <paramref name="Index"/> is that of its message, session or subscription.</summary>
internal readonly record struct Sent(EventKind Kind, int Index);

/// <summary>What one connection of a load was answered 200 for: it has to be in the database.</summary>
internal sealed class Receipts(long run, int connection)
{
    private readonly List<Facts> messages = [];
    private readonly List<(Begun Session, Facts Told)> sessions = [];
    private readonly List<(Begun Subscription, Facts Told)> subscriptions = [];

    public long Run { get; } = run;
    public int Connection { get; } = connection;

    /// <summary>By the message's number, which begins with 1, less 1.</summary>
    public IReadOnlyList<Facts> Messages => messages;
    public IReadOnlyList<(Begun Session, Facts Told)> Sessions => sessions;
    public IReadOnlyList<(Begun Subscription, Facts Told)> Subscriptions => subscriptions;

    public int AddMessage()
    {
        messages.Add(Facts.None);
        return messages.Count - 1;
    }

    public int AddSession(Begun session)
    {
        sessions.Add((session, Facts.None));
        return sessions.Count - 1;
    }

    public int AddSubscription(Begun subscription)
    {
        subscriptions.Add((subscription, Facts.None));
        return subscriptions.Count - 1;
    }

    public void Acknowledged(Sent sent)
    {
        switch (sent.Kind)
        {
            case EventKind.Publish: messages[sent.Index] |= Facts.First; break;
            case EventKind.Delivered: messages[sent.Index] |= Facts.Second; break;
            case EventKind.Acked: messages[sent.Index] |= Facts.Third; break;
            case EventKind.Connected: sessions[sent.Index] = (sessions[sent.Index].Session, sessions[sent.Index].Told | Facts.First); break;
            case EventKind.Disconnected: sessions[sent.Index] = (sessions[sent.Index].Session, sessions[sent.Index].Told | Facts.Second); break;
            default: subscriptions[sent.Index] = (subscriptions[sent.Index].Subscription, Facts.First); break;
        }
    }
}
