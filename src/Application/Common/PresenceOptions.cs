using System.ComponentModel.DataAnnotations;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Common;

/// <summary>`Presence`: the tolerances and the patience of <see cref="PresenceRules"/>, where each is explained.</summary>
public sealed class PresenceOptions : IValidatableObject
{
    [Range(typeof(TimeSpan), "00:00:00.200", "00:00:10")]
    public TimeSpan ClockTolerance { get; init; } = PresenceRules.Default.ClockTolerance;

    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan EvidenceGuard { get; init; } = PresenceRules.Default.EvidenceGuard;

    [Range(2, 50)]
    public int FlappingStarts { get; init; } = PresenceRules.Default.FlappingStarts;

    [Range(1, 50)]
    public int FlappingCalm { get; init; } = PresenceRules.Default.FlappingCalm;

    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan FlappingWindow { get; init; } = PresenceRules.Default.FlappingWindow;

    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan OfflineHold { get; init; } = PresenceRules.Default.OfflineHold;

    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan TakeoverHold { get; init; } = PresenceRules.Default.TakeoverHold;

    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan VerifyAfter { get; init; } = PresenceRules.Default.VerifyAfter;

    [Range(typeof(TimeSpan), "00:00:10", "30.00:00:00")]
    public TimeSpan StaleAfter { get; init; } = PresenceRules.Default.StaleAfter;

    /// <summary>0 = for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "365.00:00:00")]
    public TimeSpan ExpireAfter { get; init; } = PresenceRules.Default.ExpireAfter!.Value;

    public PresenceRules ToRules() => new()
    {
        ClockTolerance = ClockTolerance,
        EvidenceGuard = EvidenceGuard,
        FlappingStarts = FlappingStarts,
        FlappingCalm = FlappingCalm,
        FlappingWindow = FlappingWindow,
        OfflineHold = OfflineHold,
        TakeoverHold = TakeoverHold,
        VerifyAfter = VerifyAfter,
        StaleAfter = StaleAfter,
        ExpireAfter = ExpireAfter == TimeSpan.Zero ? null : ExpireAfter,
    };

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (FlappingCalm > FlappingStarts)
            yield return new($"Presence:FlappingCalm is {FlappingCalm} and FlappingStarts {FlappingStarts}: flapping would end before it begins. Make FlappingCalm the smaller one.");
    }
}
