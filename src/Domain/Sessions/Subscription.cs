namespace WebhookService.Domain.Sessions;

/// <summary>The options of a subscription as MQTT 5 names them; null where the broker does not say.</summary>
public sealed record SubscriptionOptions(int Qos, bool? NoLocal, bool? RetainAsPublished, int? RetainHandling);

/// <summary>Why a subscription is gone.</summary>
public enum SubscriptionEndedBy
{
    Unsubscribed,
    CleanStart,
    SessionEnd,
    Expired,
}

/// <summary>
/// A client's subscription to a topic filter. EMQX reports neither the end by disconnect nor by expiry, so the end is concluded from the
/// sessions (<see cref="SessionSet"/>). Shared subscriptions carry their group in the filter: `$share/group/filter`.
/// </summary>
public sealed class Subscription
{
    private Subscription(string filter) => Filter = filter;

    public string Filter { get; }
    public SubscriptionOptions Options { get; private set; } = new(0, null, null, null);
    public DateTimeOffset? SubscribedAt { get; private set; }
    public DateTimeOffset? UnsubscribedAt { get; private set; }

    /// <summary>The session (node, connected_at) it was made in, where the report carried no time of its own.</summary>
    public (string Node, DateTimeOffset ConnectedAt)? MadeIn { get; private set; }

    /// <summary>When it ended or will end (session expiry); null while it has no end in sight.</summary>
    public DateTimeOffset? EndsAt { get; internal set; }
    public SubscriptionEndedBy? EndedBy { get; internal set; }

    internal static Subscription To(string filter) => new(filter);

    internal bool Made(DateTimeOffset at, SubscriptionOptions options, (string, DateTimeOffset)? madeIn)
    {
        if (SubscribedAt >= at) return false;
        (SubscribedAt, Options, MadeIn) = (at, options, madeIn);
        return true;
    }

    internal bool Cancelled(DateTimeOffset at)
    {
        if (UnsubscribedAt >= at) return false;
        UnsubscribedAt = at;
        return true;
    }

    /// <summary>Builds a subscription as it was saved.</summary>
    public static Subscription Restore(
        string filter, SubscriptionOptions options, DateTimeOffset? subscribedAt, DateTimeOffset? unsubscribedAt,
        (string, DateTimeOffset)? madeIn, DateTimeOffset? endsAt, SubscriptionEndedBy? endedBy) =>
        new(filter)
        {
            Options = options,
            SubscribedAt = subscribedAt,
            UnsubscribedAt = unsubscribedAt,
            MadeIn = madeIn,
            EndsAt = endsAt,
            EndedBy = endedBy,
        };
}
