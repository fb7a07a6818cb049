using WebhookService.Domain.Devices;

namespace WebhookService.Bench.Fleet;

/// <summary>One connection of a device. <paramref name="End"/> is null while it is open. Times are milliseconds since 1970.</summary>
internal readonly record struct PlannedSession(int Device, long Start, long? End, DisconnectReason Reason, string? RawReason);

/// <summary>
/// A believable fleet: everything about device i follows from i by hashing, so that the same sizes give the same fleet, whenever and
/// wherever. Only the clock differs: the plan ends at <see cref="Now"/>.
/// </summary>
internal sealed class FleetPlan(int devices, long messages, DateTimeOffset now)
{
    public static readonly TimeSpan MessageWindow = TimeSpan.FromDays(3);
    private const int Backends = 8;
    private const int Sites = 500;
    private const int Nodes = 5;
    private const int MessagesOfHot = 100_000;
    private const double ShareOfHot = 0.2;
    private const double ShareOnline = 0.7;
    private const long Day = 86_400_000;
    private const long Prime = 2_654_435_761;

    private static readonly string[] Kinds = ["sensor", "meter", "valve", "pump", "tracker", "gateway"];
    private static readonly (DisconnectReason, string)[] Ends =
    [
        (DisconnectReason.ClientDisconnect, "normal"), (DisconnectReason.KeepaliveTimeout, "keepalive_timeout"),
        (DisconnectReason.Network, "tcp_closed"), (DisconnectReason.Network, "ssl_closed"), (DisconnectReason.Kicked, "kicked"),
    ];

    private readonly int hot = (int)Math.Clamp(messages * ShareOfHot / MessagesOfHot, 1, Math.Max(1, devices / 100));

    public int Devices { get; } = devices;
    public long Messages { get; } = messages;
    public long Now { get; } = now.ToUnixTimeMilliseconds();

    /// <summary>Device numbers grow with the time of their first connection, as the service would have given them.</summary>
    public long FirstSeen(int device) => Now - (30 * Day) + (long)(20.0 * Day * device / Devices);

    public static bool IsBackend(int device) => device < Backends;

    public int ABackend(double chance) => (int)(chance * Math.Min(Backends, Devices));

    /// <summary>A few large sites and many small ones.</summary>
    public static int Site(int device) => 1 + (int)(Sites * Math.Pow(Chance(device, 1), 2));

    public static string Kind(int device) => IsBackend(device) ? "backend" : Kinds[(int)(Chance(device, 2) * Kinds.Length)];

    public static string ClientId(int device) => $"{Kind(device)}-{Site(device):000}-{device:x6}";

    public static string Username(int device) => IsBackend(device) ? "backend" : $"site-{Site(device)}";

    public static string Node(int device, long connectedAt) => $"emqx@10.0.0.{1 + (int)(Chance(device, 3 + (int)(connectedAt % 3)) * Nodes)}";

    public static string Ip(int device) => $"10.{16 + (device >> 16)}.{(device >> 8) & 255}.{device & 255}";

    public static int Port(long connectedAt) => 1_024 + (int)(connectedAt % 60_000);

    public static string Topic(int device, string about) => $"site/{Site(device)}/{Kind(device)}/{device}/{about}";

    public static bool TellsState(int device) => Chance(device, 7) < 0.4;

    /// <summary>The filter that a device subscribes to, if it does.</summary>
    public static string? Subscription(int device) =>
        IsBackend(device) ? "$share/ingest/site/#"
        : Chance(device, 8) < 0.35 ? $"cmd/{ClientId(device)}/#"
        : null;

    public bool IsOnline(int device) => IsBackend(device) || IsHot(device) || Chance(device, 9) < ShareOnline;

    /// <summary>The sessions of a device, 1 to 3, one after the other.</summary>
    public IEnumerable<PlannedSession> Sessions(int device)
    {
        var (first, last, count) = (FirstSeen(device), LastMoment(device), SessionCount(device));
        var start = first;
        for (var i = 0; i < count; i++)
        {
            var (reason, raw) = Ends[(int)(Chance(device, 20 + i) * Ends.Length)];
            if (i + 1 == count)
            {
                yield return IsOnline(device) ? new(device, start, null, default, null) : new(device, start, last, reason, raw);
                yield break;
            }
            var end = first + (long)((last - first) * (i + Chance(device, 30 + i)) / count);
            yield return new(device, start, Math.Max(end, start + 1_000), reason, raw);
            start = Math.Max(end, start + 1_000) + 2_000 + (long)(Chance(device, 40 + i) * 60_000);
        }
    }

    /// <summary>Who publishes at that time: a few hot devices a fifth of all, the others from several thousand each down to none.</summary>
    public int APublisher(Random random, long at)
    {
        if (random.NextDouble() >= ShareOfHot)
            for (var attempt = 0; attempt < 20; attempt++)
            {
                var rank = (long)(0.9 * Devices * Math.Pow(random.NextDouble(), 2));
                var device = (int)(rank * Prime % Devices);
                if (!IsBackend(device) && at < LastMoment(device)) return device;
            }
        return HotDevice(random.Next(hot));
    }

    private int HotDevice(int number) => Math.Min(Devices - 1, Backends + (number * (Devices / (hot + 1))));

    private bool IsHot(int device) => Devices / (hot + 1) is > 0 and var step && (device - Backends) % step == 0 && (device - Backends) / step < hot;

    private static int SessionCount(int device) => IsBackend(device) ? 1 : Chance(device, 10) switch { < 0.5 => 1, < 0.8 => 2, _ => 3 };

    private long LastMoment(int device) => IsOnline(device) ? Now : Now - 60_000 - (long)(5 * Day * Chance(device, 11));

    /// <summary>A number in [0, 1) that follows from device and purpose: SplitMix64.</summary>
    private static double Chance(int device, int purpose)
    {
        var x = unchecked((((ulong)device << 8) + (ulong)purpose + 1) * 0x9E3779B97F4A7C15);
        x = unchecked((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9);
        x = unchecked((x ^ (x >> 27)) * 0x94D049BB133111EB);
        return ((x ^ (x >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
