using System.ComponentModel.DataAnnotations;

namespace WebhookService.Application.Brokers;

/// <summary>`Reconciliation`: how often and how boldly what is known is compared with the brokers' own client lists.</summary>
public sealed class ReconciliationOptions
{
    /// <summary>From the end of one sweep to the start of the next.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How often the broker is asked for its nodes and for the webhooks it lost.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "1.00:00:00")]
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>No report for that long, and then reports again, is a gap in which some may have been lost.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "1.00:00:00")]
    public TimeSpan IngestGap { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>A sweep that misses more than this share of the online devices takes nobody offline: a second one must miss them too.</summary>
    [Range(0.01, 1.0)]
    public double Brake { get; init; } = 0.2;

    /// <summary>How long the second sweep waits.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan BrakeHold { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many clients are asked for at the same time when they are asked for one by one.</summary>
    [Range(1, 64)]
    public int Lookups { get; init; } = 8;

    /// <summary>After a start nothing falls due before the first sweep has ended, or this time has passed.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartGrace { get; init; } = TimeSpan.FromSeconds(30);
}
