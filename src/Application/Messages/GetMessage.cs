using WebhookService.Application.Common;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.Messages;

/// <summary>One message with its payload and its deliveries; null if no report named it, or it is gone by retention.</summary>
public sealed record GetMessage(MessageId Id) : IQuery<MessageDetailsView?>
{
    /// <summary>A message to a large audience shows this many deliveries, and the number of all.</summary>
    public const int MostDeliveries = 1_000;
}
