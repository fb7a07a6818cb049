using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Downlinks;

/// <summary>What shall be published to a device.</summary>
public sealed record DownlinkOrder
{
    public static readonly TimeSpan ShortestTimeout = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(7);

    /// <exception cref="DomainException">No broker would take it, or nobody could tell what became of it.</exception>
    public DownlinkOrder(
        ClientId client, string topic, ReadOnlyMemory<byte> payload, int qos, bool retain, TimeSpan? expiry, TimeSpan timeout, DownlinkProperties? properties = null)
    {
        Topic = TopicName(topic, client);
        if (qos is < 0 or > 2) throw new DomainException($"'qos' is {qos}: give 0, 1 or 2.", "qos");
        if (timeout < ShortestTimeout || timeout > LongestTimeout)
            throw new DomainException($"'timeoutSeconds' is {timeout.TotalSeconds:0.###}: give {ShortestTimeout.TotalSeconds:0} to {LongestTimeout.TotalSeconds:0}.", "timeoutSeconds");
        if (expiry is { } wait && (wait < TimeSpan.FromSeconds(1) || wait.TotalSeconds > uint.MaxValue))
            throw new DomainException($"'expirySeconds' is {wait.TotalSeconds:0.###}: give 1 to {uint.MaxValue}.", "expirySeconds");
        (Client, Payload, Qos, Retain, Expiry, Timeout, Properties) = (client, Messages.Payload.OfBytes(payload), qos, retain, expiry, timeout, properties);
    }

    public ClientId Client { get; }

    /// <summary>Without wildcards; `{clientId}` is filled in already.</summary>
    public string Topic { get; }
    public Payload Payload { get; }
    public int Qos { get; }
    public bool Retain { get; }

    /// <summary>So long the broker keeps it for a client that is away (MQTT 5 message expiry); null for as long as the session.</summary>
    public TimeSpan? Expiry { get; }

    /// <summary>So long news of it is waited for, from its acceptance on.</summary>
    public TimeSpan Timeout { get; }
    public DownlinkProperties? Properties { get; }

    /// <summary>Whether it asks for the same: only then a repeated key is a repetition.</summary>
    public bool IsSameAs(DownlinkOrder other) =>
        (Client, Topic, Qos, Retain, Expiry, Timeout) == (other.Client, other.Topic, other.Qos, other.Retain, other.Expiry, other.Timeout)
        && Payload.Bytes.Span.SequenceEqual(other.Payload.Bytes.Span)
        && (Properties ?? DownlinkProperties.None).IsSameAs(other.Properties ?? DownlinkProperties.None);

    private static string TopicName(string topic, ClientId client)
    {
        var filled = MqttText.Checked(topic, "topic");
        if (filled.AsSpan().IndexOfAny('+', '#') >= 0)
            throw new DomainException($"The topic '{topic}' holds a wildcard: a message is published to one topic, without '+' and '#'.", "topic");
        if (!filled.Contains(ClientIdPlace, StringComparison.Ordinal)) return filled;
        if (client.Value.AsSpan().IndexOfAny('+', '#') >= 0)
            throw new DomainException($"The client id '{client}' holds a '+' or '#', which no topic can: name the topic without {ClientIdPlace}.", "topic");
        return MqttText.Checked(filled.Replace(ClientIdPlace, client.Value, StringComparison.Ordinal), "topic");
    }

    private const string ClientIdPlace = "{clientId}";
}

/// <summary>MQTT 5 properties for the device; a client of MQTT 3.1.1 does not see them.</summary>
public sealed record DownlinkProperties
{
    public static readonly DownlinkProperties None = new();

    public string? ContentType { get; init; }
    public string? ResponseTopic { get; init; }
    public string? CorrelationData { get; init; }
    public IReadOnlyDictionary<string, string> UserProperties { get; init; } = new Dictionary<string, string>();

    public bool IsSameAs(DownlinkProperties other) =>
        (ContentType, ResponseTopic, CorrelationData) == (other.ContentType, other.ResponseTopic, other.CorrelationData)
        && UserProperties.Count == other.UserProperties.Count
        && UserProperties.All(one => other.UserProperties.TryGetValue(one.Key, out var value) && value == one.Value);
}
