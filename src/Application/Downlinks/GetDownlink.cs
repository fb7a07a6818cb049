using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Application.Downlinks;

/// <summary>One message to a device, and how far it got; null if there is none of that number.</summary>
public sealed record GetDownlink(long Id) : IQuery<DownlinkView?>;

/// <summary>Messages to devices, newest first.</summary>
public sealed record ListDownlinks(PageRequest Page) : IQuery<Page<DownlinkView>>
{
    public ClientId? Client { get; init; }

    /// <summary>Any of these; empty for all.</summary>
    public IReadOnlyList<DownlinkStatus> Status { get; init; } = [];
}

/// <summary>A message to a device, and how far it got.</summary>
public sealed record DownlinkView
{
    public required string Id { get; init; }
    public required string ClientId { get; init; }

    /// <summary>
    /// `accepted`, `sent` (the broker took it), `delivered` (the broker sent it to the device), `acked`, `dropped`, `no-subscriber`, `refused` (by the broker),
    /// `failed` (it surely never reached the broker), `uncertain` (it may have; it is not sent again) or `timed-out` (no news that ends it until its deadline).
    /// </summary>
    public required DownlinkStatus Status { get; init; }

    /// <summary>No further news is waited for. It still counts if it comes.</summary>
    public required bool Finished { get; init; }
    public required string Topic { get; init; }
    public required int Qos { get; init; }
    public required bool Retain { get; init; }
    public required PayloadView Payload { get; init; }
    public required long? ExpirySeconds { get; init; }
    public required DownlinkProperties? Properties { get; init; }

    /// <summary>The configured broker that it goes through.</summary>
    public required string Broker { get; init; }

    /// <summary>The broker's id of the message, as `GET /messages/{id}` takes it once it was reported; null while none is known.</summary>
    public required string? MessageId { get; init; }

    /// <summary>How the message was found among the reports: `id` (the broker named it in its answer), or `content` (topic, payload and time agree, an equal message of the same moment could be meant). Null while none was.</summary>
    public required DownlinkMatch? Match { get; init; }
    public required DateTimeOffset AcceptedAt { get; init; }
    public required DateTimeOffset? AnsweredAt { get; init; }
    public required DateTimeOffset? DeliveredAt { get; init; }
    public required DateTimeOffset? AckedAt { get; init; }
    public required DateTimeOffset? DroppedAt { get; init; }

    /// <summary>The broker's word: `queue_full`, `expired` …</summary>
    public required string? DropReason { get; init; }

    /// <summary>Until when news is waited for.</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>The deadline passed without an end. News that came later is in the status all the same.</summary>
    public required bool Late { get; init; }

    /// <summary>Why it was refused, failed or is uncertain, and what to do.</summary>
    public required string? Problem { get; init; }
    public required string? IdempotencyKey { get; init; }
}
