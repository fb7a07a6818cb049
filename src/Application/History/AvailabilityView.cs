using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.History;

/// <summary>A time to look at, [<paramref name="From"/>, <paramref name="To"/>), in whole milliseconds. What lies ahead of now is left out.</summary>
public readonly record struct HistorySpan(DateTimeOffset From, DateTimeOffset To)
{
    public HistorySpan Until(DateTimeOffset now) => To <= now ? this : this with { To = now > From ? DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds()) : From };
}

/// <summary>Time online, offline and unknown, and outages, as <see cref="Availability"/> has them.</summary>
public class AvailabilityView
{
    /// <summary>The time looked at: from then on.</summary>
    public DateTimeOffset From { get; }

    /// <summary>The time looked at: until then; now, if more was asked for.</summary>
    public DateTimeOffset To { get; }
    public double OnlineSeconds { get; }
    public double OfflineSeconds { get; }

    /// <summary>Time of which nothing is known: neither up nor down.</summary>
    public double UnknownSeconds { get; }

    /// <summary>Online time among the time that is known, 0 to 1; null if none is.</summary>
    public double? Ratio { get; }

    /// <summary>Offline stretches that begin in the time or reach into it.</summary>
    public long Outages { get; }

    /// <summary>The longest of them, as far as it lies in the time; 0 without any.</summary>
    public double LongestOutageSeconds { get; }

    /// <summary>Online time for each outage that began in the time; null without any.</summary>
    public double? MtbfSeconds { get; }

    /// <summary>Mean length, from their very beginning, of the outages that ended in the time; null without any.</summary>
    public double? MttrSeconds { get; }

    /// <summary>The outages by the reason they began with, the longest time first.</summary>
    public IReadOnlyList<OutageReason> ByReason { get; }

    public AvailabilityView(HistorySpan span, Availability figures)
    {
        (From, To) = (span.From, span.To);
        (OnlineSeconds, OfflineSeconds, UnknownSeconds) = (figures.OnlineSeconds, figures.OfflineSeconds, figures.UnknownSeconds);
        (Ratio, Outages, LongestOutageSeconds) = (figures.Ratio, figures.Outages, figures.LongestOutageSeconds);
        (MtbfSeconds, MttrSeconds) = (Rounded(figures.MtbfSeconds), Rounded(figures.MttrSeconds));
        ByReason = [.. figures.ByReason.Select(one => new OutageReason(one.Reason, one.Outages, one.OfflineSeconds))];
    }

    private static double? Rounded(double? seconds) => seconds is { } value ? Math.Round(value, 3) : null;
}

/// <summary>Outages of one kind.</summary>
public sealed record OutageReason(DisconnectReason Reason, long Outages, double OfflineSeconds);

/// <summary>A time in which the device was the same.</summary>
/// <param name="Reason">Of offline: why it left.</param>
public sealed record StretchView(DateTimeOffset From, DateTimeOffset To, ConnectivityStatus Status, DisconnectReason? Reason, Confidence Confidence);
