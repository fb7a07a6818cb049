namespace WebhookService.Bench.Ingest;

/// <summary>
/// The requests of one connection, in the order of its mix. Each connection speaks for clients of its own, so that what it tells of a client is
/// told in the order in which it happened.
/// </summary>
internal sealed class EmqxBodies
{
    public const int Clients = 10_000;

    /// <summary>Clients of a connection that are connected before the first of them is cut off; from then on the two take turns.</summary>
    private const int Connected = 4;

    private readonly RequestTemplate[] templates;
    private readonly IReadOnlyList<EventKind> order;
    private readonly int first;
    private readonly int step;
    private readonly int begin;
    private readonly int own;
    private readonly long[] told;
    private readonly int[] sessions;
    private int sent;
    private int connects;
    private int disconnects;
    private int subscribes;
    private (int Index, int Publisher, long At) message = (-1, 0, 0);
    private (int Index, int Publisher, int Receiver, long At) delivery = (-1, 0, 0, 0);

    /// <param name="connection">Which one of the connections.</param>
    public EmqxBodies(Uri address, LoadPlan plan, int connection)
    {
        templates = [.. Enum.GetValues<EventKind>().Select(kind => new RequestTemplate(address, kind, plan.Run, connection))];
        order = plan.Mix.Order;
        (first, step, begin) = (connection, plan.Connections, (int)(plan.Run * 7_919 % Clients)); // so that short loads, too, get round all clients
        own = (Clients - first + step - 1) / step;
        (told, sessions) = (new long[own], new int[own]);
        Receipts = new Receipts(plan.Run, connection);
        Longest = templates.Max(template => template.Length);
    }

    public Receipts Receipts { get; }

    /// <summary>The longest request, in bytes.</summary>
    public int Longest { get; }

    /// <summary>Writes the next request.</summary>
    /// <returns>Its length.</returns>
    public int Next(Span<byte> into, out Sent next)
    {
        var (kind, now) = (order[sent++ % order.Count], TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        if (kind is EventKind.Connected or EventKind.Disconnected) kind = connects - disconnects >= Math.Min(Connected, own) ? EventKind.Disconnected : EventKind.Connected;
        var (index, values) = kind switch
        {
            EventKind.Publish => Publish(now),
            EventKind.Delivered => Deliver(now),
            EventKind.Acked => (delivery.Index, new RequestValues(delivery.Receiver, delivery.Publisher, now, delivery.At, delivery.Index + 1)),
            EventKind.Connected => Connect(now),
            EventKind.Disconnected => Disconnect(now),
            _ => Subscribe(now),
        };
        var template = templates[(int)kind];
        template.Write(into, values);
        next = new Sent(kind, index);
        return template.Length;
    }

    private int Client(int which) => first + ((begin + which) % own * step);

    private (int Index, RequestValues Values) Publish(long now)
    {
        var index = Receipts.AddMessage();
        message = (index, Client(index), now);
        return (message.Index, new(message.Publisher, message.Publisher, now, now, message.Index + 1));
    }

    /// <summary>The latest message reaches another client.</summary>
    private (int Index, RequestValues Values) Deliver(long now)
    {
        delivery = (message.Index, message.Publisher, Client(message.Index + (own / 2)), message.At);
        return (delivery.Index, new(delivery.Receiver, delivery.Publisher, now, delivery.At, delivery.Index + 1));
    }

    private (int Index, RequestValues Values) Connect(long now)
    {
        var which = connects++ % own;
        var (client, at) = (Client(which), After(which, now));
        sessions[which] = Receipts.AddSession(new(client, at));
        return (sessions[which], new(client, client, at, at, 0));
    }

    private (int Index, RequestValues Values) Disconnect(long now)
    {
        var which = disconnects++ % own;
        var (index, at) = (sessions[which], After(which, now));
        var session = Receipts.Sessions[index].Session;
        return (index, new(session.Client, session.Client, at, session.At, 0));
    }

    private (int Index, RequestValues Values) Subscribe(long now)
    {
        var which = subscribes++ % own;
        var (client, at) = (Client(which), After(which, now));
        return (Receipts.AddSubscription(new(client, at)), new(client, client, at, at, 0));
    }

    /// <summary>A client's connections and subscriptions have times of their own: two in one millisecond would be one, told twice.</summary>
    private long After(int which, long now) => told[which] = Math.Max(now, told[which] + 1);
}
