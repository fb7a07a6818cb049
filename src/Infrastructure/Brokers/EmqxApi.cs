using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>One generation of the management API. What both have in common is here: a client's members and the envelope of a list.</summary>
internal abstract class EmqxApi(EmqxHttp http, BrokerOptions options)
{
    protected EmqxHttp Http { get; } = http;

    protected BrokerOptions Options { get; } = options;

    /// <param name="number">From 1.</param>
    /// <exception cref="BrokerException">There is no usable answer.</exception>
    public abstract Task<ListedPage> PageAsync(int number, CancellationToken cancellation);

    /// <exception cref="BrokerException">There is no usable answer.</exception>
    public abstract Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation);

    /// <exception cref="BrokerException">There is no usable answer.</exception>
    public abstract Task<BrokerCondition> ConditionAsync(CancellationToken cancellation);

    /// <exception cref="BrokerException">There is no usable answer.</exception>
    public abstract Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation);

    /// <exception cref="BrokerException">There is no usable answer.</exception>
    public abstract Task<bool> KickAsync(ClientId client, CancellationToken cancellation);

    /// <summary>How exactly <see cref="Time"/> is written.</summary>
    protected abstract TimeSpan Precision { get; }

    /// <summary>A moment as this generation writes it; null where it cannot be read.</summary>
    protected abstract DateTimeOffset? Time(string text);

    /// <summary>A text that describes; null where none is set.</summary>
    protected abstract string? Described(JsonElement client, string name);

    /// <summary>
    /// Brokers resolve "." and ".." in a path, escaped or not, and answer with another resource: such ids can only be looked up by query.
    /// </summary>
    protected static bool FitsInPath(ClientId client) => client.Value is not ("." or "..");

    /// <summary>What both generations call the same. Text goes as text: 4.x before 4.4 publishes base64 as it stands.</summary>
    /// <param name="encoding">How the member is called that says `base64`.</param>
    protected static JsonObject Body(DownlinkOrder order, string encoding)
    {
        var isText = order.Payload.Kind is not PayloadKind.Binary;
        var body = new JsonObject
        {
            ["topic"] = order.Topic,
            ["payload"] = isText ? Encoding.UTF8.GetString(order.Payload.Bytes.Span) : Convert.ToBase64String(order.Payload.Bytes.Span),
            ["qos"] = order.Qos,
            ["retain"] = order.Retain,
        };
        if (!isText) body[encoding] = "base64";
        if (PropertiesOf(order) is { Count: > 0 } properties) body["properties"] = properties;
        return body;
    }

    private static JsonObject PropertiesOf(DownlinkOrder order)
    {
        var (given, properties) = (order.Properties ?? DownlinkProperties.None, new JsonObject());
        if (order.Expiry is { } expiry) properties["message_expiry_interval"] = (long)expiry.TotalSeconds;
        if (given.ContentType is { } contentType) properties["content_type"] = contentType;
        if (given.ResponseTopic is { } responseTopic) properties["response_topic"] = responseTopic;
        if (given.CorrelationData is { } correlationData) properties["correlation_data"] = correlationData;
        if (given.UserProperties.Count > 0)
            properties["user_properties"] = new JsonObject(given.UserProperties.Select(one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value)));
        return properties;
    }

    protected ListedPage PageOf(EmqxAnswer answer)
    {
        var items = ListIn(answer);
        var clients = new List<ListedClient>(items.GetArrayLength());
        foreach (var item in items.EnumerateArray())
        {
            if (Client(answer, item) is { Connected: true } client) clients.Add(client);
        }

        var meta = answer.Json.Member("meta") ?? default;
        var total = meta.Integer("count"); // -1 where it does not count
        // 4.x goes on to promise a next page after an empty one, without end; early 5.0 promises nothing.
        var more = items.GetArrayLength() > 0 && (meta.Flag("hasnext") ?? items.GetArrayLength() >= Options.PageSize);
        return new(new(clients, total < 0 ? null : total), IsLast: !more);
    }

    /// <summary>The one asked for out of a list that should hold nothing else.</summary>
    protected ListedClient? OneOf(EmqxAnswer answer, ClientId client)
    {
        ListedClient? found = null;
        var strangers = false;
        foreach (var item in ListIn(answer).EnumerateArray())
        {
            if (item.Text("clientid") != client.Value)
            {
                strangers = true;
                continue;
            }
            var one = Known(answer, item);
            // While a client moves from node to node, both may list it.
            if (found is null || (one.Connected, one.ConnectedAt).CompareTo((found.Connected, found.ConnectedAt)) > 0) found = one;
        }
        if (found is null && strangers) throw answer.Unexpected("was answered with other clients than the one asked for, so that nothing is known of it");
        return found;
    }

    /// <summary>The client of a lookup.</summary>
    protected ListedClient Known(EmqxAnswer answer, JsonElement item) =>
        Client(answer, item) ?? throw answer.Unexpected("was answered with a client that has no connected_at, as one that is just connecting");

    protected static BrokerNodeCondition Node(JsonElement node)
    {
        var running = string.Equals(node.Text("node_status"), "running", StringComparison.OrdinalIgnoreCase);
        // "connections" counts the sessions that wait for their client, too. A stopped node of 4.x says "name" instead of "node".
        return new(node.Text("node") ?? node.Text("name") ?? "", running, node.Text("version"), node.Integer("live_connections"));
    }

    protected static BrokerCondition Condition(EmqxAnswer answer, JsonElement? list, long? lost)
    {
        if (list is not { ValueKind: JsonValueKind.Array }) throw answer.Unexpected("was answered without a list of nodes");
        var nodes = list.Items().Select(Node).ToList();
        return new(nodes.Find(node => node.Running)?.Version, nodes, answer.ClockOffset, lost);
    }

    private static JsonElement ListIn(EmqxAnswer answer) =>
        answer.Json.Member("data") is { ValueKind: JsonValueKind.Array } data ? data : throw answer.Unexpected("was answered without a list of clients");

    /// <summary>Null for a client that has not connected yet, and for an id that MQTT does not allow: no event will name it either.</summary>
    private ListedClient? Client(EmqxAnswer answer, JsonElement item)
    {
        if (item.Member("clientid") is not { ValueKind: JsonValueKind.String }) throw answer.Unexpected("was answered with a client that has no clientid");
        if (Id(item) is not { } id || Moment(answer, item, "connected_at") is not { } connectedAt) return null;

        var (ip, port) = (Described(item, "ip_address"), item.Integer("port"));
        // An IPv4 client of a dual-stack listener is "::ffff:10.0.0.1" here and, from some 5.x on, "10.0.0.1" in the events: its address names nothing.
        var isMapped = IPAddress.TryParse(ip, out var address) && address.IsIPv4MappedToIPv6;
        return new(
            id,
            Described(item, "node") ?? "",
            connectedAt,
            Precision,
            ip is not null && port is not null && !isMapped ? $"{ip}:{port}" : null,
            new()
            {
                Username = Described(item, "username"),
                Ip = isMapped ? address!.MapToIPv4().ToString() : ip,
                Port = (int?)port,
                Protocol = Described(item, "proto_name"),
                ProtocolVersion = Described(item, "proto_ver"),
                KeepAliveSeconds = (int?)item.Integer("keepalive"),
                CleanStart = item.Flag("clean_start"),
                ExpirySeconds = item.Integer("expiry_interval"),
            },
            item.Flag("connected") ?? true,
            Moment(answer, item, "disconnected_at"));
    }

    private DateTimeOffset? Moment(EmqxAnswer answer, JsonElement client, string name) =>
        Described(client, name) is not { } text ? null : Time(text) ?? throw answer.Unexpected($"was answered with a {name} that is no time");

    private static ClientId? Id(JsonElement item)
    {
        try
        {
            return item.Text("clientid") is { } id ? new ClientId(id) : null;
        }
        catch (DomainException)
        {
            return null;
        }
    }
}

/// <param name="IsLast">No page follows.</param>
internal readonly record struct ListedPage(ClientPage Page, bool IsLast);
