using WebhookService.Application.Common;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Devices;

/// <summary>The devices that pass all filters, one page of them.</summary>
/// <param name="Count">Also count them all.</param>
public sealed record ListDevices(DeviceFilter Filter, DeviceSort Sort, PageRequest Page, bool Count) : IQuery<Page<DeviceView>>;

/// <summary>Null and empty filters let everything pass.</summary>
public sealed record DeviceFilter
{
    public IReadOnlyList<ConnectivityStatus> Status { get; init; } = [];
    public IReadOnlyList<Confidence> Confidence { get; init; } = [];
    public IReadOnlyList<ActivityStatus> Activity { get; init; } = [];
    public ClientIdPattern? ClientId { get; init; }
    public string? Username { get; init; }
    public string? Node { get; init; }
    public string? Ip { get; init; }

    /// <summary>Why the last connection ended.</summary>
    public IReadOnlyList<DisconnectReason> Reason { get; init; } = [];
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();
    public DateTimeOffset? LastSeenAfter { get; init; }
    public DateTimeOffset? LastSeenBefore { get; init; }
    public bool? Flapping { get; init; }

    /// <summary>A part of the client id, the name or the username, in any case.</summary>
    public string? Text { get; init; }
}

/// <summary>What a list of devices is ordered by. Devices without a value come last in either direction.</summary>
public sealed record DeviceSort(DeviceSortKey Key, bool Descending);

public enum DeviceSortKey
{
    ClientId,
    LastSeenAt,
    ConnectedAt,
    FirstSeenAt,
    Name,
    Username,
}
