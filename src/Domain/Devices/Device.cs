using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Devices;

/// <summary>Whether and how sure a device is connected. Derived from its sessions and its signs of life; nothing else may write it.</summary>
public sealed record Connectivity
{
    public ConnectivityStatus Status { get; init; } = ConnectivityStatus.Unknown;
    public Confidence Confidence { get; init; } = Confidence.Inferred;

    /// <summary>The confidence apart from staleness, to which it returns with the next evidence.</summary>
    public Confidence FreshConfidence { get; init; } = Confidence.Inferred;

    /// <summary>Since when the status holds: the live session's start, the last end, or the first evidence.</summary>
    public DateTimeOffset? Since { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public DisconnectReason? LastReason { get; init; }
    public string? LastRawReason { get; init; }

    /// <summary>While this lies ahead the device counts as flapping.</summary>
    public DateTimeOffset? FlappingUntil { get; init; }

    /// <summary>What the status rests on: `session`, `session-end`, `takeover`, `broker-list`, `sign-of-life` or `none`.</summary>
    public string Evidence { get; init; } = "none";

    /// <summary>The newest moment at which the device is known not to have been connected; signs of life must be later.</summary>
    public DateTimeOffset? GoneAt { get; init; }
}

/// <summary>The live session of a device, or its last one.</summary>
public sealed record CurrentSession(string Node, DateTimeOffset ConnectedAt, string? Peer, ConnectionDetails Details);

/// <summary>What people say of a device, as opposed to what the broker reports.</summary>
/// <param name="MessageInterval">A message is expected at least this often; null = no expectation.</param>
public sealed record DeviceProfile(string? Name, IReadOnlyDictionary<string, string> Tags, TimeSpan? MessageInterval)
{
    public static readonly DeviceProfile Empty = new(null, new Dictionary<string, string>(), null);

    /// <exception cref="DomainException">A name, tag or interval is out of range.</exception>
    public DeviceProfile Checked()
    {
        if (Name is { Length: 0 or > 200 }) throw new DomainException("A name has 1 to 200 characters.", "name");
        if (Tags.Count > 50) throw new DomainException("A device has at most 50 tags.", "tags");
        foreach (var (key, value) in Tags)
        {
            if (key.Length is 0 or > 100) throw new DomainException("A tag's name has 1 to 100 characters.", "tags");
            if (value.Length > 500) throw new DomainException($"The value of tag '{key}' is longer than 500 characters.", $"tags.{key}");
        }
        if (MessageInterval is { } interval && (interval < TimeSpan.FromSeconds(1) || interval > TimeSpan.FromDays(365)))
            throw new DomainException("A message interval is 1 second to 365 days.", "expectations.messageIntervalSeconds");
        return this;
    }
}

/// <summary>
/// One MQTT client id. Its sessions decide the connectivity (<see cref="SessionSet"/>); its own traffic is evidence when they say offline
/// and decides the activity. The two dimensions are never mixed into one flag.
/// </summary>
public sealed partial class Device : Aggregate
{
    private Device(ClientId id, DateTimeOffset firstSeenAt) => (Id, FirstSeenAt) = (id, firstSeenAt);

    public ClientId Id { get; }
    public DateTimeOffset FirstSeenAt { get; }
    public string? Username { get; private set; }
    public DeviceProfile Profile { get; private set; } = DeviceProfile.Empty;
    public Connectivity Connectivity { get; private set; } = new();
    public CurrentSession? Session { get; private set; }
    public int SubscriptionCount { get; private set; }

    public DateTimeOffset? LastSeenAt { get; private set; }
    public DateTimeOffset? LastMessageAt { get; private set; }
    public string? LastTopic { get; private set; }
    public long SessionCount { get; private set; }
    public Traffic Traffic { get; private set; }

    /// <summary>The newest evidence that a client with this id was connected, and the peer it came from.</summary>
    public (DateTimeOffset At, string? Peer)? SignOfLife { get; private set; }

    /// <summary>Grows with every change; the ETag of the device.</summary>
    public long Version { get; private set; }

    /// <summary>A device nobody told us of before.</summary>
    public static Device Discovered(ClientId id, DateTimeOffset at)
    {
        var device = new Device(id, at);
        device.Raise(new DeviceDiscovered(id, at));
        return device;
    }

    /// <summary>Takes over what the sessions say. <paramref name="started"/>: a session became known.</summary>
    public void Follow(SessionSet sessions, bool started, Observation seen)
    {
        var says = sessions.Presence(seen.Rules);
        if (started) SessionCount++;
        if (says.Decisive is { } decisive)
        {
            Session = new CurrentSession(decisive.Node, decisive.ConnectedAt, decisive.Peer, decisive.Details);
            Username = decisive.Details.Username ?? Username;
            if (decisive is { End: null, ListedAt: { } listed } && !(listed <= SignOfLife?.At)) SignOfLife = (listed, decisive.Peer);
        }
        Count(sessions, seen.ReceivedAt);
        Settle(
            new Connectivity
            {
                Status = says.Status,
                FreshConfidence = says.Confidence,
                Since = says.Since,
                LastOnlineAt = says.LastOnlineAt ?? Connectivity.LastOnlineAt,
                LastOfflineAt = says.LastOfflineAt ?? Connectivity.LastOfflineAt,
                LastReason = says.LastReason ?? Connectivity.LastReason,
                LastRawReason = says.LastReason is null ? Connectivity.LastRawReason : says.LastRawReason,
                FlappingUntil = says.FlappingUntil,
                Evidence = says.Evidence,
                GoneAt = says.GoneAt,
            },
            seen);
    }

