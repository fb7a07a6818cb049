using System.ComponentModel.DataAnnotations;

namespace WebhookService.Application.Devices;

/// <summary>`Activity`: when a device that sends nothing counts as silent.</summary>
public sealed class ActivityOptions
{
    /// <summary>A message is expected at least this often from devices without an expectation of their own; null = nothing is expected.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan? ExpectedInterval { get; init; }

    /// <param name="expectedInterval">The device's own, or else <see cref="ExpectedInterval"/>.</param>
    public static ActivityStatus StatusOf(DateTimeOffset? lastMessageAt, TimeSpan? expectedInterval, DateTimeOffset now) =>
        lastMessageAt is not { } last ? ActivityStatus.Never
        : last + expectedInterval < now ? ActivityStatus.Silent
        : ActivityStatus.Active;
}

/// <summary>What a device's own messages say, apart from whether it is connected.</summary>
public enum ActivityStatus
{
    /// <summary>It sent messages, and not too long ago where an interval is expected.</summary>
    Active,

    /// <summary>Its last message is longer ago than the expected interval.</summary>
    Silent,

    /// <summary>No message of it is known.</summary>
    Never,
}
