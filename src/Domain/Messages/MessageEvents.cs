namespace WebhookService.Domain.Messages;

/// <summary>An event about a message. The message is stored once; the journal only points to it.</summary>
public interface IMessageEvent : IDomainEvent
{
    MessageId Message { get; }
}

[EventName("message.published")]
public sealed record MessagePublished(MessageId Message, ClientId Publisher, DateTimeOffset At) : IMessageEvent
{
    public ClientId? Client => Publisher;
}

[EventName("message.delivered")]
public sealed record MessageDelivered(MessageId Message, ClientId Receiver, DateTimeOffset At) : IMessageEvent
{
    public ClientId? Client => Receiver;
}

[EventName("message.acked")]
public sealed record MessageAcked(MessageId Message, ClientId Receiver, DateTimeOffset At) : IMessageEvent
{
    public ClientId? Client => Receiver;
}

/// <summary>The broker had nobody to give the message to, or refused it.</summary>
[EventName("message.dropped")]
public sealed record MessageDropped(MessageId Message, ClientId Publisher, DateTimeOffset At, string Reason) : IMessageEvent
{
    public ClientId? Client => Publisher;
}

/// <summary>The broker dropped the message for one receiver.</summary>
[EventName("delivery.dropped")]
public sealed record DeliveryDropped(MessageId Message, ClientId Receiver, DateTimeOffset At, string Reason) : IMessageEvent
{
    public ClientId? Client => Receiver;
}
