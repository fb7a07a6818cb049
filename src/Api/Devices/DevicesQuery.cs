using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Application.Devices;

namespace WebhookService.Api.Devices;

/// <summary>What a list of devices takes beside its filters.</summary>
public sealed class DevicesQuery : ListQuery
{
    /// <summary>
    /// The devices as they were at this past time. What has no history (activity, counters, …) is left out, its filters and orders are refused;
    /// name and tags are those of now.
    /// </summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>`clientId`, `lastSeenAt`, `connectedAt`, `firstSeenAt`, `name` or `username`; with `-` before it, descending.</summary>
    public string? Sort { get; init; }

    /// <summary>`exact` adds `count`, the number of all devices that pass the filters.</summary>
    public string? Count { get; init; }

    internal DeviceSort ToSort()
    {
        var name = Sort ?? "clientId";
        var descending = name.StartsWith('-');
        DeviceSortKey? key = (descending ? name[1..] : name) switch
        {
            "clientId" => DeviceSortKey.ClientId,
            "lastSeenAt" => DeviceSortKey.LastSeenAt,
            "connectedAt" => DeviceSortKey.ConnectedAt,
            "firstSeenAt" => DeviceSortKey.FirstSeenAt,
            "name" => DeviceSortKey.Name,
            "username" => DeviceSortKey.Username,
            _ => null,
        };
        return new(
            key ?? throw ApiException.BadRequest(
                "invalid-value", $"Devices cannot be sorted by '{name}'.", "sort", "It takes one of clientId, lastSeenAt, connectedAt, firstSeenAt, name, username, with a - before it for descending."),
            descending);
    }

    internal bool ToCount() => Count switch
    {
        null => false,
        "exact" => true,
        _ => throw ApiException.BadRequest("invalid-value", $"'{Count}' is no way to count.", "count", "It takes exact."),
    };
}
