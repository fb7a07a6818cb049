using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace WebhookService.Bench.Ingest;

/// <summary>The values of one request.</summary>
/// <param name="Client">Whom the event is about.</param>
/// <param name="Publisher">Of the message that it is about.</param>
/// <param name="Now">Milliseconds since 1970: the event.</param>
/// <param name="Then">Likewise: the connection's beginning, the message's publishing.</param>
/// <param name="Message">The message's number among those of its connection.</param>
internal readonly record struct RequestValues(int Client, int Publisher, long Now, long Then, int Message);

/// <summary>
/// A request in which ids, times and values of fixed width are written over, so that making one costs next to nothing. The bodies have the fields of
/// EMQX 5.8 in its order, as recorded, and about its sizes.
/// </summary>
internal sealed class RequestTemplate
{
    private const string Common = """
        "node":"emqx@10.0.0.1","metadata":{"rule_id":"to_webhooks"}
        """;

    private const string Message = """
        "pub_props":{"User-Property":{}},"peername":"10.16.0.77:PORT_","peerhost":"10.16.0.77","payload":"{\"celsius\":21.5,\"humidity\":48,\"seq\":1SEQUENCE_}",
        """;

    private const string Receiver = """
        "id":"MESSAGE_ID______________________","from_username":"site-@@","from_clientid":"sensor-007-SENDER","flags":{"retain":false,"dup":false}
        """;

    private const string Published = $$$"""
        {"username":"site-@@","topic":"site/@@/sensor/SENDER/telemetry","timestamp":NOW__________,"qos":1,"publish_received_at":NOW__________,{{{Message}}}{{{Common}}},"id":"MESSAGE_ID______________________","flags":{"retain":false,"dup":false},"event":"message.publish","clientid":"sensor-007-SENDER","client_attrs":{}}
        """;

    private const string Delivered = $$$"""
        {"username":"site-%%","topic":"site/@@/sensor/SENDER/telemetry","timestamp":NOW__________,"qos":1,"publish_received_at":THEN_________,{{{Message}}}{{{Common}}},{{{Receiver}}},"event":"message.delivered","clientid":"sensor-007-CLIENT"}
        """;

    private const string Acked = $$$"""
        {"username":"site-%%","topic":"site/@@/sensor/SENDER/telemetry","timestamp":NOW__________,"qos":1,"publish_received_at":THEN_________,"puback_props":{"User-Property":{}},{{{Message}}}{{{Common}}},{{{Receiver}}},"event":"message.acked","clientid":"sensor-007-CLIENT"}
        """;

    private const string Connected = $$$"""
        {"username":"site-%%","timestamp":NOW__________,"sockname":"10.0.0.1:1883","receive_maximum":32,"proto_ver":5,"proto_name":"MQTT","peername":"10.16.0.77:PORT_","mountpoint":"undefined",{{{Common}}},"keepalive":60,"is_bridge":false,"expiry_interval":0,"event":"client.connected","connected_at":THEN_________,"conn_props":{"User-Property":{},"Session-Expiry-Interval":0},"clientid":"sensor-007-CLIENT","client_attrs":{},"clean_start":true}
        """;

    private const string Disconnected = $$$"""
        {"username":"site-%%","timestamp":NOW__________,"sockname":"10.0.0.1:1883","reason":"tcp_closed","proto_ver":5,"proto_name":"MQTT","peername":"10.16.0.77:PORT_",{{{Common}}},"event":"client.disconnected","disconnected_at":NOW__________,"disconn_props":{"User-Property":{}},"connected_at":THEN_________,"clientid":"sensor-007-CLIENT","client_attrs":{}}
        """;

    private const string Subscribed = $$$"""
        {"username":"site-%%","topic":"site/%%/command/CLIENT/+","timestamp":NOW__________,"sub_props":{"User-Property":{}},"qos":1,"peername":"10.16.0.77:PORT_","peerhost":"10.16.0.77",{{{Common}}},"event":"session.subscribed","clientid":"sensor-007-CLIENT","client_attrs":{}}
        """;

    public const int Sites = 100;

    /// <summary>Of the first client's socket; the others' follow it.</summary>
    public const int FirstPort = 20_000;

    /// <summary>What differs from one request to the next.</summary>
    internal enum Mark
    {
        Client,
        ClientSite,
        ClientPort,
        Publisher,
        PublisherSite,
        Now,
        Then,
        Message,
        Id,
    }

