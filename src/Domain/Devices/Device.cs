using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Devices;

/// <summary>Whether and how sure a device is connected. Derived from its sessions and its signs of life; nothing else may write it.</summary>
public sealed record Connectivity
{
    public ConnectivityStatus Status { get; init; } = ConnectivityStatus.Unknown;
    public Confidence Confidence { get; init; } = Confidence.Inferred;

    /// <summary>Since when the status holds: the live session's start, the last end, or the first evidence.</summary>
    public DateTimeOffset? Since { get; init; }
    public DateTimeOffset? LastOnlineAt { get; init; }
    public DateTimeOffset? LastOfflineAt { get; init; }
    public DisconnectReason? LastReason { get; init; }
    public string? LastRawReason { get; init; }

    /// <summary>While this lies ahead the device counts as flapping.</summary>
    public DateTimeOffset? FlappingUntil { get; init; }

    /// <summary>What the status rests on: `session`, `session-end`, `takeover`, `sign-of-life` or `none`.</summary>
    public string Evidence { get; init; } = "none";
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
public sealed class Device : Aggregate
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

    /// <summary>Takes over what the sessions say. <paramref name="started"/>: a session was opened that had not been known.</summary>
    public void Follow(SessionSet sessions, bool started, Observation seen)
    {
        var says = sessions.Presence(seen.Rules);
        if (started) SessionCount++;
        if (says.Decisive is { } decisive)
        {
            Session = new CurrentSession(decisive.Node, decisive.ConnectedAt, decisive.Peer, decisive.Details);
            Username = decisive.Details.Username ?? Username;
        }
        SubscriptionCount = sessions.SubscriptionsAt(seen.ReceivedAt);
        Settle(
            new Connectivity
            {
                Status = says.Status,
                Confidence = says.Confidence,
                Since = says.Since,
                LastOnlineAt = says.LastOnlineAt ?? Connectivity.LastOnlineAt,
                LastOfflineAt = says.LastOfflineAt ?? Connectivity.LastOfflineAt,
                LastReason = says.LastReason ?? Connectivity.LastReason,
                LastRawReason = says.LastReason is null ? Connectivity.LastRawReason : says.LastRawReason,
                FlappingUntil = says.FlappingUntil,
                Evidence = says switch
                {
                    { Status: ConnectivityStatus.Unknown } => "none",
                    { Status: ConnectivityStatus.Offline } => "session-end",
                    { Decisive.End: not null } => "takeover",
                    _ => "session",
                },
            },
            seen);
    }

    /// <summary>The client did something that only a connected client can do. <paramref name="at"/> is broker time; without it nothing follows.</summary>
    public void Showed(DateTimeOffset? at, string? peer, Observation seen)
    {
        Seen(at ?? seen.ReceivedAt);
        if (at is not { } time || time <= SignOfLife?.At) return;
        if (IsPeerOfSession(peer) && Connectivity.Evidence is not "session") return; // it has ended: a late will, which must not hide a better sign

        SignOfLife = (time, peer);
        Version++;
        if (Connectivity.Status is not ConnectivityStatus.Online) Settle(Connectivity, seen);
    }

    /// <summary>The device published a message.</summary>
    public void Published(string topic, DateTimeOffset at)
    {
        Count(Traffic with { Published = Traffic.Published + 1 });
        if (!(at < LastMessageAt)) (LastMessageAt, LastTopic) = (at, topic);
        Seen(at);
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

    public void Describe(DeviceProfile profile, DateTimeOffset at)
    {
        Profile = profile.Checked();
        Version++;
        Raise(new DeviceDescribed(Id, at, profile.Name, profile.Tags, profile.MessageInterval?.TotalSeconds));
    }

    /// <summary>The sessions' word, unless the client gave a sign of life after they had ended.</summary>
    private void Settle(Connectivity says, Observation seen)
    {
        if (says.Status is not ConnectivityStatus.Online && SignOfLife is { } sign && IsEvidence(sign.At, sign.Peer, says.Since))
        {
            // Inferred before and not contradicted since: then the first sign is still when it began.
            var first = Connectivity is { Evidence: "sign-of-life", Since: { } since } && IsEvidence(since, null, says.Since) ? since : sign.At;
            says = says with { Status = ConnectivityStatus.Online, Confidence = Confidence.Inferred, Since = first, Evidence = "sign-of-life" };
        }

        var before = Connectivity;
        Connectivity = says;
        Version++;
        if (before.Status == says.Status) return;

        var at = says.Since ?? seen.ReceivedAt;
        if (says.Status is ConnectivityStatus.Online)
            Raise(new DeviceWentOnline(Id, at, says.Confidence, Session?.Node, Session?.Details.Ip, says.Evidence));
        else if (says.Status is ConnectivityStatus.Offline)
            Raise(new DeviceWentOffline(Id, at, says.Confidence, says.LastReason ?? DisconnectReason.Other, says.LastRawReason, says.Evidence));

        bool IsEvidence(DateTimeOffset at, string? peer, DateTimeOffset? end) =>
            !(at <= end + seen.Rules.EvidenceGuard) && !IsPeerOfSession(peer); // the dead connection's own peer: a late will
    }

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
        (DateTimeOffset, string?)? signOfLife, long version) =>
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
            Version = version,
        };
}
