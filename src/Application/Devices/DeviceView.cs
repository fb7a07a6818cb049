using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Devices;

/// <summary>All that is known of a device at one moment. Words of reasons are those of <see cref="Domain.Devices.DisconnectReason"/>, spelt by <see cref="Common.Words"/>.</summary>
public sealed class DeviceView
{
    public required string ClientId { get; init; }
    public string? Username { get; init; }
    public string? Name { get; init; }

    /// <summary>A JSON object of texts.</summary>
    public required string Tags { get; init; }
    public long? MessageIntervalSeconds { get; init; }

    public ConnectivityStatus Status { get; init; }
    public DateTimeOffset? Since { get; init; }
    public Confidence Confidence { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public string? LastReason { get; init; }
    public string? LastRawReason { get; init; }
    public bool Flapping { get; init; }
    public required string Evidence { get; init; }

    public ActivityStatus Activity { get; set; }
    public DateTimeOffset? LastMessageAt { get; set; }
    public string? LastTopic { get; set; }
    public DateTimeOffset? LastSeenAt { get; set; }

    /// <summary>The id in the ledger of the live session or the last one; null if the device never had one.</summary>
    public string? SessionId { get; set; }
    public string? Node { get; init; }
    public DateTimeOffset? ConnectedAt { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }
    public string? ProtocolVersion { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }
    public long? ExpirySeconds { get; init; }

    public int SubscriptionCount { get; init; }

    /// <summary>Subscriptions that have run out since <see cref="Version"/> was written.</summary>
    public int SubscriptionsRunOut { get; set; }

    public long SessionCount { get; init; }
    public long MessagesPublished { get; set; }
    public long MessagesDelivered { get; set; }
    public long MessagesDropped { get; set; }
    public DateTimeOffset FirstSeenAt { get; init; }
    public long Version { get; set; }
}
