namespace WebhookService.Domain.Downlinks;

/// <summary>A message to a device was written down and is about to be handed to the broker.</summary>
[EventName("downlink.accepted")]
public sealed record DownlinkAccepted(long Downlink, ClientId Subject, DateTimeOffset At, string Topic, int Qos) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The broker took it.</summary>
[EventName("downlink.sent")]
public sealed record DownlinkSent(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The broker sent it to the device.</summary>
/// <param name="Late">It had timed out already.</param>
[EventName("downlink.delivered")]
public sealed record DownlinkDelivered(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId, bool Late) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The device acknowledged it.</summary>
/// <param name="Late">It had timed out already.</param>
[EventName("downlink.acked")]
public sealed record DownlinkAcked(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId, bool Late) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The broker dropped it.</summary>
/// <param name="Reason">The broker's word: queue_full, expired …</param>
/// <param name="Late">It had timed out already.</param>
[EventName("downlink.dropped")]
public sealed record DownlinkDropped(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId, string Reason, bool Late) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>Nobody was subscribed to its topic.</summary>
[EventName("downlink.no-subscriber")]
public sealed record DownlinkFoundNobody(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>The broker did not take it.</summary>
[EventName("downlink.refused")]
public sealed record DownlinkRefused(long Downlink, ClientId Subject, DateTimeOffset At, string Problem) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>It surely never reached the broker.</summary>
[EventName("downlink.failed")]
public sealed record DownlinkFailed(long Downlink, ClientId Subject, DateTimeOffset At, string Problem) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>It may have reached the broker or not, and is not sent again. Reports may still tell.</summary>
[EventName("downlink.uncertain")]
public sealed record DownlinkBecameUncertain(long Downlink, ClientId Subject, DateTimeOffset At, string Problem) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>No news that ends it came until its deadline.</summary>
/// <param name="DeliveredAt">The broker sent it to the device then, but no acknowledgement came.</param>
[EventName("downlink.timed-out")]
public sealed record DownlinkTimedOut(long Downlink, ClientId Subject, DateTimeOffset At, string? MessageId, DateTimeOffset? DeliveredAt) : IDomainEvent
{
    public ClientId? Client => Subject;
}
