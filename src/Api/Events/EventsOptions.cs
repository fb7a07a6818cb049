using System.ComponentModel.DataAnnotations;

namespace WebhookService.Api.Events;

/// <summary>`Events`: the live stream of the journal.</summary>
internal sealed class EventsOptions
{
    /// <summary>A stream on which nothing happens says so often that it lives, and how far it has read.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Streams that may be open at the same time.</summary>
    [Range(1, 100_000)]
    public int MaxStreams { get; init; } = 256;

    /// <summary>A stream ends after so long and its reader comes back: with a credential that is looked at again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromHours(1);
}
