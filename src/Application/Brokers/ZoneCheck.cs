using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>
/// Notices that a broker writes its times in another zone than the configuration says (4.x says none): every connection would look like another
/// one, hours apart.
/// </summary>
internal static class ZoneCheck
{
    private static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15); // zones differ by whole quarters of an hour

    /// <summary>Further ahead than the clocks of two nodes may be.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMinutes(10);

    /// <exception cref="BrokerException">Most of these clients began to the second as the reports say, but hours apart, or one is still to begin.</exception>
    public static void Check(IBroker broker, IReadOnlyList<ListedClient> listed, IReadOnlyDictionary<string, KnownConnection> known, DateTimeOffset asOf)
    {
        var (compared, shifts) = (0, new Dictionary<TimeSpan, int>());
        foreach (var client in listed)
        {
            if (client.Precision < TimeSpan.FromSeconds(1)) continue;
            if (client.ConnectedAt > asOf + Ahead) throw Wrong(broker, $"client '{client.Id}' connected {(client.ConnectedAt - asOf).TotalHours:0.#} hours from now");
            if (known.GetValueOrDefault(client.Id.Value) is not { Status: ConnectivityStatus.Online, ConnectedAt: { } reported } connection || connection.Node != client.Node)
                continue;

            compared++;
            var shift = Math.Floor((reported - client.ConnectedAt) / client.Precision) * client.Precision;
            if (shift.Ticks % Quarter.Ticks == 0 && shift != TimeSpan.Zero) shifts[shift] = shifts.GetValueOrDefault(shift) + 1;
        }
        if (shifts.Count == 0 || shifts.MaxBy(one => one.Value) is not (var hours, > 1 and var count) || count * 2 <= compared) return;
        throw Wrong(broker, $"{count} clients connected {hours.Duration().TotalHours:0.##} hours {(hours > TimeSpan.Zero ? "earlier" : "later")} than their reports say");
    }

    private static BrokerException Wrong(IBroker broker, string what) =>
        new($"Broker '{broker.Name}' says that {what}: its clocks show another zone than the setting TimeZone of this broker. Set it to the zone of the nodes, such as Asia/Shanghai.");
}
