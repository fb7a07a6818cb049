using System.Buffers.Text;
using System.Text;

namespace WebhookService.Bench.Ingest;

/// <summary>
/// Requests as EMQX 5.8 sends them for `message.publish`, one connection's worth: a template in which ids, times and values of fixed width are
/// written over, so that making a request costs next to nothing.
/// </summary>
internal sealed class EmqxBodies
{
    private const int Clients = 10_000;

    private const string Body = """
        {"username":"site-7","topic":"site/7/sensor/CLIENT/telemetry","timestamp":MILLISECONDS_,"qos":1,"publish_received_at":MILLISECONDS_,"pub_props":{"User-Property":{}},"peername":"10.16.0.77:40320","peerhost":"10.16.0.77","payload":"{\"celsius\":21.5,\"humidity\":48,\"seq\":1SEQUENCE_}","node":"emqx@10.0.0.1","metadata":{"rule_id":"to_webhooks"},"id":"MESSAGE_ID______________________","flags":{"retain":false,"dup":false},"event":"message.publish","clientid":"sensor-007-CLIENT","client_attrs":{}}
        """;

    private readonly byte[] request;
    private readonly int[] clients;
    private readonly int[] times;
    private readonly int sequence;
    private readonly int id;
    private readonly int connection;
    private readonly long run;
    private int sent;

    /// <param name="connection">Which one of the connections: a part of every message id.</param>
    /// <param name="run">Which load: likewise.</param>
    public EmqxBodies(Uri address, int connection, long run)
    {
        (this.connection, this.run) = (connection, run);
        request = Encoding.ASCII.GetBytes(
            $"POST /webhook/emqx HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\n"
            + $"X-Webhook-Token: {ServiceProcess.Token}\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");
        clients = Places("CLIENT");
        times = Places("MILLISECONDS_");
        sequence = Places("SEQUENCE_")[0];
        id = Places("MESSAGE_ID______________________")[0];
    }

    /// <summary>The next request; valid until the next call.</summary>
    public ReadOnlyMemory<byte> Next()
    {
        sent++;
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var place in clients) Write(place, 6, ((connection * 7_919) + sent) % Clients);
        foreach (var place in times) Write(place, 13, now);
        Write(sequence, 9, sent);
        WriteHex(id, 16, (ulong)now * 1_000);
        WriteHex(id + 16, 4, (ulong)run);
        WriteHex(id + 20, 4, (ulong)connection);
        WriteHex(id + 24, 8, (ulong)sent);
        return request;
    }

    private void Write(int place, int digits, long number) =>
        Utf8Formatter.TryFormat(number, request.AsSpan(place, digits), out _, new System.Buffers.StandardFormat('D', (byte)digits));

    private void WriteHex(int place, int digits, ulong number) =>
        Utf8Formatter.TryFormat(number, request.AsSpan(place, digits), out _, new System.Buffers.StandardFormat('X', (byte)digits));

    private int[] Places(string mark)
    {
        var (places, bytes, from) = (new List<int>(), Encoding.ASCII.GetBytes(mark), 0);
        while (request.AsSpan(from).IndexOf(bytes) is >= 0 and var at)
        {
            places.Add(from + at);
            from += at + bytes.Length;
        }
        return [.. places];
    }
}
