using System.Buffers;
using System.Text.Json;

namespace WebhookService.Api.Demo;

/// <summary>An invented fleet of some forty devices behind a two-node EMQX 5.8, as its webhooks would tell it: meters and trucks that
/// publish, valves that take orders, services that subscribe; some lost hours ago, one flapping, one whose connection was never reported. Bodies come a little out of order,
/// and now and then twice, as they do from real brokers. The same seed and clock give the same fleet to the byte.</summary>
internal sealed class DemoFleet
{
    private const long Second = 1_000;
    private const long Minute = 60 * Second;
    private const long Hour = 60 * Minute;

    private static readonly string[] Nodes = ["emqx@10.0.0.11", "emqx@10.0.0.12"];
    private static readonly string[] UncleanReasons = ["tcp_closed", "keepalive_timeout", "ssl_closed"];

    private readonly Random random;
    private readonly PriorityQueue<Action, (long At, int Order)> plans = new();
    private readonly PriorityQueue<byte[], (long Due, int Order)> outbox = new();
    private readonly List<Device> devices = [];
    private readonly long start;
    private long now;
    private int history;
    private int order;
    private int messages;

    private enum Kind { Meter, Truck, Valve, Pump, Service }

    private sealed class Device(string id, string? username, Kind kind)
    {
        public string Id { get; } = id;
        public string? Username { get; } = username;
        public Kind Kind { get; } = kind;
        public required string Ip { get; init; }
        public required string Node { get; init; }
        public required int Site { get; init; }
        public int Protocol { get; init; } = 5;
        public int KeepAlive { get; init; } = 60;
        public int ExpirySeconds { get; init; }
        public bool Flaps { get; init; }
        public bool ReportLost { get; init; }   // of the connection it has: only its messages tell that it is there
        public (string Filter, int Qos)[] Filters { get; init; } = [];
        public string? GoneSince { get; init; }   // the reason of a device that was lost before the demo began
        public List<Message> Queue { get; } = [];
        public long? ConnectedAt { get; set; }
        public bool HadSession { get; set; }
        public int Port { get; set; }
        public long Reading { get; set; }
    }

    private sealed record Message(string Id, Device From, string FromPeer, string Topic, string Payload, int Qos, bool Retain, long At);

    private DemoFleet(int seed, DateTimeOffset begin)
    {
        random = new(seed);
        start = now = begin.ToUnixTimeMilliseconds();
        BuildFleet();
        foreach (var device in devices) PlanHistory(device);
    }

    /// <summary>What the broker posts, in the order of arrival, without end. First the last day's history, all of it at once;
    /// then life as it goes on.</summary>
    public static IEnumerable<DemoBody> Bodies(int seed, TimeProvider clock)
    {
        foreach (var body in new DemoFleet(seed, clock.GetUtcNow()).Live()) yield return body;
    }

    private IEnumerable<DemoBody> Live()
    {
        while (true)
        {
            // What happens before the next body is due may still overtake it.
            while (plans.TryPeek(out _, out var next) && (!outbox.TryPeek(out _, out var first) || next.At <= first.Due))
            {
                now = next.At;
                plans.Dequeue()();
            }

            outbox.TryDequeue(out var body, out var when);
            yield return new(DateTimeOffset.FromUnixTimeMilliseconds(when.Due), body);
        }
    }

    private void BuildFleet()
    {
        for (var i = 1; i <= 16; i++)
        {
            Add($"meter-{i:0000}", "meters", Kind.Meter, keepAlive: 120, expiry: 3600, reportLost: i is 8,
                gone: i switch { 3 => "keepalive_timeout", 9 => "tcp_closed", 14 => "normal", _ => null });
        }

        for (var i = 1; i <= 10; i++)
        {
            Add($"truck-{i:0000}", "fleet", Kind.Truck, flaps: i is 4,
                gone: i switch { 7 => "keepalive_timeout", 10 => "kicked", _ => null });
        }

        for (var i = 1; i <= 6; i++)
        {
            Add($"valve-{i:0000}", "actuators", Kind.Valve, keepAlive: 30, expiry: 86_400, gone: i is 6 ? "tcp_closed" : null,
                filters: [($"cmd/valve-{i:0000}/#", 1)]);
        }

        for (var i = 1; i <= 5; i++)
            Add($"pump-{i:0000}", null, Kind.Pump, protocol: 4, gone: i is 2 ? "protocol_error" : null);

        Add("historian", "services", Kind.Service, expiry: 604_800, filters: [("site/+/+/telemetry", 1), ("fleet/+/position", 0)]);
        Add("alarm-desk", "services", Kind.Service, protocol: 4, filters: [("site/+/+/alarm", 2)]);
        Add("dispatcher", "services", Kind.Service, filters: [("fleet/#", 0), ("cmd/+/result", 1)]);

        void Add(string id, string? username, Kind kind, int protocol = 5, int keepAlive = 60, int expiry = 0, bool flaps = false, bool reportLost = false,
            string? gone = null, (string, int)[]? filters = null)
        {
            var site = 1 + (devices.Count % 5);
            devices.Add(new(id, username, kind)
            {
                Ip = $"10.20.{site}.{20 + devices.Count}",
                Node = Nodes[devices.Count % Nodes.Length],
                Site = site,
                Protocol = protocol,
                KeepAlive = keepAlive,
                ExpirySeconds = expiry,
                Flaps = flaps,
                ReportLost = reportLost,
                GoneSince = gone,
                Filters = filters ?? [],
                Reading = Between(20_000, 90_000),
            });
        }
    }