    private static readonly (string Text, Mark Mark)[] Marks =
    [
        ("CLIENT", Mark.Client), ("%%", Mark.ClientSite), ("PORT_", Mark.ClientPort), ("SENDER", Mark.Publisher), ("@@", Mark.PublisherSite), ("NOW__________", Mark.Now),
        ("THEN_________", Mark.Then), ("SEQUENCE_", Mark.Message), ("MESSAGE_ID______________________", Mark.Id),
    ];

    private readonly byte[] request;
    private readonly (int Place, int Length, Mark Mark)[] slots; // in their order
    private readonly long run;
    private readonly int connection;

    /// <param name="run">Which load, and <paramref name="connection"/> of it: both are a part of every message id.</param>
    public RequestTemplate(Uri address, EventKind kind, long run, int connection)
    {
        (this.run, this.connection) = (run, connection);
        var body = kind switch
        {
            EventKind.Publish => Published,
            EventKind.Delivered => Delivered,
            EventKind.Acked => Acked,
            EventKind.Connected => Connected,
            EventKind.Disconnected => Disconnected,
            _ => Subscribed,
        };
        request = Encoding.ASCII.GetBytes(
            $"POST /webhook/emqx HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\n"
            + $"X-Webhook-Token: {ServiceProcess.Token}\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        slots = [.. Marks.SelectMany(mark => Places(mark.Text).Select(place => (place, mark.Text.Length, mark.Mark))).OrderBy(slot => slot.place)];
    }

    public static string ClientId(int client) => $"sensor-007-{client:000000}";

    public static int ClientOf(string clientId) => int.Parse(clientId.AsSpan(clientId.LastIndexOf('-') + 1));

    public static string Username(int client) => $"site-{client % Sites:00}";

    public static string Topic(int client) => $"site/{client % Sites:00}/sensor/{client:000000}/telemetry";

    public int Length => request.Length;

    /// <summary>The request in the order in which it is written: a text, and what follows it where that is not the end.</summary>
    public IEnumerable<(string Text, Mark? Then)> Pieces
    {
        get
        {
            var from = 0;
            foreach (var (place, length, mark) in slots)
            {
                yield return (Encoding.ASCII.GetString(request, from, place - from), mark);
                from = place + length;
            }
            yield return (Encoding.ASCII.GetString(request, from, request.Length - from), null);
        }
    }

    /// <summary>Writes a request of <see cref="Length"/> bytes.</summary>
    public void Write(Span<byte> into, in RequestValues values)
    {
        request.CopyTo(into);
        foreach (var (place, _, mark) in slots)
        {
            var at = into[place..];
            switch (mark)
            {
                case Mark.Client: Digits(at[..6], values.Client); break;
                case Mark.ClientSite: Digits(at[..2], values.Client % Sites); break;
                case Mark.ClientPort: Digits(at[..5], FirstPort + values.Client); break;
                case Mark.Publisher: Digits(at[..6], values.Publisher); break;
                case Mark.PublisherSite: Digits(at[..2], values.Publisher % Sites); break;
                case Mark.Now: Digits(at[..13], values.Now); break;
                case Mark.Then: Digits(at[..13], values.Then); break;
                case Mark.Message: Digits(at[..9], values.Message); break;
                case Mark.Id: new SentMessage(values.Then, run, connection, values.Message).Write(at); break;
            }
        }
    }

    private static void Digits(Span<byte> into, long number)
    {
        for (var i = into.Length - 1; i >= 0; i--, number /= 10) into[i] = (byte)('0' + (number % 10));
    }

    private List<int> Places(string mark)
    {
        var (places, bytes, from) = (new List<int>(), Encoding.ASCII.GetBytes(mark), 0);
        while (request.AsSpan(from).IndexOf(bytes) is >= 0 and var at)
        {
            places.Add(from + at);
            from += at + bytes.Length;
        }
        return places;
    }
}

/// <summary>Which message it was: EMQX's 16 bytes, the time in microseconds first, tell it.</summary>
/// <param name="At">When it was published, in milliseconds since 1970.</param>
internal readonly record struct SentMessage(long At, long Run, int Connection, int Number)
{
    private static readonly StandardFormat Time = new('X', 16);
    private static readonly StandardFormat Two = new('X', 4);
    private static readonly StandardFormat Four = new('X', 8);

    public void Write(Span<byte> into)
    {
        Utf8Formatter.TryFormat(At * 1_000, into, out _, Time);
        Utf8Formatter.TryFormat(Run, into[16..], out _, Two);
        Utf8Formatter.TryFormat(Connection, into[20..], out _, Two);
        Utf8Formatter.TryFormat(Number, into[24..], out _, Four);
    }

    public static SentMessage Read(ReadOnlySpan<byte> id) => new(
        System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(id) / 1_000,
        System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(id[8..]),
        System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(id[10..]),
        System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(id[12..]));
}
