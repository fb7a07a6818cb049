using WebhookService.Api.Json;
using WebhookService.Application.Devices;
using WebhookService.Domain.Sessions;
using System.Text.Json.Serialization;

namespace WebhookService.Api.Devices;

/// <summary>A device as the API shows it.</summary>
public sealed class DeviceResponse
{
    public required string ClientId { get; init; }
    public string? Username { get; init; }
    public string? Name { get; init; }
    public required IReadOnlyDictionary<string, string> Tags { get; init; }
    public required ExpectationsResponse Expectations { get; init; }
    public required ConnectivityResponse Connectivity { get; init; }
    public required ActivityResponse Activity { get; init; }
    public DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>The live session or the last one; null if none is known.</summary>
    public CurrentSessionResponse? Session { get; init; }
    public int SubscriptionCount { get; init; }
    public required DeviceCountersResponse Counters { get; init; }
    public DateTimeOffset FirstSeenAt { get; init; }

    /// <summary>Grows with every change.</summary>
    public long Version { get; init; }
}

/// <summary>Whether a device is connected, how sure that is (`confidence`) and what it rests on (`evidence`).</summary>
public sealed class ConnectivityResponse
{
    public ConnectivityStatus Status { get; init; }
    public DateTimeOffset? Since { get; init; }
    public Confidence Confidence { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public string? LastReason { get; init; }
    public string? LastRawReason { get; init; }
    public bool Flapping { get; init; }

    /// <summary>`session`, `session-end`, `takeover`, `sign-of-life`, `broker-list` or `none`.</summary>
    public required string Evidence { get; init; }
}

/// <summary>What a device's own messages say.</summary>
public sealed class ActivityResponse
{
    public ActivityStatus Status { get; init; }
    public DateTimeOffset? LastMessageAt { get; init; }
    public string? LastTopic { get; init; }
}

/// <summary>What people expect of a device.</summary>
public sealed class ExpectationsResponse
{
    /// <summary>A message at least this often; null for no expectation.</summary>
    public long? MessageIntervalSeconds { get; init; }
}

/// <summary>The connection that a device has, or the last one it had.</summary>
public sealed class CurrentSessionResponse
{
    /// <summary>As in the ledger of sessions.</summary>
    public required string Id { get; init; }
    public string? Node { get; init; }
    public DateTimeOffset ConnectedAt { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }

    /// <summary>3 = MQTT 3.1, 4 = 3.1.1, 5 = 5.0; a word from gateways.</summary>
    [JsonConverter(typeof(NumberIfItIsOne))]
    public string? ProtocolVersion { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }
    public long? ExpirySeconds { get; init; }
}

/// <summary>Totals over all sessions of a device.</summary>
public sealed class DeviceCountersResponse
{
    public long Sessions { get; init; }
    public long MessagesPublished { get; init; }
    public long MessagesDelivered { get; init; }
    public long MessagesDropped { get; init; }
}

/// <summary>Which devices a batch asks for.</summary>
/// <param name="ClientIds">1 to 1000 of them.</param>
public sealed record DeviceStatesRequest(IReadOnlyList<string> ClientIds);

/// <summary>The states asked for, in the order of the question, and the ids that no report ever named.</summary>
public sealed record DeviceStatesResponse(IReadOnlyList<DeviceStateResponse> Items, IReadOnlyList<string> Missing);

/// <summary>The state of a device in short.</summary>
public sealed class DeviceStateResponse
{
    public required string ClientId { get; init; }
    public ConnectivityStatus Status { get; init; }
    public DateTimeOffset? Since { get; init; }
    public Confidence Confidence { get; init; }
    public ActivityStatus Activity { get; init; }
    public DateTimeOffset? LastMessageAt { get; init; }
    public DateTimeOffset? LastSeenAt { get; init; }
    public long Version { get; init; }
}