    private void PlanHistory(Device device)
    {
        var at = start - Between(24 * Hour, 30 * Hour);
        for (var earlier = Between(device.ReportLost ? 1 : 0, device.Flaps ? 8 : 3); earlier > 0; earlier--)
        {
            var connected = at;
            At(connected, () => Connect(device));
            at += Between(20 * Minute, 2 * Hour);
            At(at, () => Disconnect(device, Chance(60) ? "normal" : Pick(UncleanReasons)));
            at += Between(10 * Second, 20 * Minute);
        }

        if (device.Flaps)
        {
            at = start - (8 * Minute);
            for (var again = 8; again > 0; again--)
            {
                At(at, () => Connect(device));
                at += Between(20 * Second, 40 * Second);
                At(at, () => Disconnect(device, Pick(UncleanReasons)));
                at += Between(5 * Second, 15 * Second);
            }
        }

        // Services are there before the devices whose messages they want.
        var last = device switch
        {
            { Kind: Kind.Service } => start - (7 * Hour),
            { Flaps: true } => start - (30 * Second),
            { GoneSince: not null } => start - Between(4 * Hour, 6 * Hour),
            _ => start - Between(5 * Minute, 4 * Hour),
        };
        At(last, () => Connect(device, told: !device.ReportLost));
        At(last + Between(Second, device.Flaps ? 30 * Second : 4 * Minute), () => Speak(device));

        if (device.GoneSince is { } reason)
            At(start - Between(2 * Minute, 3 * Hour), () => Disconnect(device, reason));
        else
            At(start + Between(Second, 15 * Second), () => Step(device));
    }

    /// <summary>One step in the life of a device; plans the next.</summary>
    private void Step(Device device)
    {
        if (device.ConnectedAt is null)
            Connect(device);
        else if (device.Flaps ? Chance(35) : device is { Kind: not Kind.Service, ReportLost: false } && Chance(2))
            Part(device);
        else
            Speak(device);

        var (least, most) = device switch
        {
            { ConnectedAt: null, Flaps: true } => (Second, 5 * Second),
            { ConnectedAt: null } => (10 * Second, 90 * Second),
            { Kind: Kind.Truck } => (2 * Second, 8 * Second),
            { Kind: Kind.Service } => (15 * Second, 40 * Second),
            _ => (5 * Second, 20 * Second),
        };
        At(now + Between(least, most), () => Step(device));
    }

    private void Part(Device device)
    {
        if (Chance(30))
            TakeOver(device);
        else
            Disconnect(device, Chance(40) ? "normal" : Pick(UncleanReasons));
    }

    private void Speak(Device device)
    {
        if (device.ConnectedAt is null) return;

        var site = $"site/{device.Site}/{device.Id}";
        switch (device.Kind)
        {
            case Kind.Meter:
                device.Reading += Between(1, 40);
                Publish(device, $"{site}/telemetry", Json(w =>
                {
                    w.WriteNumber("kwh", device.Reading / 100m);
                    w.WriteNumber("volt", Between(2_280, 2_340) / 10m);
                    w.WriteNumber("rssi", -Between(50, 95));
                }), qos: 1);
                if (Chance(4)) Publish(device, $"{site}/alarm", """{"alarm":"undervoltage","level":2}""", qos: 2);
                break;

            case Kind.Truck:
                Publish(device, $"fleet/{device.Id}/position", Json(w =>
                {
                    w.WriteNumber("lat", 52.5m + (Between(-9_000, 9_000) / 100_000m));
                    w.WriteNumber("lon", 13.4m + (Between(-9_000, 9_000) / 100_000m));
                    w.WriteNumber("speed", Between(0, 90));
                    w.WriteNumber("fuel", Between(10, 100));
                }), qos: 0);
                break;

            case Kind.Valve:
                Publish(device, $"{site}/telemetry", Json(w =>
                {
                    w.WriteNumber("open", Between(0, 100));
                    w.WriteNumber("bar", Between(18, 32) / 10m);
                }), qos: 1);
                if (Chance(20)) Publish(device, $"cmd/{device.Id}/result", """{"ok":true}""", qos: 1);
                break;

            case Kind.Pump:   // nobody subscribes: dropped by the broker
                Publish(device, $"plant/{device.Id}/state", Chance(90) ? "RUN" : "IDLE", qos: 0, retain: true);
                break;

            case Kind.Service when device.Id is "dispatcher":
                var valve = Pick([.. devices.Where(other => other.Kind is Kind.Valve)]);
                Publish(device, $"cmd/{valve.Id}/set", $$"""{"open":{{Between(0, 100)}}}""", qos: 1);
                break;
        }
    }

