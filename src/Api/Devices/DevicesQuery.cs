using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Api.Devices;

/// <summary>The filters of a list of devices: what is given must hold. Lists with commas take any of their values.</summary>
public sealed class DevicesQuery : ListQuery
{
    public const string TagPrefix = "tag.";

    /// <summary>`online`, `offline`, `unknown`.</summary>
    public string? Status { get; init; }

    /// <summary>`confirmed`, `inferred`, `stale`.</summary>
    public string? Confidence { get; init; }

    /// <summary>`active`, `silent`, `never`.</summary>
    public string? Activity { get; init; }

    /// <summary>A client id, or the beginning of one with `*` behind it. `\*` is an asterisk of the id itself.</summary>
    public string? ClientId { get; init; }
    public string? Username { get; init; }

    /// <summary>The broker node of the live session or the last one.</summary>
    public string? Node { get; init; }
    public string? Ip { get; init; }

    /// <summary>Why the last connection ended: `keepalive-timeout`, …</summary>
    public string? Reason { get; init; }
    public DateTimeOffset? LastSeenAfter { get; init; }
    public DateTimeOffset? LastSeenBefore { get; init; }
    public bool? Flapping { get; init; }

    /// <summary>A part of the client id, the name or the username, in any case.</summary>
    public string? Q { get; init; }

    /// <summary>`clientId`, `lastSeenAt`, `connectedAt`, `firstSeenAt`, `name` or `username`; with `-` before it, descending.</summary>
    public string? Sort { get; init; }

    /// <summary>`exact` adds `count`, the number of all devices that pass the filters.</summary>
    public string? Count { get; init; }

    internal DeviceFilter ToFilter(IQueryCollection query) => new()
    {
        Status = WordList.Read<ConnectivityStatus>(Status, "status"),
        Confidence = WordList.Read<Confidence>(Confidence, "confidence"),
        Activity = WordList.Read<ActivityStatus>(Activity, "activity"),
        ClientId = ClientId is null ? null : ClientIdPattern.Parse(ClientId),
        Username = Username,
        Node = Node,
        Ip = Ip,
        Reason = WordList.Read<DisconnectReason>(Reason, "reason"),
        Tags = query.Where(given => given.Key.StartsWith(TagPrefix, StringComparison.OrdinalIgnoreCase))
            .ToDictionary(given => given.Key[TagPrefix.Length..], given => given.Value.ToString()),
        LastSeenAfter = LastSeenAfter,
        LastSeenBefore = LastSeenBefore,
        Flapping = Flapping,
        Text = Q,
    };

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
