using System.Text.Json.Serialization;
using WebhookService.Api.Json;
using WebhookService.Application.Common;

namespace WebhookService.Api.Sessions;

/// <summary>One connection of a device as the ledger has it.</summary>
public sealed class SessionResponse
{
    public required string Id { get; init; }
    public required string ClientId { get; init; }
    public string? Node { get; init; }

    /// <summary>Null where only the end was reported.</summary>
    public DateTimeOffset? ConnectedAt { get; init; }

    /// <summary>Null while it lasts.</summary>
    public DateTimeOffset? EndedAt { get; init; }
    public string? Reason { get; init; }
    public string? RawReason { get; init; }

    /// <summary>Null while it lasts, or where the start is not known.</summary>
    public double? DurationSeconds { get; init; }

    /// <summary>How the end came to be known: `event`, `superseded`, `reconciled` or `expired`.</summary>
    public string? EndedBy { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }

    /// <summary>3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0; a word from gateways.</summary>
    [JsonConverter(typeof(NumberIfItIsOne))]
    public string? ProtocolVersion { get; init; }
    public string? Username { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }
    public long? ExpirySeconds { get; init; }

    /// <summary>What else the broker said of the connection, an object in its words; `{"truncated":true}` where that was too much to keep.</summary>
    public RawJson? Details { get; init; }
    public required SessionCountersResponse Counters { get; init; }
}

/// <summary>What went through a session; null where its start was not seen.</summary>
public sealed class SessionCountersResponse
{
    public long? MessagesPublished { get; init; }
    public long? MessagesDelivered { get; init; }
    public long? MessagesDropped { get; init; }
}

/// <summary>A subscription in force. Options are null where the broker does not say them.</summary>
public sealed class SubscriptionResponse
{
    /// <summary>As the client subscribed: `$share/group/a/#` included.</summary>
    public required string Filter { get; init; }

    /// <summary>The filter without the part that names a shared group.</summary>
    public required string TopicFilter { get; init; }
    public string? SharedGroup { get; init; }
    public int Qos { get; init; }
    public bool? NoLocal { get; init; }
    public bool? RetainAsPublished { get; init; }
    public int? RetainHandling { get; init; }
    public DateTimeOffset SubscribedAt { get; init; }

    /// <summary>When it will run out with its session, if the client does not come back.</summary>
    public DateTimeOffset? EndsAt { get; init; }
}
