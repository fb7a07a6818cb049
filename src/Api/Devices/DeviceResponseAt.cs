using WebhookService.Domain.Sessions;

namespace WebhookService.Api.Devices;

/// <summary>A device as it was at a past time, as far as is known now. What has no history (activity, counters, subscriptions, …) is left out.</summary>
public sealed class DeviceResponseAt
{
    public required string ClientId { get; init; }

    /// <summary>Of the session of that time; as it is now where that says none.</summary>
    public string? Username { get; init; }

    /// <summary>As it is now.</summary>
    public string? Name { get; init; }

    /// <summary>As they are now.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }
    public required ConnectivityResponseAt Connectivity { get; init; }

    /// <summary>The newest session started by then; null if none is known.</summary>
    public CurrentSessionResponse? Session { get; init; }
    public DateTimeOffset FirstSeenAt { get; init; }
}

/// <summary>Whether a device was connected at that time.</summary>
public sealed class ConnectivityResponseAt
{
    public ConnectivityStatus Status { get; init; }

    /// <summary>Null: not known since when.</summary>
    public DateTimeOffset? Since { get; init; }
    public Confidence Confidence { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public string? LastReason { get; init; }
    public string? LastRawReason { get; init; }

    /// <summary>`session`, `session-end`, `takeover`, `sign-of-life`, `broker-list` or `none`.</summary>
    public required string Evidence { get; init; }
}
