using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using Xunit.Abstractions;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>What real brokers reported while real clients reconnected and took one another over: whoever was online must be.</summary>
public sealed partial class RecordedStormTests(ITestOutputHelper output)
{
    public static TheoryData<string, bool> Recordings()
    {
        var data = new TheoryData<string, bool>();
        foreach (var file in Directory.GetFiles(Folder(), "*.truth.jsonl.gz").Select(file => Path.GetFileName(file)[..^".truth.jsonl.gz".Length]).Order())
        {
            if (!file.Contains("-08-", StringComparison.Ordinal) && !file.Contains("-11", StringComparison.Ordinal)) continue;
            if (Reports(file).Any(report => report.ClosedConnectionAt is not null)) data.Add(file, true);
            if (Reports(file).All(report => report.Peer is not null)) data.Add(file, false);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Recordings))]
    public void In_every_order_those_are_online_whom_the_broker_had_connected(string name, bool byConnectedAt)
    {
        var reports = Reports(name);
        var online = Truth(name);
        var random = new Random(7);
        var orders = Orders(reports);

        Assert.Equal(online, Online(Told(reports, byConnectedAt)));
        Assert.Equal(online, Online(Told(reports.Reverse(), byConnectedAt)));
        for (var i = 0; i < orders; i++) Assert.Equal(online, Online(Told(Shuffled(reports, random), byConnectedAt)));

        output.WriteLine($"{reports.Count} reports in {orders + 2} orders, some of them twice: nobody wrong");
    }

    [Theory]
    [MemberData(nameof(Recordings))]
    public void When_some_reports_are_lost_asking_the_broker_once_makes_it_true_and_sure_in_every_order(string name, bool byConnectedAt)
    {
        var reports = Reports(name);
        var online = Truth(name);
        var asked = Asked(reports, online);
        var random = new Random(7);
        var (orders, wrongBefore) = (Orders(reports), 0);

        for (var i = 0; i < orders; i++)
        {
            var kept = reports.Where(_ => random.Next(20) > 0).ToList();
            var before = Online(Told(kept, byConnectedAt));
            wrongBefore += before.Except(online).Count() + online.Except(before).Count();

            var clients = Told(Shuffled([.. kept, .. asked], random), byConnectedAt);

            Assert.Equal(online, Online(clients));
            Assert.All(clients.Values, set => Assert.Equal(Confidence.Confirmed, set.Presence(PresenceRules.Default).Confidence));
        }

        output.WriteLine($"{reports.Count} reports in {orders} orders, one in twenty lost: {wrongBefore} clients wrong, none when the broker was asked");
    }

    /// <summary>Many of a short recording, fewer of a long one.</summary>
    private static int Orders(IReadOnlyList<Report> reports) => Math.Min(2_000, 400_000 / reports.Count);

    private static Report[] Shuffled(IEnumerable<Report> reports, Random random)
    {
        Report[] shuffled = [.. reports.SelectMany(report => random.Next(5) == 0 ? new[] { report, report } : [report])];
        random.Shuffle(shuffled);
        return shuffled;
    }

    /// <summary>What the broker's API says of each client when all is over.</summary>
    private static IEnumerable<Report> Asked(IReadOnlyList<Report> reports, IReadOnlyList<string> online)
    {
        var asOf = reports.Max(report => report.OpenedAt ?? report.At) + PresenceRules.Default.ClockTolerance;
        return reports.GroupBy(report => report.Client).Select(client =>
            client.Where(report => report.OpenedAt is not null).MaxBy(report => report.OpenedAt)! with { AsOf = asOf, IsConnected = online.Contains(client.Key) });
    }

    private static Dictionary<string, SessionSet> Told(IEnumerable<Report> reports, bool byConnectedAt)
    {
        var clients = new Dictionary<string, SessionSet>();
        foreach (var report in reports)
        {
            var set = clients.TryGetValue(report.Client, out var known) ? known : clients[report.Client] = new SessionSet(new ClientId(report.Client));
            var seen = new Observation(AHistory.Now, PresenceRules.Default);
            if (report is { AsOf: { } asOf, IsConnected: true })
                set.Listed(report.Node, report.OpenedAt!.Value, isCoarse: false, report.Peer, report.Details!, asOf, seen);
            else if (report.AsOf is { } time)
                set.Absent(time, null, seen);
            else if (report.OpenedAt is { } openedAt)
                set.Connected(report.Node, openedAt, report.Peer, report.Details!, timeIsArrival: false, seen);
            else if (byConnectedAt)
                set.Disconnected(
                    report.Node, report.ClosedConnectionAt!.Value, report.Peer, new(report.At, DisconnectReasons.Of(report.Reason), report.Reason, EndedBy.Event), seen);
            else
                set.Parted(new(report.Node, report.Peer, report.At, DisconnectReasons.Of(report.Reason), report.Reason, FarewellKind.Disconnected), seen);
        }
        return clients;
    }

    private static IReadOnlyList<string> Online(Dictionary<string, SessionSet> clients) =>
        [.. clients.Where(client => client.Value.Presence(PresenceRules.Default).Status is ConnectivityStatus.Online).Select(client => client.Key).Order()];

    private sealed record Report(
        string Client, string Node, string? Peer, DateTimeOffset? OpenedAt, ConnectionDetails? Details, DateTimeOffset? ClosedConnectionAt, DateTimeOffset At, string? Reason)
    {
        /// <summary>Set where it is no report, but what the broker's API said of the client's last connection.</summary>
        public DateTimeOffset? AsOf { get; init; }
        public bool IsConnected { get; init; }
    }

    private static IReadOnlyList<Report> Reports(string name) =>
        [.. Lines(name + ".jsonl.gz")
            .Where(line => line.TryGetProperty("body", out _))
            .Select(line => JsonElement.Parse(line.GetProperty("body").GetString()!))
            .Select(body => ((Text(body, "event") ?? Text(body, "action"))?.Replace('.', '_'), body) switch
            {
                ("client_connected", _) => new Report(
                    Text(body, "clientid")!, Text(body, "node")!, Text(body, "peername"), Time(body, "connected_at"),
                    new ConnectionDetails
                    {
                        CleanStart = body.TryGetProperty("clean_start", out var clean) ? clean.GetBoolean() : null,
                        ExpirySeconds = body.TryGetProperty("expiry_interval", out var expiry) ? expiry.GetInt64() : null,
                    },
                    null, default, null),
                ("client_disconnected", _) => new Report(
                    Text(body, "clientid")!, Text(body, "node")!, Text(body, "peername"), null, null, Time(body, "connected_at"),
                    Time(body, "disconnected_at")!.Value, Text(body, "reason")),
                _ => null,
            })
            .OfType<Report>()];

    private static IReadOnlyList<string> Truth(string name) =>
        Lines(name + ".truth.jsonl.gz").Where(line => Text(line, "ev") is "broker_connected").Select(line => line.GetProperty("raw").GetString()!).FirstOrDefault() is { } raw
            ? [.. ErlangBinary().Matches(raw).Select(match => match.Groups["id"].Value).Order()]
            : [];

    private static IEnumerable<JsonElement> Lines(string file)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(Folder(), file)), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line) yield return JsonElement.Parse(line);
    }

    private static string? Text(JsonElement body, string key) => body.TryGetProperty(key, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static DateTimeOffset? Time(JsonElement body, string key) =>
        body.TryGetProperty(key, out var value) && value.ValueKind is JsonValueKind.Number ? DateTimeOffset.FromUnixTimeMilliseconds(value.GetInt64()) : null;

    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "recordings");
            if (File.Exists(Path.Combine(candidate, "README.md"))) return candidate;
        }
        throw new DirectoryNotFoundException($"No folder 'recordings' above {AppContext.BaseDirectory}: run the tests inside the repository.");
    }

    [GeneratedRegex("""<<"(?<id>([^"\\]|\\.)*)">>""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 60_000)]
    private static partial Regex ErlangBinary();
}
