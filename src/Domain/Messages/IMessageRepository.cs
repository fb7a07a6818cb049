namespace WebhookService.Domain.Messages;

public interface IMessageRepository
{
    /// <summary>The message with, if a receiver is named, its delivery to that receiver; null if no report named it.</summary>
    ValueTask<Message?> FindAsync(MessageId id, ClientId? receiver, CancellationToken cancellation);

    /// <summary>Saves the message, the deliveries at hand, and what happened.</summary>
    ValueTask SaveAsync(Message message, CancellationToken cancellation);
}
