using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Devices;

/// <summary>What of a device is left to time: what is due when, and what was told so that it is not told again.</summary>
public sealed record Pending
{
    public static readonly Pending Nothing = new();

    /// <summary>When offline counts as confirmed; null when that was told, or the device is not offline.</summary>
    public DateTimeOffset? OfflineConfirmedAt { get; init; }

    /// <summary>When the broker should be asked about a state that is only inferred; null when there is nothing to ask.</summary>
    public DateTimeOffset? VerifyAt { get; init; }

    /// <summary>The takeover (by its time) whose successor never became known, so that it counts as an end.</summary>
    public DateTimeOffset? LapsedTakeover { get; init; }

    /// <summary>When the next subscription runs out.</summary>
    public DateTimeOffset? SubscriptionEndsAt { get; init; }

    /// <summary>Since when the device is stale; null while it is not.</summary>
    public DateTimeOffset? StaleAt { get; init; }

    /// <summary>Of a stale device: the last moment at which it is known to have been connected, by its reports or by the broker's list.</summary>
    public DateTimeOffset? AliveUntil { get; init; }

    public bool IsSilent { get; init; }
    public bool IsFlapping { get; init; }
}

/// <summary>A moment at which deadlines are met.</summary>
/// <param name="UpSince">When the service started: reports of before may have been missed.</param>
/// <param name="Grace">How long after it the broker's backlog may still come in. What began before the start and falls due before the grace is over gets its time again.</param>
/// <param name="ListedAt">When the broker's list was last read completely and confirmed those online; null if never.</param>
/// <param name="CanVerify">The device's broker can be asked.</param>
public readonly record struct Moment(DateTimeOffset Now, DateTimeOffset UpSince, TimeSpan Grace, DateTimeOffset? ListedAt, bool CanVerify, PresenceRules Rules);

/// <summary>What a device wants done that it can't do by itself.</summary>
public enum Wish
{
    None,

    /// <summary>Ask the broker whether it is connected.</summary>
    Verification,

    /// <summary>Give its sessions up: it was stale for too long.</summary>
    GivingUp,
}

/// <summary>Deadlines: what becomes of a device when nothing happens.</summary>
public sealed partial class Device
{
    public Pending Pending { get; private set; } = Pending.Nothing;

    /// <summary>When the device is to be looked at; never later than the first thing due, but perhaps earlier.</summary>
    public DateTimeOffset? DueAt { get; private set; }

    /// <summary>The newest evidence that the device was connected.</summary>
    public DateTimeOffset? LastEvidenceAt => Later(SignOfLife?.At, IsLive ? Session?.ConnectedAt : IsTakenOver ? Connectivity.Since : null);

    /// <summary>The last moment at which it is known to have been connected: its newest evidence, or the list that still had its connection.</summary>
    /// <param name="listedAt">As in <see cref="Moment.ListedAt"/>.</param>
    public DateTimeOffset? AliveUntil(DateTimeOffset? listedAt) => Later(LastEvidenceAt, listedAt > Session?.ConnectedAt ? listedAt : null);

    private bool IsStale => Connectivity.Confidence is Confidence.Stale;

    private bool IsTakenOver => Connectivity is { Evidence: "takeover", Status: ConnectivityStatus.Online };

    /// <summary>Whether <see cref="Pass"/> has to do with the sessions: a subscription has run out.</summary>
    public bool NeedsSessions(Moment moment) => SubscriptionEnd(moment) <= moment.Now;

    /// <summary>Time has passed: concludes what was due, and says when to look again (<see cref="DueAt"/>).</summary>
    /// <param name="sessions">The client's sessions, if it <see cref="NeedsSessions"/>.</param>
    public Wish Pass(SessionSet? sessions, Moment moment)
    {
        var (now, rules, wish) = (moment.Now, moment.Rules, Wish.None);
        if (sessions is not null)
        {
            if (sessions.Pass(new Observation(now, rules, Traffic, Cause.Deadline))) Version++;
            Count(sessions, now);
        }
        if (Calm(moment) <= now) StopFlapping(now);
        if (Offline(moment) <= now) ConfirmOffline(now);
        if (Silence(moment) <= now) GoSilent(now, rules);
        if (Verification(moment) <= now)
        {
            Pending = Pending with { VerifyAt = null };
            if (moment.CanVerify) wish = Wish.Verification;
            else Unverifiable(new Observation(now, rules, Traffic, Cause.Deadline));
        }
        if (Expiry(moment) <= now) wish = Wish.GivingUp;
        else if (Overrun(moment) <= now)
        {
            GoStale(now, moment.ListedAt);
            if (moment.CanVerify) wish = Wish.Verification;
        }
        DueAt = FirstDue(moment);
        return wish;
    }

