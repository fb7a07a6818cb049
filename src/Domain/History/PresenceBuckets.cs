using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.History;

/// <summary>
/// How many devices were online, offline and unknown from bucket to bucket: device seconds over the bucket's length. The first begins at
/// <paramref name="from"/>; the last may be shorter. All three are whole milliseconds. Memory does not grow with the devices.
/// </summary>
public sealed class PresenceBuckets(DateTimeOffset from, DateTimeOffset to, TimeSpan length)
{
    private static readonly int Statuses = Enum.GetValues<ConnectivityStatus>().Length;

    // Milliseconds that a stretch adds to its first and last bucket, and by how much the number of devices that fill whole buckets changes at one.
    private readonly long[,] parts = new long[CountOf(from, to, length), Statuses];
    private readonly long[,] whole = new long[CountOf(from, to, length) + 1, Statuses];
    private readonly long[] connects = new long[CountOf(from, to, length)];
    private readonly SortedDictionary<DisconnectReason, long>?[] disconnects = new SortedDictionary<DisconnectReason, long>?[CountOf(from, to, length)];

    public static int CountOf(DateTimeOffset from, DateTimeOffset to, TimeSpan length) => (int)Math.Ceiling((to - from) / length);

    public long Devices { get; private set; }

    /// <summary>Adds the sessions and the timeline of a device.</summary>
    public void Add(IReadOnlyList<LedgerSession> sessions, IReadOnlyList<Stretch> timeline)
    {
        Devices++;
        foreach (var session in sessions)
            if (session.Start >= from && session.Start < to) connects[IndexOf(session.Start)]++;
        foreach (var stretch in timeline)
        {
            var (start, end) = (stretch.From > from ? stretch.From : from, stretch.To < to ? stretch.To : to);
            if (start >= end) continue;
            Spread((int)stretch.Status, start, end);
            if (stretch.Status is not ConnectivityStatus.Offline || stretch.From < from) continue;
            var left = disconnects[IndexOf(stretch.From)] ??= [];
            left[stretch.Reason ?? DisconnectReason.Other] = left.GetValueOrDefault(stretch.Reason ?? DisconnectReason.Other) + 1;
        }
    }

    public IEnumerable<PresenceBucket> Read()
    {
        var filling = new long[Statuses];
        for (var i = 0; i < connects.Length; i++)
        {
            var (start, end) = (from + (i * length), from + ((i + 1) * length));
            var ms = ((end < to ? end : to) - start).TotalMilliseconds;
            for (var status = 0; status < Statuses; status++) filling[status] += whole[i, status];
            yield return new(
                start, Mean(ConnectivityStatus.Online), Mean(ConnectivityStatus.Offline), Mean(ConnectivityStatus.Unknown), connects[i],
                disconnects[i] ?? new SortedDictionary<DisconnectReason, long>());

            double Mean(ConnectivityStatus status) => filling[(int)status] + (parts[i, (int)status] / ms);
        }
    }

    private int IndexOf(DateTimeOffset time) => (int)((time - from) / length);

    private void Spread(int status, DateTimeOffset start, DateTimeOffset end)
    {
        var (first, last) = (IndexOf(start), IndexOf(end.AddTicks(-1)));
        if (first == last)
        {
            parts[first, status] += Ms(end - start);
            return;
        }
        parts[first, status] += Ms(from + ((first + 1) * length) - start);
        parts[last, status] += Ms(end - (from + (last * length)));
        whole[first + 1, status]++;
        whole[last, status]--;
    }

    private static long Ms(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMillisecond;
}

/// <summary>One bucket: mean numbers of devices, sessions started, and offline stretches begun by reason.</summary>
public sealed record PresenceBucket(
    DateTimeOffset At, double Online, double Offline, double Unknown, long Connects, IReadOnlyDictionary<DisconnectReason, long> Disconnects);
