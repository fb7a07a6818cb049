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

    /// <summary>True once <see cref="SubscriptionEnded"/> was raised.</summary>
    public bool EndIsTold { get; internal set; }

    internal static Subscription To(string filter) => new(filter);

    internal bool Made(DateTimeOffset at, SubscriptionOptions options, (string, DateTimeOffset)? madeIn)
    {
        if (SubscribedAt > at || (SubscribedAt == at && Options.Qos >= options.Qos)) return false; // two in one millisecond: the higher QoS
        (SubscribedAt, Options, MadeIn) = (at, options, madeIn);
        (EndsAt, EndedBy, EndIsTold) = (null, null, false);
        return true;
    }

    internal bool Cancelled(DateTimeOffset at)
    {
        if (UnsubscribedAt >= at) return false;
        UnsubscribedAt = at;
        return true;
    }

    /// <summary>Concludes the end: by UNSUBSCRIBE, or with the state of the sessions that inherited it one after another.</summary>
    /// <param name="sessions">Newest first.</param>
    /// <param name="edge">Those that began then or before may be missing; null if none are.</param>
    internal void Follow(IReadOnlyList<Session> sessions, DateTimeOffset? edge, PresenceRules rules)
    {
        if (SubscribedAt is not { } made || UnsubscribedAt >= made)
        {
            (EndsAt, EndedBy) = (UnsubscribedAt, SubscriptionEndedBy.Unsubscribed);
            return;
        }
        // In a session that is missing, which may have ended a little after the next one began.
        if (EndsAt <= edge || (made <= edge && EndsAt < sessions[^1].End?.At)) return;

        (EndsAt, EndedBy) = (null, null);
        if (GoneWith(sessions, made, rules) is var (at, by)) (EndsAt, EndedBy) = (at > made ? at : made, by);
    }

    private (DateTimeOffset At, SubscriptionEndedBy By)? GoneWith(IReadOnlyList<Session> sessions, DateTimeOffset made, PresenceRules rules)
    {
        for (var i = Home(sessions, made); i >= 0; i--)
        {
            // Made before all sessions, or when its home was long over: then in a session whose connect is late or lost. It inherits too.
            var session = i < sessions.Count && (MadeIn is not null || !(sessions[i].End?.At + rules.EvidenceGuard < made)) ? sessions[i] : null;
            var next = i > 0 ? sessions[i - 1] : null;
            if (session is { End: null }) return null;
            if (session?.StateGone() is var (at, by) && (next is null || by is SubscriptionEndedBy.SessionEnd || at < next.ConnectedAt)) return (at, by);
            if (next?.Details.CleanStart is true) return (next.ConnectedAt, SubscriptionEndedBy.CleanStart);
        }
        return null;
    }

    /// <summary>Where in the list the session is in which it was made: the newest that was open, else the newest before; past the end if none fits.</summary>
    private int Home(IReadOnlyList<Session> sessions, DateTimeOffset made)
    {
        var before = sessions.Count;
        for (var i = 0; i < sessions.Count; i++)
        {
            var session = sessions[i];
            if (MadeIn is var (node, at) ? session.ConnectedAt != at || session.Node != node : session.ConnectedAt > made) continue;
            if (!(session.End?.At < made)) return i;
            if (before == sessions.Count) before = i;
        }
        return before;
    }

    /// <summary>Builds a subscription as it was saved.</summary>
    public static Subscription Restore(
        string filter, SubscriptionOptions options, DateTimeOffset? subscribedAt, DateTimeOffset? unsubscribedAt,
        (string, DateTimeOffset)? madeIn, DateTimeOffset? endsAt, SubscriptionEndedBy? endedBy, bool endIsTold) =>
        new(filter)
        {
            Options = options,
            SubscribedAt = subscribedAt,
            UnsubscribedAt = unsubscribedAt,
            MadeIn = madeIn,
            EndsAt = endsAt,
            EndedBy = endedBy,
            EndIsTold = endIsTold,
        };
}
