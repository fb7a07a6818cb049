using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.History;

/// <summary>
/// How long devices were online, offline and unknown in [<paramref name="from"/>, <paramref name="to"/>), and their outages: the offline stretches
/// that begin within it or reach into it. Unknown time is neither up nor down. <paramref name="to"/> must not lie ahead of the timelines' now; both
/// are whole milliseconds.
/// </summary>
public sealed class Availability(DateTimeOffset from, DateTimeOffset to)
{
    private static readonly DisconnectReason[] Reasons = Enum.GetValues<DisconnectReason>();

    // Milliseconds: the ticks of a million devices in a year are more than a long holds.
    private readonly (long Outages, long Offline)[] reasons = new (long, long)[Reasons.Length];
    private long online;
    private long offline;
    private long unknown;
    private long longest;
    private long begun;
    private long ended;
    private long lengthOfEnded;

    public double OnlineSeconds => Seconds(online);
    public double OfflineSeconds => Seconds(offline);
    public double UnknownSeconds => Seconds(unknown);
    public long Outages { get; private set; }

    /// <summary>Of the part of each outage that lies within the span; 0 without any.</summary>
    public double LongestOutageSeconds => Seconds(longest);

    /// <summary>Online time among the time that is known, 0 to 1; null if none is.</summary>
    public double? Ratio => online + offline == 0 ? null : (double)online / (online + offline);

    /// <summary>Online time for each outage that began within the span; null without any.</summary>
    public double? MtbfSeconds => begun == 0 ? null : Seconds(online) / begun;

    /// <summary>Mean length of the outages that ended within the span, from their beginning, even where that lies before it; null without any.</summary>
    public double? MttrSeconds => ended == 0 ? null : Seconds(lengthOfEnded) / ended;

    /// <summary>The longest first.</summary>
    public IEnumerable<(DisconnectReason Reason, long Outages, double OfflineSeconds)> ByReason => Reasons
        .Where(reason => reasons[(int)reason].Outages > 0)
        .OrderByDescending(reason => reasons[(int)reason].Offline)
        .Select(reason => (reason, reasons[(int)reason].Outages, Seconds(reasons[(int)reason].Offline)));

    /// <summary>Adds the timeline of a device.</summary>
    public void Add(IReadOnlyList<Stretch> timeline)
    {
        for (var i = 0; i < timeline.Count; i++)
        {
            var stretch = timeline[i];
            var (start, end) = (stretch.From > from ? stretch.From : from, stretch.To < to ? stretch.To : to);
            if (start >= end) continue;
            var length = Ms(end - start);
            switch (stretch.Status)
            {
                case ConnectivityStatus.Online: online += length; break;
                case ConnectivityStatus.Unknown: unknown += length; break;
                default: AddOutage(stretch, length, hasEnded: i + 1 < timeline.Count && stretch.To <= to); break;
            }
        }
    }

    public void Add(Availability other)
    {
        (online, offline, unknown) = (online + other.online, offline + other.offline, unknown + other.unknown);
        Outages += other.Outages;
        longest = Math.Max(longest, other.longest);
        (begun, ended, lengthOfEnded) = (begun + other.begun, ended + other.ended, lengthOfEnded + other.lengthOfEnded);
        foreach (var reason in Reasons) AddTo(reason, other.reasons[(int)reason].Outages, other.reasons[(int)reason].Offline);
    }

    private void AddOutage(Stretch stretch, long within, bool hasEnded)
    {
        offline += within;
        Outages++;
        longest = Math.Max(longest, within);
        if (stretch.From >= from) begun++;
        if (hasEnded) (ended, lengthOfEnded) = (ended + 1, lengthOfEnded + Ms(stretch.To - stretch.From));
        AddTo(stretch.Reason ?? DisconnectReason.Other, 1, within);
    }

    private void AddTo(DisconnectReason reason, long outages, long length)
    {
        ref var known = ref reasons[(int)reason];
        known = (known.Outages + outages, known.Offline + length);
    }

    private static long Ms(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMillisecond;

    private static double Seconds(long ms) => ms / 1000.0;
}
