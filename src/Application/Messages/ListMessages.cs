using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.Messages;

/// <summary>
/// Messages by the broker's time of publishing, newest first. The work for one page is bounded: where few of very many rows match, or payloads
/// are large, a page may hold fewer rows than asked for, even none, and still name a next one.
/// </summary>
public sealed record ListMessages(PageRequest Page) : IQuery<Page<MessageView>>
{
    /// <summary>Published under this client id.</summary>
    public ClientId? Client { get; init; }
    public TopicFilter? Topic { get; init; }

    /// <summary>Any of these; empty for all.</summary>
    public IReadOnlyList<int> Qos { get; init; } = [];

    /// <summary>Any of these; empty for all.</summary>
    public IReadOnlyList<MessageStatus> Status { get; init; } = [];

    /// <summary>Published at this time or later.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Published before this time.</summary>
    public DateTimeOffset? To { get; init; }
}
