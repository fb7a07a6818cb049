using System.Text;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Tests.Downlinks;

internal static class ADownlink
{
    public static readonly ClientId Device = new("pump-7");
    public static readonly ClientId Other = new("logger");
    public static readonly DateTimeOffset T0 = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>As a broker makes them: the time in µs, then what tells it from others.</summary>
    public static MessageId IdMadeAt(DateTimeOffset at, ulong rest = 7) => new(new UInt128((ulong)((at - DateTimeOffset.UnixEpoch).Ticks / 10), rest));

    public static readonly MessageId Given = IdMadeAt(At(0.01));

    public static DateTimeOffset At(double seconds) => T0.AddSeconds(seconds);

    public static DownlinkOrder Order(int qos = 1, string payload = "on", string topic = "cmd/{clientId}", DownlinkProperties? properties = null, ClientId? client = null) =>
        new(client ?? Device, topic, Encoding.UTF8.GetBytes(payload), qos, retain: false, expiry: null, TimeSpan.FromSeconds(60), properties);

    public static Downlink Accepted(int qos = 1, long id = 1, string payload = "on")
    {
        var downlink = Downlink.Accept(id, Order(qos, payload), "emqx", key: null, T0);
        downlink.TakeEvents();
        return downlink;
    }

    public static Downlink Sent(int qos = 1, long id = 1, MessageId? given = null)
    {
        var downlink = Accepted(qos, id);
        downlink.Answered(new(PublishResult.Taken, given), At(0.02));
        downlink.TakeEvents();
        return downlink;
    }

    public static MessageContent Content(MessageId? id = null, DateTimeOffset? at = null, string payload = "on", string topic = "cmd/pump-7", bool fromDevice = false)
    {
        var (bytes, time) = (Encoding.UTF8.GetBytes(payload), at ?? At(0.01));
        return new(id ?? MessageId.OfContent("http_api", time, topic, bytes), new ClientId("http_api"), fromDevice, null, topic, 1, false, time, Payload.OfText(bytes), null);
    }

    public static Message MessageOf(MessageId? id = null, DateTimeOffset? at = null) => Message.Of(Content(id ?? Given, at), At(1));
}