    /// <summary>The client did something that only a connected client can do. <paramref name="at"/> is broker time; without it nothing follows.</summary>
    public void Showed(DateTimeOffset? at, string? peer, Observation seen)
    {
        Seen(at ?? seen.ReceivedAt);
        if (at is not { } time || time <= SignOfLife?.At) return;
        if (IsPeerOfSession(peer) && !IsLive) return; // it has ended: a late will, which must not hide a better sign

        SignOfLife = (time, Known(SignOfLife?.Peer, peer));
        Version++;
        if (Connectivity.Status is not ConnectivityStatus.Online || Connectivity.Confidence is Confidence.Stale) Settle(Connectivity, seen);
    }

    /// <summary>The device published a message.</summary>
    public void Published(string topic, DateTimeOffset at, Observation seen)
    {
        Count(Traffic with { Published = Traffic.Published + 1 });
        if (!(at < LastMessageAt))
        {
            Resume(at, seen);
            (LastMessageAt, LastTopic) = (at, Known(LastTopic, topic));
        }
        Seen(at);
        ExpectAnother(seen.Rules);
    }

    /// <summary>A message reached the device.</summary>
    public void Received() => Count(Traffic with { Delivered = Traffic.Delivered + 1 });

    /// <summary>A message from or to the device was dropped by the broker.</summary>
    public void Lost() => Count(Traffic with { Dropped = Traffic.Dropped + 1 });

    /// <summary>The broker mentioned the client at that time: no evidence that it is connected, but that it exists.</summary>
    public void Seen(DateTimeOffset at)
    {
        if (at <= LastSeenAt) return;
        LastSeenAt = at;
        Version++;
    }

    public void Describe(DeviceProfile profile, DateTimeOffset at, PresenceRules rules)
    {
        Profile = profile.Checked();
        Version++;
        Arm(rules);
        Raise(new DeviceDescribed(Id, at, profile.Name, profile.Tags, profile.MessageInterval?.TotalSeconds));
    }

    /// <summary>
    /// The sessions' word, unless the client gave a sign of life after they had ended, or was taken over too long ago by nobody we know.
    /// </summary>
    private void Settle(Connectivity says, Observation seen)
    {
        if (says.Status is not ConnectivityStatus.Online && SignOfLife is { } sign && IsEvidence(sign.At, sign.Peer, says.GoneAt))
        {
            // Inferred before and not contradicted since: then the first sign is still when it began.
            var first = Connectivity is { Evidence: "sign-of-life", Since: { } since } && IsEvidence(since, null, says.GoneAt) ? since : sign.At;
            says = says with { Status = ConnectivityStatus.Online, FreshConfidence = Confidence.Inferred, Since = first, Evidence = "sign-of-life" };
        }
        if (says is { Evidence: "takeover", Status: ConnectivityStatus.Online } && says.Since == Pending.LapsedTakeover)
            says = says with { Status = ConnectivityStatus.Offline, LastOfflineAt = says.Since, LastReason = DisconnectReason.Takeover, LastRawReason = null };

        var (before, evidence) = (Connectivity, Pending.AliveUntil ?? LastEvidenceAt);
        Connectivity = says = says with { Confidence = says.FreshConfidence };
        Version++;
        Await(before, seen);
        if (before.Status == says.Status) return;

        var at = says.Since ?? seen.ReceivedAt;
        if (seen.Cause is Cause.Reconciliation && LastSeenAt is not null) Raise(new PresenceCorrected(Id, seen.ReceivedAt, before.Status, says.Status, before.Confidence));
        if (says.Status is ConnectivityStatus.Online)
            Raise(new DeviceWentOnline(Id, at, says.Confidence, Session?.Node, Session?.Details.Ip, says.Evidence, seen.Cause, Pending.IsFlapping));
        else if (says.Status is ConnectivityStatus.Offline)
            Raise(new DeviceWentOffline(
                Id, at, says.Confidence, says.LastReason ?? DisconnectReason.Other, says.LastRawReason, says.Evidence, seen.Cause, Pending.IsFlapping));
        else
            Raise(new DeviceWentUnknown(Id, seen.ReceivedAt, evidence));

        bool IsEvidence(DateTimeOffset at, string? peer, DateTimeOffset? gone) =>
            !(at <= gone + seen.Rules.EvidenceGuard) && !IsPeerOfSession(peer); // the dead connection's own peer: a late will
    }

    private bool IsLive => Connectivity.Evidence is "session" || (Connectivity is { Evidence: "broker-list", Status: ConnectivityStatus.Online });

    /// <summary>The text as it is kept already, if it is the same: a device lives long, and with it each text that came with a message would.</summary>
    private static string? Known(string? kept, string? now) => kept == now ? kept : now;

    private bool IsPeerOfSession(string? peer) => peer is not null && peer == Session?.Peer;

    private void Count(Traffic traffic)
    {
        Traffic = traffic;
        Version++;
    }

    /// <summary>Builds a device as it was saved.</summary>
    public static Device Restore(
        ClientId id, DateTimeOffset firstSeenAt, string? username, DeviceProfile profile, Connectivity connectivity, CurrentSession? session,
        int subscriptionCount, DateTimeOffset? lastSeenAt, DateTimeOffset? lastMessageAt, string? lastTopic, long sessionCount, Traffic traffic,
        (DateTimeOffset, string?)? signOfLife, Pending pending, DateTimeOffset? dueAt, long version) =>
        new(id, firstSeenAt)
        {
            Username = username,
            Profile = profile,
            Connectivity = connectivity,
            Session = session,
            SubscriptionCount = subscriptionCount,
            LastSeenAt = lastSeenAt,
            LastMessageAt = lastMessageAt,
            LastTopic = lastTopic,
            SessionCount = sessionCount,
            Traffic = traffic,
            SignOfLife = signOfLife,
            Pending = pending,
            DueAt = dueAt,
            Version = version,
        };
}
