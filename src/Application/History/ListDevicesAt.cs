using WebhookService.Application.Common;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.History;

/// <summary>The devices as they were at a time that is past, by client id: those that had been seen by then and pass all filters.</summary>
public sealed record ListDevicesAt(DateTimeOffset At, DeviceFilterAt Filter, PageRequest Page) : IQuery<Page<DeviceViewAt>>;

/// <summary>Null and empty filters let everything pass.</summary>
public sealed record DeviceFilterAt
{
    public IReadOnlyList<ConnectivityStatus> Status { get; init; } = [];
    public ClientIdPattern? ClientId { get; init; }

    /// <summary>Of the session of that time, as node and address.</summary>
    public string? Username { get; init; }
    public string? Node { get; init; }
    public string? Ip { get; init; }

    /// <summary>Why the last connection before that time had ended.</summary>
    public IReadOnlyList<DisconnectReason> Reason { get; init; } = [];

    /// <summary>As they are now: what people say of a device has no history. So has <see cref="Text"/>.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>A part of the client id, the name or the username, in any case.</summary>
    public string? Text { get; init; }
}

/// <summary>What is known now of a device at a time that is past.</summary>
public sealed class DeviceViewAt
{
    public required string ClientId { get; init; }

    /// <summary>Of the session of that time; as it is now where that says none.</summary>
    public string? Username { get; init; }

    /// <summary>As it is now.</summary>
    public string? Name { get; init; }

    /// <summary>A JSON object of texts, as it is now.</summary>
    public required string Tags { get; init; }

    public ConnectivityStatus Status { get; init; }
    public DateTimeOffset? Since { get; init; }
    public Confidence Confidence { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public string? LastReason { get; init; }
    public string? LastRawReason { get; init; }
    public required string Evidence { get; init; }

    /// <summary>Of the newest session started by then; null if there was none.</summary>
    public string? SessionId { get; init; }
    public string? Node { get; init; }
    public DateTimeOffset? ConnectedAt { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }
    public string? ProtocolVersion { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }
    public long? ExpirySeconds { get; init; }
    public DateTimeOffset FirstSeenAt { get; init; }
}
