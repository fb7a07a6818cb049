using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The ledger of connections, newest first: by their start, or by their end where no start is known.</summary>
public sealed record ListSessions(SessionFilter Filter, PageRequest Page) : IQuery<Page<SessionView>>;

/// <summary>Null and empty filters let everything pass.</summary>
public sealed record SessionFilter
{
    /// <summary>The sessions of one device.</summary>
    public ClientId? Client { get; init; }
    public ClientIdPattern? ClientId { get; init; }
    public string? Username { get; init; }
    public string? Node { get; init; }
    public string? Ip { get; init; }

    /// <summary>Why the session ended.</summary>
    public IReadOnlyList<DisconnectReason> Reason { get; init; } = [];

    /// <summary>What the session's device is now.</summary>
    public IReadOnlyList<ConnectivityStatus> Status { get; init; } = [];
    public bool? Open { get; init; }

    /// <summary>Sessions that lived at some moment from here on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Sessions that lived at some moment before this.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>One connection of a client. Reasons are spelt as in <see cref="Devices.DeviceView"/>.</summary>
public sealed class SessionView
{
    public required string Id { get; init; }
    public required string ClientId { get; init; }
    public string? Node { get; init; }

    /// <summary>Null where only the end was reported, without a word on its beginning.</summary>
    public DateTimeOffset? ConnectedAt { get; init; }

    /// <summary>Null while the session lasts.</summary>
    public DateTimeOffset? EndedAt { get; init; }
    public string? Reason { get; init; }
    public string? RawReason { get; init; }

    /// <summary>Null while it lasts, or where the start is not known.</summary>
    public double? DurationSeconds { get; init; }

    /// <summary>How the end came to be known: a word of <see cref="Domain.Sessions.EndedBy"/>.</summary>
    public string? EndedBy { get; init; }
    public string? Ip { get; init; }
    public int? Port { get; init; }
    public string? Protocol { get; init; }
    public string? ProtocolVersion { get; init; }
    public string? Username { get; init; }
    public int? KeepAliveSeconds { get; init; }
    public bool? CleanStart { get; init; }
    public long? ExpirySeconds { get; init; }

    /// <summary>What else the broker said of the connection, as a JSON object in its words; null where it said nothing else.</summary>
    public RawJson? Details { get; init; }

    /// <summary>What went through the session; null where its start was not seen.</summary>
    public long? MessagesPublished { get; init; }
    public long? MessagesDelivered { get; init; }
    public long? MessagesDropped { get; init; }
}
