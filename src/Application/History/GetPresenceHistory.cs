using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.History;

/// <summary>How many of the devices that pass the filters now were online, from bucket to bucket. Reads the ledger of each.</summary>
public sealed record GetPresenceHistory(DeviceFilter Filter, HistorySpan Span, TimeSpan Bucket) : IQuery<PresenceHistoryView>;

/// <param name="To">The time looked at ends here: now, if more was asked for.</param>
/// <param name="Devices">So many devices were looked at. In each bucket online, offline and unknown are together as many.</param>
public sealed record PresenceHistoryView(DateTimeOffset From, DateTimeOffset To, double BucketSeconds, long Devices, IReadOnlyList<PresenceBucketView> Buckets);

/// <summary>One bucket: device seconds in each state over the bucket's length, and what happened in it. The last may be cut off.</summary>
/// <param name="At">Where it begins.</param>
/// <param name="Unknown">Also devices of which nothing was known yet.</param>
/// <param name="Connects">Sessions that started.</param>
/// <param name="Disconnects">Devices that went offline.</param>
/// <param name="DisconnectsByReason">The same by reason; those that occurred.</param>
public sealed record PresenceBucketView(
    DateTimeOffset At, double Online, double Offline, double Unknown, long Connects, long Disconnects, IReadOnlyDictionary<string, long> DisconnectsByReason)
{
    public static IReadOnlyDictionary<string, long> Spelt(IReadOnlyDictionary<DisconnectReason, long> reasons) =>
        reasons.ToDictionary(one => Words.Of(one.Key), one => one.Value);
}
