using WebhookService.Api.Lists;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Api.Sessions;

/// <summary>The filters of the sessions of one device.</summary>
public class DeviceSessionsQuery : ListQuery
{
    public string? Username { get; init; }
    public string? Node { get; init; }
    public string? Ip { get; init; }

    /// <summary>Why the session ended: `keepalive-timeout`, …</summary>
    public string? Reason { get; init; }

    /// <summary>Only those that last (true) or have ended (false).</summary>
    public bool? Open { get; init; }

    /// <summary>Only those that lived at some moment from here on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Only those that lived at some moment before this.</summary>
    public DateTimeOffset? To { get; init; }

    internal SessionFilter ToFilter(ClientId client) => Common() with { Client = client };

    private protected SessionFilter Common() => new()
    {
        Username = Username,
        Node = Node,
        Ip = Ip,
        Reason = WordList.Read<DisconnectReason>(Reason, "reason"),
        Open = Open,
        From = From,
        To = To,
    };
}

/// <summary>The filters of the sessions of all devices.</summary>
public sealed class SessionsQuery : DeviceSessionsQuery
{
    /// <summary>A client id, or the beginning of one with `*` behind it. `\*` is an asterisk of the id itself.</summary>
    public string? ClientId { get; init; }

    /// <summary>What the session's device is now: `online`, `offline`, `unknown`.</summary>
    public string? Status { get; init; }

    internal SessionFilter ToFilter() => Common() with
    {
        ClientId = ClientId is null ? null : ClientIdPattern.Parse(ClientId),
        Status = WordList.Read<ConnectivityStatus>(Status, "status"),
    };
}
