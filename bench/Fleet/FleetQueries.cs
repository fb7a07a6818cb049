namespace WebhookService.Bench.Fleet;

/// <summary>A question to time. <paramref name="Path"/> gives it with other arguments each time.</summary>
/// <param name="LimitMs">What 95 of 100 answers must stay under; null where no limit was set.</param>
internal sealed record FleetQuery(string Name, Func<string> Path, double? LimitMs = null);

/// <summary>What users of a large fleet ask.</summary>
internal static class FleetQueries
{
    public const double DeviceLimitMs = 2;
    public const double ListLimitMs = 20;
    public const double TopicLimitMs = 50;

    public static IEnumerable<FleetQuery> Of(FleetSample sample)
    {
        string Device(string more = "") => $"/api/v1/devices/{Escape(sample.Any(sample.ClientIds))}{more}";
        string Publisher(string more) => $"/api/v1/devices/{Escape(sample.Any(sample.Published).ClientId)}{more}";
        string Messages(string topic) => $"/api/v1/messages?topic={Escape(topic)}";

        yield return new("nothing (`/health/live`)", () => "/health/live");
        yield return new("device by id", () => Device(), DeviceLimitMs);
        yield return new("devices of a node", () => $"/api/v1/devices?node={Escape(sample.Any(sample.Nodes))}", ListLimitMs);
        yield return new("devices by client id prefix", () => $"/api/v1/devices?clientId={Escape(sample.Any(sample.ClientIds)[..^3] + "*")}", ListLimitMs);
        yield return new("devices of a username", () => $"/api/v1/devices?username={Escape(sample.Any(sample.Usernames))}", ListLimitMs);
        yield return new("messages of a topic", () => Messages(sample.Any(sample.Published).Topic), TopicLimitMs);
        yield return new("messages of `site/7/#`", () => Messages("site/7/#"), TopicLimitMs);
        yield return new("messages of `site/<any>/#`", () => Messages($"site/{sample.Any(sample.Published).Topic.Split('/')[1]}/#"), TopicLimitMs);
        yield return new("messages of `+/+/+/+/alarm`, few and old", () => Messages("+/+/+/+/alarm"), TopicLimitMs);
        yield return new("messages of `#`", () => Messages("#"), TopicLimitMs);
        yield return new("messages of a device", () => $"/api/v1/messages?clientId={Escape(sample.Any(sample.Published).ClientId)}", TopicLimitMs);
        yield return new(
            "messages of a device on a topic",
            () => sample.Any(sample.Published) is var (client, topic) ? $"/api/v1/messages?clientId={Escape(client)}&topic={Escape(topic)}" : "", TopicLimitMs);
        yield return new("latest state of a device", () => Publisher("/state"));
        yield return new("events of a device", () => Publisher("/events"));
        yield return new("sessions of a device", () => Device("/sessions"));
        yield return new("availability of a device, 24 h", () => Device("/availability"), DeviceLimitMs);
        yield return new("availability of a device, 7 d, with stretches", () => Device($"/availability?stretches=true&from={Ago(TimeSpan.FromDays(7))}"), DeviceLimitMs);
        yield return new("devices as they were a day ago", () => $"/api/v1/devices?at={Ago(TimeSpan.FromDays(1))}", ListLimitMs);
        yield return new(
            "devices as they were a day ago, by client id prefix", () => $"/api/v1/devices?at={Ago(TimeSpan.FromDays(1))}&clientId={Escape(sample.Any(sample.ClientIds)[..^3] + "*")}", ListLimitMs);
        yield return new("availability of the devices of a username", () => $"/api/v1/availability?username={Escape(sample.Any(sample.Usernames))}");
        yield return new("stats", () => "/api/v1/stats");
    }

    /// <summary>What looks at the ledger of every device.</summary>
    public static IEnumerable<FleetQuery> OfTheWholeLedger()
    {
        yield return new("availability of all devices, 24 h", () => "/api/v1/availability");
        yield return new("availability of all devices, 7 d", () => $"/api/v1/availability?from={Ago(TimeSpan.FromDays(7))}");
        yield return new("presence in the last 6 h, buckets of 5 min", () => $"/api/v1/stats/presence?bucket=5m&from={Ago(TimeSpan.FromHours(6))}");
        yield return new("presence in the last 30 d, buckets of 1 h", () => $"/api/v1/stats/presence?bucket=1h&from={Ago(TimeSpan.FromDays(30))}");
    }

    private static string Ago(TimeSpan time) => Escape((TimeProvider.System.GetUtcNow() - time).ToString("O"));

    private static string Escape(string text) => Uri.EscapeDataString(text);
}
