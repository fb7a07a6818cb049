using WebhookService.Domain.Devices;

namespace WebhookService.Domain.Sessions;

public enum ConnectivityStatus
{
    Unknown,
    Online,
    Offline,
}

/// <summary>How sure the connectivity is.</summary>
public enum Confidence
{
    /// <summary>From an event that names its session.</summary>
    Confirmed,

    /// <summary>From evidence that allows another reading: traffic without a connect, an end matched by time alone, a successor not seen yet.</summary>
    Inferred,

    /// <summary>Nothing was heard for longer than the keep alive allows.</summary>
    Stale,
}

/// <summary>What a client's sessions, taken together, say. <paramref name="Decisive"/> is the live session, or the last one.</summary>
public sealed record Presence(
    ConnectivityStatus Status, Confidence Confidence, DateTimeOffset? Since, Session? Decisive,
    DateTimeOffset? LastOnlineAt, DateTimeOffset? LastOfflineAt, DisconnectReason? LastReason, string? LastRawReason,
    DateTimeOffset? FlappingUntil);

/// <summary>The tolerances of the presence rules.</summary>
/// <param name="ClockTolerance">How far the clocks of two broker nodes may differ; 200 ms to 2 s is usual.</param>
/// <param name="EvidenceGuard">How long after its end a session's late messages (a will, a delayed socket close) are no evidence of life.</param>
/// <param name="FlappingStarts">This many session starts within <paramref name="FlappingWindow"/> are flapping.</param>
/// <param name="FlappingWindow">See <paramref name="FlappingStarts"/>; flapping ends when the window has moved on.</param>
public sealed record PresenceRules(TimeSpan ClockTolerance, TimeSpan EvidenceGuard, int FlappingStarts, TimeSpan FlappingWindow)
{
    public static readonly PresenceRules Default = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), 6, TimeSpan.FromMinutes(10));
}

/// <summary>The moment a report reached us: by our clock, with the client's traffic so far, under the rules in force.</summary>
public sealed record Observation(DateTimeOffset ReceivedAt, PresenceRules Rules, Traffic Traffic = default);
