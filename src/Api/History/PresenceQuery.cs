using System.Globalization;
using WebhookService.Api.Errors;
using WebhookService.Application.History;
using WebhookService.Domain.History;

namespace WebhookService.Api.History;

/// <summary>What the history of presence takes beside the filters of devices.</summary>
public sealed class PresenceQuery : SpanQuery
{
    public const int MaxBuckets = 1_500;
    private const int UsualBuckets = 300;

    private static readonly TimeSpan[] Usual =
    [
        TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15),
        TimeSpan.FromHours(1), TimeSpan.FromHours(6), TimeSpan.FromDays(1), TimeSpan.FromDays(7),
    ];

    /// <summary>The length of a bucket: `60s`, `5m`, `1h`, `1d`, or seconds. If not given, one that makes up to 300 of them.</summary>
    public string? Bucket { get; init; }

    /// <exception cref="ApiException">It is no length, or makes too many buckets.</exception>
    internal TimeSpan ToBucket(HistorySpan span)
    {
        if (Bucket is null) return Usual.First(length => PresenceBuckets.CountOf(span.From, span.To, length) <= UsualBuckets);
        var length = Read(Bucket) ?? throw ApiException.BadRequest("invalid-value", $"'{Bucket}' is no length of a bucket.", "bucket", "It takes 60s, 5m, 1h, 1d or seconds: 1 second to 366 days.");
        var count = PresenceBuckets.CountOf(span.From, span.To, length);
        return count <= MaxBuckets ? length : throw ApiException.BadRequest(
            "invalid-value", $"Buckets of {Bucket} are {count} for that time.", "bucket", $"Take longer ones or a shorter time: at most {MaxBuckets} are given.");
    }

    private static TimeSpan? Read(string text)
    {
        var (digits, unit) = text switch
        {
            [.. var number, 's'] => (number, 1),
            [.. var number, 'm'] => (number, 60),
            [.. var number, 'h'] => (number, 3_600),
            [.. var number, 'd'] => (number, 86_400),
            _ => (text, 1),
        };
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 && count <= (long)SpanQuery.Longest.TotalSeconds / unit
            ? TimeSpan.FromSeconds(count * unit)
            : null;
    }
}
