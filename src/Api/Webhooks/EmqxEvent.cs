using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// One EMQX event as a command. Two families: the rule engine says <c>event</c> (<c>client.connected</c>), the 4.x plugin, NanoMQ and 3.x say
/// <c>action</c> (<c>client_connected</c>) and tell fewer times. <c>client.check_authz_complete</c> has both, so <c>event</c> goes first.
/// </summary>
internal readonly struct EmqxEvent(Webhook webhook, EmqxFields fields)
{
    private const int LongestName = 100;

    /// <summary>In characters. Every session keeps its own: what is larger is dropped.</summary>
    private const int MostDetails = 4096;
    private const string TruncatedDetails = """{"truncated":true}""";

    private static readonly FrozenSet<string> Documented = FrozenSet.Create(
        "client.connect", "client.connack", "client.connected", "client.disconnected", "client.ping", "client.subscribe", "client.unsubscribe",
        "client.check_acl_complete", "client.check_authz_complete", "client.check_authn_complete",
        "session.created", "session.subscribed", "session.unsubscribed", "session.terminated",
        "message.publish", "message.deliver", "message.delivered", "message.acked", "message.dropped", "delivery.dropped",
        "schema.validation_failed", "message.transformation_failed", "alarm.activated", "alarm.deactivated");

    private readonly string? ruleEvent = fields.Text(EmqxField.Event);

    /// <summary>The rule engine's name of the event; null where neither family is recognised, as in SELECTs without the column.</summary>
    private string? Name => ruleEvent ?? OfPlugin(fields.Text(EmqxField.Action));

    private bool FromPlugin => ruleEvent is null;

    /// <summary>The name for metrics, whose names are few.</summary>
    public string DocumentedName => Name is { } name && Documented.TryGetValue(name, out var known) ? known : Element.OtherEvent;

    /// <summary>Null for <c>{}</c>, which says nothing.</summary>
    /// <exception cref="DomainException">A field that the event needs is missing or wrong.</exception>
    public ICommand? ToCommand() => Name switch
    {
        "client.connected" => Connected(),
        "client.disconnected" => Disconnected(),
        "client.ping" => new RecordSignOfLife(fields.Client(), Timestamp, fields.Peer()?.Name, webhook.ReceivedAt),
        "session.subscribed" => new RecordSubscribed(fields.Client(), Filter(), Options(), Timestamp, fields.Peer()?.Name, webhook.ReceivedAt),
        "session.unsubscribed" => new RecordUnsubscribed(fields.Client(), Filter(), Timestamp, webhook.ReceivedAt),
        "session.terminated" when FromPlugin => new RecordSessionTerminated(fields.Client(), fields.Text(EmqxField.Node), Reason, webhook.ReceivedAt),
        "message.publish" => new RecordMessagePublished(Published(), fields.Peer()?.Name, IsEvidence, webhook.ReceivedAt),
        "message.delivered" or "message.deliver" => new RecordMessageDelivered(Sent(), fields.Client(), Timestamp, fields.Peer()?.Name, IsDuplicate, webhook.ReceivedAt),
        "message.acked" => new RecordMessageAcked(Sent(), fields.Client(), Timestamp, fields.Peer()?.Name, webhook.ReceivedAt),
        "message.dropped" => new RecordMessageDropped(Published(), Timestamp, Reason ?? "unknown", webhook.ReceivedAt),
        "delivery.dropped" => new RecordDeliveryDropped(Sent(), fields.Client(), Timestamp, Reason ?? "unknown", webhook.ReceivedAt),
        _ when fields.IsEmpty => null,
        _ => Report(),
    };

    /// <summary><c>client_check_acl_complete</c> is <c>client.check_acl_complete</c>; other actions ("publish" in an ACL check) name no event.</summary>
    private static string? OfPlugin(string? action) =>
        action is not null && (action.StartsWith("client_", StringComparison.Ordinal) || action.StartsWith("session_", StringComparison.Ordinal)
            || action.StartsWith("message_", StringComparison.Ordinal))
            ? $"{action.AsSpan(0, action.IndexOf('_'))}.{action.AsSpan(action.IndexOf('_') + 1)}"
            : null;

    private DateTimeOffset? Timestamp => FromPlugin ? null : fields.Time(EmqxField.Timestamp);

    private string? Reason => fields.Text(EmqxField.Reason);

    // ---- connections -------------------------------------------------------------------------------------------------

    private RecordClientConnected Connected()
    {
        var peer = fields.Peer();
        var details = new ConnectionDetails
        {
            Username = fields.Text(EmqxField.Username),
            Ip = peer?.Ip ?? fields.Ip(EmqxField.IpAddress),
            Port = peer?.Port,
            Protocol = fields.Text(EmqxField.ProtocolName) ?? (FromPlugin ? "MQTT" : null),
            ProtocolVersion = fields.Text(EmqxField.ProtocolVersion),
            KeepAliveSeconds = fields.Integer(EmqxField.KeepAlive, 65_535),
            CleanStart = fields.Flag(EmqxField.CleanStart),
            ExpirySeconds = fields.Seconds(EmqxField.Expiry), // seconds here; milliseconds in connack and ping, where we leave it alone
            More = fields.Others() is { } more ? more.Length <= MostDetails ? more : TruncatedDetails : null,
        };
        return new(fields.Client(), fields.Text(EmqxField.Node) ?? "", fields.Time(EmqxField.ConnectedAt), peer?.Name, details, webhook.ReceivedAt);
    }

    private RecordClientDisconnected Disconnected() => new(
        fields.Client(), fields.Text(EmqxField.Node), fields.Time(EmqxField.ConnectedAt), fields.Peer()?.Name,
        fields.Time(EmqxField.DisconnectedAt) ?? Timestamp, Reason,
        fields.Seconds(fields.Member(EmqxField.DisconnectProperties, "Session-Expiry-Interval"u8)), webhook.ReceivedAt);

    // ---- subscriptions -----------------------------------------------------------------------------------------------

    /// <summary>Rules from 5.4 on write <c>$share/group/filter</c> themselves; the plugin keeps the group in the options.</summary>
    private string Filter()
    {
        var filter = fields.Topic();
        return fields.Text(fields.Member(EmqxField.Options, "share"u8)) switch
        {
            null => filter,
            _ when filter.StartsWith("$share/", StringComparison.Ordinal) || filter.StartsWith("$queue/", StringComparison.Ordinal) => filter,
            "$queue" => $"$queue/{filter}",
            var group => $"$share/{group}/{filter}",
        };
    }

    private SubscriptionOptions Options() => new(
        fields.Integer(EmqxField.Qos, 2) ?? Math.Min(fields.SmallNumber(fields.Member(EmqxField.Options, "qos"u8)) ?? 0, 2),
        fields.Flag(fields.Member(EmqxField.Options, "nl"u8)),
        fields.Flag(fields.Member(EmqxField.Options, "rap"u8)),
        fields.SmallNumber(fields.Member(EmqxField.Options, "rh"u8)));

    // ---- messages ----------------------------------------------------------------------------------------------------

    private MessageContent Published() =>
        FromPlugin ? Content(EmqxField.FromClientId, EmqxField.FromUsername) : Content(EmqxField.ClientId, EmqxField.Username);

    /// <summary>The message of a report about one receiver, who is <c>clientid</c> and whose socket the peer is.</summary>
    private MessageContent Sent() => Content(EmqxField.FromClientId, EmqxField.FromUsername);

    private MessageContent Content(EmqxField publisherIn, EmqxField usernameIn)
    {
        var publisher = fields.Client(publisherIn);
        var topic = fields.Topic();
        var payload = fields.Payload(webhook.Options.PayloadEncoding);
        var id = MessageId.TryParse(fields.Id());
        var publishedAt = ToldTime ?? id?.MadeAt ?? webhook.ReceivedAt;
        return new(
            id ?? MessageId.OfContent(publisher.Value, publishedAt, topic, payload.Bytes.Span),
            publisher,
            IsDevice(publisher) && !(publisherIn is EmqxField.ClientId && IsFromInside),
            fields.Text(usernameIn),
            topic,
            fields.Integer(EmqxField.Qos, 2) ?? 0,
            fields.Flag(fields.Member(EmqxField.Flags, "retain"u8)) ?? fields.Flag(EmqxField.Retain) ?? false,
            publishedAt,
            payload,
            fields.Compact(EmqxField.PublishProperties) ?? fields.Compact(fields.Member(EmqxField.Headers, "properties"u8)));
    }

    /// <summary>When the message was published; rules of 4.0.0 have only <c>timestamp</c>, which is that. Where a SELECT left out all times, its id is the best that is known.</summary>
    private DateTimeOffset? ToldTime => fields.Time(EmqxField.PublishReceivedAt) ?? fields.Time(EmqxField.Time) ?? fields.Time(EmqxField.Timestamp);

    /// <summary>
    /// A publish shows that its client lives, unless it may be a will, which goes out under the dead client's name: the plugin dates it to
    /// CONNECT, rules say no peer.
    /// </summary>
    private bool IsEvidence =>
        !FromPlugin && (fields.Has(EmqxField.PeerHost) || fields.Has(EmqxField.PeerName)) && IsDevice(fields.Client()) && ToldTime is not null;

    /// <summary>No socket: a will, or a message that a rule or the broker itself made.</summary>
    private bool IsFromInside => fields.IsUndefined(EmqxField.PeerHost);

    private bool IsDuplicate => fields.Flag(fields.Member(EmqxField.Flags, "dup"u8)) ?? false;

    /// <summary>Not devices: the broker's REST API, its inner clients, rules that republish.</summary>
    private bool IsDevice(ClientId client) =>
        client.Value is not "http_api"
        && !client.Value.StartsWith('$')
        && !client.Value.StartsWith("rule:", StringComparison.Ordinal)
        && client.Value != fields.Text(fields.Member(EmqxField.Metadata, "rule_id"u8));

    // ---- everything else is kept as it came --------------------------------------------------------------------------

    private RecordReport Report()
    {
        var client = fields.ClientIfAny();
        return new(
            $"{WebhookSources.Emqx}.{(Name is { } name && IsEventName(name) ? name : "unrecognised")}",
            Key(),
            client,
            client is { } id && IsDevice(id) && !IsFromInside,
            ReportTime,
            Encoding.UTF8.GetString(fields.Json.Span),
            webhook.ReceivedAt);
    }

    private DateTimeOffset? ReportTime =>
        fields.TimeIfAny(EmqxField.Timestamp) ?? fields.TimeIfAny(EmqxField.MessageReceivedAt) ?? fields.TimeIfAny(EmqxField.PublishReceivedAt)
        ?? fields.TimeIfAny(EmqxField.Time) ?? fields.TimeIfAny(EmqxField.DeactivatedAt) ?? fields.TimeIfAny(EmqxField.ActivatedAt);

    /// <summary>
    /// EMQX's retries are the same bytes. But so is news where the body has neither time nor id (4.x plugin: 1,560 equal bodies in one storm of
    /// reconnects), which therefore has no key.
    /// </summary>
    private ReportKey? Key()
    {
        var at = ReportTime;
        if (at is null && !fields.Has(EmqxField.Id)) return null;

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{webhook.Source}\0"));
        hash.AppendData(fields.Json.Span);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        var low = BinaryPrimitives.ReadUInt128BigEndian(digest) >> 48;
        return new ReportKey(((UInt128)(ulong)(at?.ToUnixTimeMilliseconds() ?? 0) << 80) | low);
    }

    /// <summary>What may stand in the journal as a type: names are kept for ever, so nobody may flood them with texts.</summary>
    private static bool IsEventName(string name) =>
        name.Length <= LongestName && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-' or '$' or '/' or ':');
}
