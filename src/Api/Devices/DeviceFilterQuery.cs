using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Api.Devices;

/// <summary>The filters of devices: what is given must hold. Lists with commas take any of their values.</summary>
public sealed class DeviceFilterQuery
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
        Tags = TagsIn(query),
        LastSeenAfter = LastSeenAfter,
        LastSeenBefore = LastSeenBefore,
        Flapping = Flapping,
        Text = Q,
    };

    /// <summary>The filters that have a meaning at a past time.</summary>
    /// <exception cref="ApiException">Another one is given.</exception>
    internal DeviceFilterAt ToFilterAt(IQueryCollection query)
    {
        Refuse("confidence", Confidence);
        Refuse("activity", Activity);
        Refuse("lastSeenAfter", LastSeenAfter);
        Refuse("lastSeenBefore", LastSeenBefore);
        Refuse("flapping", Flapping);
        return new()
        {
            Status = WordList.Read<ConnectivityStatus>(Status, "status"),
            ClientId = ClientId is null ? null : ClientIdPattern.Parse(ClientId),
            Username = Username,
            Node = Node,
            Ip = Ip,
            Reason = WordList.Read<DisconnectReason>(Reason, "reason"),
            Tags = TagsIn(query),
            Text = Q,
        };
    }

    internal static void Refuse(string parameter, object? given)
    {
        if (given is null) return;
        throw ApiException.BadRequest(
            "not-in-the-past", $"'{parameter}' cannot be told of a past time, so it does not go with 'at'.", parameter,
            "With 'at' go status, clientId, username, node, ip, reason, q and tag.<name>, in the order of client ids.");
    }

    private static Dictionary<string, string> TagsIn(IQueryCollection query) => query
        .Where(given => given.Key.StartsWith(TagPrefix, StringComparison.OrdinalIgnoreCase))
        .ToDictionary(given => given.Key[TagPrefix.Length..], given => given.Value.ToString());
}
