using System.ComponentModel.DataAnnotations;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Common;

/// <summary>`Presence`: the tolerances of <see cref="PresenceRules"/>.</summary>
public sealed class PresenceOptions
{
    /// <summary>How far the clocks of two broker nodes may differ.</summary>
    [Range(typeof(TimeSpan), "00:00:00.200", "00:00:10")]
    public TimeSpan ClockTolerance { get; init; } = PresenceRules.Default.ClockTolerance;

    /// <summary>How long after a session's end its late messages are no evidence of life.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan EvidenceGuard { get; init; } = PresenceRules.Default.EvidenceGuard;

    /// <summary>So many session starts within <see cref="FlappingWindow"/> are flapping.</summary>
    [Range(2, 50)]
    public int FlappingStarts { get; init; } = PresenceRules.Default.FlappingStarts;

    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan FlappingWindow { get; init; } = PresenceRules.Default.FlappingWindow;

    public PresenceRules ToRules() => new(ClockTolerance, EvidenceGuard, FlappingStarts, FlappingWindow);
}
