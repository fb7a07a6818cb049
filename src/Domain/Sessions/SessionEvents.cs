using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

/// <summary>A connection became known, from its own report or from the broker's list.</summary>
[EventName("session.started")]
public sealed record SessionStarted(
    ClientId Subject, DateTimeOffset At, string Node, string? Ip, int? Port, string? ProtocolVersion, bool? CleanStart, Cause Cause) : IDomainEvent
{
    public ClientId? Client => Subject;
}

/// <summary>A connection is known to have ended.</summary>
[EventName("session.ended")]
public sealed record SessionEnded(ClientId Subject, DateTimeOffset At, string Node, DateTimeOffset? ConnectedAt, DisconnectReason Reason, string? RawReason, EndedBy By) : IDomainEvent
{
    public ClientId? Client => Subject;
}

[EventName("subscription.started")]
public sealed record SubscriptionStarted(ClientId Subject, DateTimeOffset At, string Filter, int Qos) : IDomainEvent
{
    public ClientId? Client => Subject;
}

[EventName("subscription.ended")]
public sealed record SubscriptionEnded(ClientId Subject, DateTimeOffset At, string Filter, SubscriptionEndedBy By) : IDomainEvent
{
    public ClientId? Client => Subject;
}