    private void Connect(Device device, bool told = true)
    {
        if (device.ConnectedAt is not null) return;

        var resumed = device is { HadSession: true, ExpirySeconds: > 0 };
        device.Port = (int)Between(30_000, 60_000);
        device.ConnectedAt = now;
        device.HadSession = true;
        if (!told) return;

        Post("client.connected", w =>
        {
            Client(w, device);
            w.WriteString("sockname", $"{device.Node[5..]}:1883");
            w.WriteString("proto_name", "MQTT");
            w.WriteNumber("proto_ver", device.Protocol);
            w.WriteNumber("keepalive", device.KeepAlive);
            w.WriteBoolean("clean_start", device.ExpirySeconds == 0);
            w.WriteNumber("expiry_interval", device.ExpirySeconds);
            w.WriteNumber("connected_at", now);
            w.WriteNumber("receive_maximum", 32);
            w.WriteBoolean("is_bridge", false);
            w.WriteString("mountpoint", "undefined");
            NoProperties(w, "conn_props");
            NoAttributes(w);
        });
        Post("client.connack", w =>
        {
            Client(w, device);
            w.WriteString("sockname", $"{device.Node[5..]}:1883");
            w.WriteString("reason_code", "success");
            w.WriteString("proto_name", "MQTT");
            w.WriteNumber("proto_ver", device.Protocol);
            w.WriteNumber("keepalive", device.KeepAlive);
            w.WriteBoolean("clean_start", device.ExpirySeconds == 0);
            w.WriteNumber("expiry_interval", device.ExpirySeconds * Second);   // milliseconds here, seconds above: so EMQX has it
            NoProperties(w, "conn_props");
        });

        if (!resumed)
        {
            foreach (var (filter, qos) in device.Filters)
            {
                Post("session.subscribed", w =>
                {
                    Client(w, device);
                    w.WriteString("peerhost", device.Ip);
                    w.WriteString("topic", filter);
                    w.WriteNumber("qos", qos);
                    NoProperties(w, "sub_props");
                    NoAttributes(w);
                });
            }
        }

        foreach (var message in device.Queue) Deliver(message, device, Math.Min(message.Qos, 1));
        device.Queue.Clear();
    }

    private void Disconnect(Device device, string reason)
    {
        if (device.ConnectedAt is not { } connectedAt) return;

        Post("client.disconnected", w =>
        {
            Client(w, device);
            w.WriteString("sockname", $"{device.Node[5..]}:1883");
            w.WriteString("reason", reason);
            w.WriteString("proto_name", "MQTT");
            w.WriteNumber("proto_ver", device.Protocol);
            w.WriteNumber("connected_at", connectedAt);
            w.WriteNumber("disconnected_at", now);
            NoProperties(w, "disconn_props");
            NoAttributes(w);
        });
        device.ConnectedAt = null;
    }

    /// <summary>The device comes back before the broker saw it go: both events tell of the same moment and race to the receiver.</summary>
    private void TakeOver(Device device)
    {
        Disconnect(device, device.ExpirySeconds > 0 ? "takenover" : "discarded");
        now += Between(0, 2);
        Connect(device);
    }

    private void Publish(Device from, string topic, string payload, int qos, bool retain = false)
    {
        var id = $"{(now * 1000) + Between(0, 1000):X16}F4430000{Array.IndexOf(Nodes, from.Node):X2}{(++messages & 0xFFFFFF):X6}";
        var message = new Message(id, from, $"{from.Ip}:{from.Port}", topic, payload, qos, retain, now);
        Post("message.publish", w =>
        {
            Client(w, from);
            Content(w, message, qos);
            w.WriteString("peerhost", from.Ip);
            NoAttributes(w);
        });

        var receivers = devices
            .Select(device => (Device: device, Qos: device.Filters.Where(filter => Matches(filter.Filter, topic)).Select(filter => filter.Qos).DefaultIfEmpty(-1).Max()))
            .Where(receiver => receiver.Qos >= 0 && receiver.Device.HadSession)
            .ToList();
        var reached = 0;
        foreach (var (device, granted) in receivers)
        {
            if (device.ConnectedAt is not null)
                Deliver(message, device, Math.Min(qos, granted));
            else if (device.ExpirySeconds > 0 && device.Queue.Count < 5)
                device.Queue.Add(message);
            else if (device.ExpirySeconds > 0)
                Drop("delivery.dropped", "queue_full", message, device);
            else
                continue;
            reached++;
        }

        if (reached == 0) Drop("message.dropped", "no_subscribers", message, from);
    }

