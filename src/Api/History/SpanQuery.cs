using WebhookService.Api.Errors;
using WebhookService.Application.History;

namespace WebhookService.Api.History;

/// <summary>The time that a question about the past looks at.</summary>
public class SpanQuery
{
    public static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    /// <summary>The time looked at begins here; 24 hours before its end if not given.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>The time looked at ends before this; now if not given, and never later.</summary>
    public DateTimeOffset? To { get; init; }

    /// <exception cref="ApiException">There is no such time, or it is too long.</exception>
    internal HistorySpan ToSpan(DateTimeOffset now)
    {
        var to = To?.ToWholeMs() is { } end && end < now ? end : now.ToWholeMs();
        var from = From?.ToWholeMs() ?? (to - DateTimeOffset.UnixEpoch > TimeSpan.FromDays(1) ? to.AddDays(-1) : throw NotBefore("to", "'to' lies too long ago."));
        if (To?.ToWholeMs() <= from) throw NotBefore("from", "'from' is not before 'to'.");
        if (from >= now.ToWholeMs()) throw ApiException.BadRequest("invalid-value", "'from' lies ahead: nothing is known of it yet.", "from", "Take a time that is past.");
        if (to - from > Longest)
            throw ApiException.BadRequest("invalid-value", $"From 'from' to 'to' are {(to - from).TotalDays:0} days.", "from", $"Ask for at most {Longest.TotalDays:0} days at a time.");
        return new(from, to);

        static ApiException NotBefore(string parameter, string detail) =>
            ApiException.BadRequest("invalid-value", detail, parameter, "Give the earlier time as 'from'; without it, it is 24 hours before 'to'.");
    }
}

/// <summary>What the availability of a device takes.</summary>
public sealed class AvailabilityQuery : SpanQuery
{
    /// <summary>`true` adds what the device was from when to when.</summary>
    public bool? Stretches { get; init; }
}

internal static class WholeMilliseconds
{
    /// <summary>Times are kept in milliseconds.</summary>
    public static DateTimeOffset ToWholeMs(this DateTimeOffset time) => DateTimeOffset.FromUnixTimeMilliseconds(time.ToUnixTimeMilliseconds());
}
