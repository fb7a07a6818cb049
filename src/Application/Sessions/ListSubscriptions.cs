using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Sessions;

/// <summary>The subscriptions that a device has now, by filter.</summary>
public sealed record ListSubscriptions(ClientId Client, PageRequest Page) : IQuery<Page<SubscriptionView>>;

/// <summary>A subscription in force. Options are null where the broker does not say them.</summary>
public sealed class SubscriptionView
{
    /// <summary>As the client subscribed: `$share/group/a/#` included.</summary>
    public required string Filter { get; init; }

    /// <summary>The filter without the part that names a shared group.</summary>
    public required string TopicFilter { get; init; }

    /// <summary>The group of `$share/group/…`; `$queue` for EMQX's `$queue/…`; null if not shared.</summary>
    public string? SharedGroup { get; init; }
    public int Qos { get; init; }
    public bool? NoLocal { get; init; }
    public bool? RetainAsPublished { get; init; }
    public int? RetainHandling { get; init; }
    public DateTimeOffset SubscribedAt { get; init; }

    /// <summary>When it will run out with its session, if the client does not come back; null if there is no end in sight.</summary>
    public DateTimeOffset? EndsAt { get; init; }
}