    /// <summary>The broker could not be asked about the device: a takeover without a known successor counts as an end then.</summary>
    public void Unverifiable(Observation seen)
    {
        if (!IsTakenOver) return;
        Pending = Pending with { LapsedTakeover = Connectivity.Since };
        Settle(Connectivity, seen);
    }

    /// <summary>The broker's list does not have the device, but it is not sure enough to call it offline.</summary>
    /// <param name="listedAt">As in <see cref="Moment.ListedAt"/>.</param>
    public void Doubt(DateTimeOffset now, DateTimeOffset? listedAt, PresenceRules rules)
    {
        if (Connectivity.Status is not ConnectivityStatus.Online || IsStale) return;
        GoStale(now, listedAt);
        Arm(rules);
    }

    /// <summary>What the change of the connectivity makes due. Called before the change itself is told.</summary>
    private void Await(Connectivity before, Observation seen)
    {
        var (says, now, rules) = (Connectivity, seen.ReceivedAt, seen.Rules);
        var isOffline = says.Status is ConnectivityStatus.Offline;
        var wasOffline = before.Status is ConnectivityStatus.Offline && !(says.Since > before.Since && Pending.OfflineConfirmedAt is not null); // else it returned meanwhile
        var isOld = (before.Status, before.Evidence, before.Since, before.FreshConfidence) == (says.Status, says.Evidence, says.Since, says.FreshConfidence);
        Pending = Pending with
        {
            OfflineConfirmedAt = !isOffline ? null
                : wasOffline ? Pending.OfflineConfirmedAt
                : (says.Since > now ? says.Since.Value : now) + rules.OfflineHold,
            VerifyAt = isOld ? Pending.VerifyAt
                : says.FreshConfidence is Confidence.Confirmed || says.Status is ConnectivityStatus.Unknown ? null
                : now + PatienceWithDoubt(rules),
        };
        if (before.Confidence is Confidence.Stale && says.Status is ConnectivityStatus.Online)
        {
            if (LastEvidenceAt + Patience(rules) <= now) Connectivity = says with { Confidence = Confidence.Stale };
            else Raise(new DeviceHeardAgain(Id, now, says.Confidence));
        }
        if (!IsStale) Pending = Pending with { StaleAt = null, AliveUntil = null };
        if (!Pending.IsFlapping && says.FlappingUntil > now)
        {
            Pending = Pending with { IsFlapping = true };
            Raise(new DeviceStartedFlapping(Id, now));
        }
        if (Pending.IsFlapping && says.FlappingUntil is null) StopFlapping(now); // so the rules say now
        Arm(rules);
    }

    private void ConfirmOffline(DateTimeOffset now)
    {
        var offline = Connectivity;
        Pending = Pending with { OfflineConfirmedAt = null };
        Raise(new DeviceOfflineConfirmed(
            Id, now, offline.Since ?? now, offline.LastReason ?? DisconnectReason.Other, offline.LastRawReason, offline.Confidence));
    }

    private void GoSilent(DateTimeOffset now, PresenceRules rules)
    {
        Pending = Pending with { IsSilent = true };
        Version++;
        Raise(new DeviceWentSilent(Id, now, LastMessageAt!.Value, MessageInterval(rules)!.Value.TotalSeconds));
    }

    private void Resume(DateTimeOffset at, Observation seen)
    {
        if (!Pending.IsSilent || at + MessageInterval(seen.Rules) <= seen.ReceivedAt) return;
        Pending = Pending with { IsSilent = false };
        Raise(new DeviceResumed(Id, at, (at - LastMessageAt)?.TotalSeconds ?? 0));
    }

    private void GoStale(DateTimeOffset now, DateTimeOffset? listedAt)
    {
        Pending = Pending with { StaleAt = now, AliveUntil = AliveUntil(listedAt) };
        Connectivity = Connectivity with { Confidence = Confidence.Stale };
        Version++;
        Raise(new DeviceWentStale(Id, now, Pending.AliveUntil ?? FirstSeenAt));
    }

    private void StopFlapping(DateTimeOffset now)
    {
        Pending = Pending with { IsFlapping = false };
        Version++;
        Raise(new DeviceStoppedFlapping(Id, now, Connectivity.Status));
    }

    private void Count(SessionSet sessions, DateTimeOffset now)
    {
        SubscriptionCount = sessions.SubscriptionsAt(now);
        Pending = Pending with { SubscriptionEndsAt = sessions.NextSubscriptionEnd() };
    }

    // ---- when what is due ----------------------------------------------------------------------------------------------

    /// <summary>Moves the next look forward if something is due before it. It is never moved back here: a look that finds nothing is cheaper.</summary>
    private void Arm(PresenceRules rules) => Arm(FirstDue(new Moment { Rules = rules }));