    private void Deliver(Message message, Device to, int qos)
    {
        Tell("message.delivered", now + 1);
        if (qos > 0) Tell("message.acked", now + Between(5, 60));

        void Tell(string @event, long at) => Post(@event, w =>
        {
            Client(w, to, at);
            w.WriteString("from_clientid", message.From.Id);
            w.WriteString("from_username", message.From.Username ?? "undefined");
            Content(w, message, qos);
            w.WriteString("peerhost", to.Ip);
            if (@event is "message.acked") NoProperties(w, "puback_props");
        }, at);
    }

    private void Drop(string @event, string reason, Message message, Device subject) => Post(@event, w =>
    {
        Client(w, subject, message.At, @event is "message.dropped" ? message.FromPeer : null);
        if (@event is "delivery.dropped")
        {
            w.WriteString("from_clientid", message.From.Id);
            w.WriteString("from_username", message.From.Username ?? "undefined");
        }

        Content(w, message, message.Qos);
        w.WriteString("reason", reason);
        w.WriteString("peerhost", subject.Ip);
    });

    private void Client(Utf8JsonWriter w, Device device, long? at = null, string? peer = null)
    {
        w.WriteString("clientid", device.Id);
        w.WriteString("username", device.Username ?? "undefined");
        w.WriteString("node", device.Node);
        w.WriteString("peername", peer ?? $"{device.Ip}:{device.Port}");
        w.WriteNumber("timestamp", at ?? now);
    }

    private static void Content(Utf8JsonWriter w, Message message, int qos)
    {
        w.WriteString("id", message.Id);
        w.WriteString("topic", message.Topic);
        w.WriteNumber("qos", qos);
        w.WriteString("payload", message.Payload);
        w.WriteNumber("publish_received_at", message.At);
        w.WriteStartObject("flags");
        w.WriteBoolean("retain", message.Retain);
        w.WriteBoolean("dup", false);
        w.WriteEndObject();
        NoProperties(w, "pub_props");
    }

    private static void NoProperties(Utf8JsonWriter w, string name)
    {
        w.WriteStartObject(name);
        w.WriteStartObject("User-Property");
        w.WriteEndObject();
        w.WriteEndObject();
    }

    private static void NoAttributes(Utf8JsonWriter w)
    {
        w.WriteStartObject("client_attrs");
        w.WriteEndObject();
    }

    private void Post(string @event, Action<Utf8JsonWriter> write, long? at = null)
    {
        var body = Bytes(w =>
        {
            w.WriteString("event", @event);
            w.WriteStartObject("metadata");
            w.WriteString("rule_id", "webhook_service");
            w.WriteEndObject();
            write(w);
        });

        // A pool of eight connections: most arrive within a few milliseconds, some later than what happened after them.
        var told = at ?? now;
        var due = (told < start ? start + ++history : told) + (Chance(5) ? Between(50, 400) : Between(1, 8));
        outbox.Enqueue(body, (due, order++));
        if (Chance(2)) outbox.Enqueue(body, (due + Between(2 * Second, 30 * Second), order++));
    }

    private static string Json(Action<Utf8JsonWriter> write) => System.Text.Encoding.UTF8.GetString(Bytes(write));

    private static byte[] Bytes(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>MQTT's topic filter: + is one level, # the rest.</summary>
    private static bool Matches(string filter, string topic)
    {
        var (levels, names) = (filter.Split('/'), topic.Split('/'));
        for (var i = 0; i < levels.Length; i++)
        {
            if (levels[i] is "#") return true;
            if (i >= names.Length || (levels[i] is not "+" && levels[i] != names[i])) return false;
        }

        return levels.Length == names.Length;
    }

    private void At(long at, Action plan) => plans.Enqueue(plan, (at, order++));

#pragma warning disable CA5394 // The randomness of a demo must repeat, not withstand attackers.
    private long Between(long least, long most) => random.NextInt64(least, most);
#pragma warning restore CA5394

    private bool Chance(int percent) => Between(0, 100) < percent;

    private T Pick<T>(IReadOnlyList<T> from) => from[(int)Between(0, from.Count)];
}