    private void Arm(DateTimeOffset? due)
    {
        if (due is not null && !(due >= DueAt)) DueAt = due;
    }

    /// <summary>A message makes nothing due earlier but the silence after it.</summary>
    private void ExpectAnother(PresenceRules rules) => Arm(Silence(new Moment { Rules = rules }));

    private DateTimeOffset? FirstDue(Moment moment) =>
        Earlier(Earlier(Earlier(Verification(moment), SubscriptionEnd(moment)), Calm(moment)),
            Earlier(Earlier(Offline(moment), Silence(moment)), IsStale ? Expiry(moment) : LookForOverrun(moment)));

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one > other ? other : one ?? other;

    private static DateTimeOffset? Later(DateTimeOffset? one, DateTimeOffset? other) => one < other ? other : one ?? other;

    private DateTimeOffset? Calm(Moment moment) =>
        Pending.IsFlapping ? Graced(Connectivity.FlappingUntil, Connectivity.FlappingUntil - moment.Rules.FlappingWindow, TimeSpan.Zero, moment) : null;

    /// <summary>The session that the subscription outlives ended when the device went offline.</summary>
    private DateTimeOffset? SubscriptionEnd(Moment moment) => Graced(Pending.SubscriptionEndsAt, Connectivity.Since, TimeSpan.Zero, moment);

    private DateTimeOffset? Verification(Moment moment) => Graced(Pending.VerifyAt, PatienceWithDoubt(moment.Rules), moment);

    private DateTimeOffset? Offline(Moment moment) => Graced(Pending.OfflineConfirmedAt, moment.Rules.OfflineHold, moment);

    private DateTimeOffset? Silence(Moment moment) =>
        !Pending.IsSilent && MessageInterval(moment.Rules) is { } interval ? Graced(LastMessageAt + interval, interval, moment) : null;

    /// <summary>How often a message is expected; null = no expectation.</summary>
    private TimeSpan? MessageInterval(PresenceRules rules) => Profile.MessageInterval ?? rules.MessageInterval;

    /// <summary>When the last evidence is too long ago for the keep alive. A list never makes that earlier: one of just before the start has no grace.</summary>
    private DateTimeOffset? Overrun(Moment moment) =>
        Connectivity.Status is ConnectivityStatus.Online && !IsStale && Patience(moment.Rules) is { } patience
            ? Later(Graced(LastEvidenceAt + patience, patience, moment), Graced(moment.ListedAt + patience, patience, moment))
            : null;

    /// <summary>
    /// When to look whether it is overrun. Devices that all live by one list, or one start, would fall due in one moment; each looks somewhat
    /// earlier at a time of its own, and most will find that there is newer evidence. That may make a device due earlier which has the grace of a start:
    /// evidence of after the start leaves it no more than the usual patience.
    /// </summary>
    private DateTimeOffset? LookForOverrun(Moment moment)
    {
        var due = Overrun(moment);
        if (LastEvidenceAt is not { } evidence || Patience(moment.Rules) is not { } patience || due == evidence + patience) return due;

        var (early, withoutGrace) = (TimeSpan.FromTicks(evidence.Ticks % (patience / 3).Ticks), moment.UpSince + patience);
        if (withoutGrace < due && withoutGrace > moment.Now) due = withoutGrace;
        return due - early > moment.Now ? due - early : due;
    }

    private DateTimeOffset? Expiry(Moment moment) =>
        Connectivity.Status is ConnectivityStatus.Online && IsStale && moment.Rules.ExpireAfter is { } patience
            ? Graced(Pending.StaleAt + patience, patience, moment)
            : null;

    /// <summary>How long no evidence is no doubt. MQTT closes a connection after 1.5 × keep alive; 0 switches the keep alive off.</summary>
    private TimeSpan? Patience(PresenceRules rules) => Session?.Details.KeepAliveSeconds switch
    {
        0 => null,
        { } seconds when TimeSpan.FromSeconds(1.5 * seconds) > rules.StaleAfter => TimeSpan.FromSeconds(1.5 * seconds),
        _ => rules.StaleAfter,
    };

    private TimeSpan PatienceWithDoubt(PresenceRules rules) => Connectivity.Evidence is "takeover" ? rules.TakeoverHold : rules.VerifyAfter;

    private static DateTimeOffset? Graced(DateTimeOffset? due, TimeSpan time, Moment moment) => Graced(due, due - time, time, moment);

    /// <summary>What began before the start may have ended otherwise while nobody listened, so it has time again for the news to come.</summary>
    private static DateTimeOffset? Graced(DateTimeOffset? due, DateTimeOffset? began, TimeSpan again, Moment moment) =>
        began < moment.UpSince && due < moment.UpSince + moment.Grace ? moment.UpSince + moment.Grace + again : due;
}
