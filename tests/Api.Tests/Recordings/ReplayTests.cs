using System.Net;
using System.Text.Json;

namespace WebhookService.Api.Tests.Recordings;

/// <summary>
/// Every recording goes in over HTTP, as it was sent and in reverse; what the API then says of devices, sessions, messages and subscriptions is
/// held against what the clients of that day did.
/// </summary>
public sealed class ReplayTests
{
    private const string AsSent = "as sent";
    private const string Reversed = "reversed";

    public static TheoryData<string, string> EveryRecordingInBothOrders()
    {
        var cases = new TheoryData<string, string>();
        foreach (var name in RecordingFiles.Names)
        {
            cases.Add(name, AsSent);
            cases.Add(name, Reversed);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(EveryRecordingInBothOrders))]
    public async Task A_recording_ends_in_the_state_that_its_clients_lived(string name, string order)
    {
        var truth = RecordingFiles.Truth(name);
        await using var api = await ApiHost.StartAsync(SourceOf(name));

        await SendAsync(api, name, order);

        Assert.Empty(await ItemsAsync(api, "quarantine"));
        var gone = truth.BrokerConnected is null ? NeverReportedGone(name) : []; // where the broker itself was asked, its word alone counts
        Assert.Equal(truth.OnlineAtTheEnd.Union(gone).Order(StringComparer.Ordinal), await OnlineAsync(api));
        if (truth.Connacks.Count == 0) return; // 06: mosquitto kept no record

        var ledger = await LedgerAsync(api);
        Assert.Equal(truth.Connacks.Count + truth.RawConnections, ledger.Values.Sum());
        foreach (var (client, connections) in Count(truth.Connacks.Select(connack => connack.ClientId).Where(client => client.Length > 0)))
            Assert.Equal((client, connections), (client, ledger.GetValueOrDefault(client)));
        Assert.Equal(Messages(truth), (await MessagesAsync(api)).Where(message => !message.Contains("will", StringComparison.Ordinal)));
    }

    /// <summary>One client's life under MQTT 3.1.1: three subscriptions, three messages nobody wants, one of each QoS to itself, goodbye.</summary>
    [Theory]
    [InlineData("v4", AsSent)]
    [InlineData("v4", Reversed)]
    [InlineData("v4re", AsSent)]
    [InlineData("v4re", Reversed)]
    [InlineData("v5", AsSent)]
    [InlineData("v5", Reversed)]
    [InlineData("v58", AsSent)]
    [InlineData("v58", Reversed)]
    [InlineData("v6", AsSent)]
    [InlineData("v6", Reversed)]
    public async Task A_whole_life_is_told_as_it_was(string broker, string order)
    {
        await using var api = await ApiHost.StartAsync();

        await SendAsync(api, $"{broker}-01-lifecycle-v311", order);

        var unwanted = broker == "v4" ? "published" : "dropped"; // the plugin reports no drops
        Assert.Equal(
            [
                "hello qos0 " + unwanted, "hello qos1 " + unwanted, "hello qos2 " + unwanted,
                "loop qos0 delivered to dev-001", "loop qos1 acked to dev-001", "loop qos2 acked to dev-001",
            ],
            await FatesAsync(api));
        // The plugin's subscriptions tell no time: one that comes after the goodbye may be of a session yet unknown, and is kept.
        if ((broker, order) is not ("v4", Reversed)) Assert.Empty(await ItemsAsync(api, "devices/dev-001/subscriptions"));
        var session = Assert.Single(await ItemsAsync(api, "devices/dev-001/sessions"));
        Assert.Equal(("client-disconnect", "event"), (session.GetProperty("reason").GetString(), session.GetProperty("endedBy").GetString()));
        var device = Assert.Single(await ItemsAsync(api, "devices"));
        Assert.Equal(("offline", "confirmed"), (device.GetProperty("connectivity").GetProperty("status").GetString(), device.GetProperty("connectivity").GetProperty("confidence").GetString()));
        Assert.Equal((1, 6, 3), (Counter(device, "sessions"), Counter(device, "messagesPublished"), Counter(device, "messagesDelivered")));
    }

    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public async Task A_recording_sent_again_is_known_already(string name)
    {
        await using var api = await ApiHost.StartAsync(SourceOf(name));
        await SendAsync(api, name, AsSent);
        var before = await StateAsync(api);

        await SendAsync(api, name, AsSent);

        Assert.Equal(before, await StateAsync(api));
    }

    private static Dictionary<string, string?> SourceOf(string name) => new()
    {
        ["Ingest:Sources:emqx:Kind"] = "emqx",
        ["Ingest:Sources:emqx:PayloadEncoding"] = name.EndsWith("-base64", StringComparison.Ordinal) ? "base64" : name.EndsWith("-base62", StringComparison.Ordinal) ? "base62" : "plain",
    };

    private static async Task SendAsync(ApiHost api, string name, string order)
    {
        var requests = RecordingFiles.Load(name).Requests;
        foreach (var request in order == Reversed ? requests.Reverse() : requests)
        {
            using var content = new ReadOnlyMemoryContent(request.Body);
            content.Headers.ContentType = new(request.ContentType);
            using var response = await api.Ingest.PostAsync("webhook/emqx", content);
            Assert.Equal((request.Seq, HttpStatusCode.OK), (request.Seq, response.StatusCode));
        }
    }

    /// <summary>Clients of whose last connection the broker never reported the end; without its REST API nobody can know.</summary>
    private static IEnumerable<string> NeverReportedGone(string name)
    {
        var bodies = RecordingFiles.Load(name).Requests.Select(request => JsonElement.Parse(request.Body.Span)).ToList();
        var ended = bodies.Where(body => Word(body) is "client_disconnected" or "client.disconnected").SelectMany(Identities).ToHashSet();
        return bodies.Where(body => Word(body) is "client_connected" or "client.connected")
            .GroupBy(body => body.GetProperty("clientid").GetString()!)
            .Where(connections => !Identities(connections.MaxBy(body => body.GetProperty("connected_at").GetInt64())).Any(ended.Contains))
            .Select(connections => connections.Key);

        static string? Word(JsonElement body) =>
            body.TryGetProperty("event", out var word) || body.TryGetProperty("action", out word) ? word.GetString() : null;

        static IEnumerable<(string?, string)> Identities(JsonElement body)
        {
            foreach (var identity in new[] { "connected_at", "peername" })
                if (body.TryGetProperty(identity, out var value)) yield return (body.GetProperty("clientid").GetString(), $"{identity} {value}");
        }
    }

    private static async Task<IEnumerable<string>> OnlineAsync(ApiHost api) =>
        (await ItemsAsync(api, "devices?status=online&limit=1000")).Select(device => device.GetProperty("clientId").GetString()!).Order(StringComparer.Ordinal);

    private static async Task<SortedDictionary<string, int>> LedgerAsync(ApiHost api) =>
        Count((await ItemsAsync(api, "sessions?limit=1000")).Select(session => session.GetProperty("clientId").GetString()!));

    private static async Task<List<string>> MessagesAsync(ApiHost api) =>
        [.. (await ItemsAsync(api, "messages?limit=1000"))
            .Select(message => $"{message.GetProperty("clientId")} {message.GetProperty("topic")} {message.GetProperty("qos")}").Order(StringComparer.Ordinal)];

    private static async Task<List<string>> FatesAsync(ApiHost api)
    {
        var fates = new List<string>();
        foreach (var item in await ItemsAsync(api, "messages"))
        {
            var message = JsonElement.Parse(await api.Read.GetStringAsync($"/api/v1/messages/{item.GetProperty("id")}"));
            var receivers = message.GetProperty("deliveries").EnumerateArray().Select(delivery => $" to {delivery.GetProperty("clientId")}");
            fates.Add($"{message.GetProperty("payload").GetProperty("data")} {message.GetProperty("status")}{string.Concat(receivers)}");
        }
        fates.Sort(StringComparer.Ordinal);
        return fates;
    }

    private static int Counter(JsonElement device, string name) => device.GetProperty("counters").GetProperty(name).GetInt32();

    private static List<string> Messages(TruthFile truth) =>
        [.. truth.Messages.Select(message => $"{message.ClientId} {message.Topic} {message.Qos}").Order(StringComparer.Ordinal)];

    /// <summary>All that must not change by repetition.</summary>
    private static async Task<string> StateAsync(ApiHost api)
    {
        var parts = new List<string>();
        foreach (var list in new[] { "sessions?limit=1000", "messages?limit=1000" })
            parts.AddRange((await ItemsAsync(api, list)).Select(item => item.GetRawText()));
        foreach (var device in await ItemsAsync(api, "devices?limit=1000"))
            parts.Add($"{device.GetProperty("clientId")} {device.GetProperty("connectivity")} {device.GetProperty("counters")}");
        return string.Join('\n', parts);
    }

    private static async Task<List<JsonElement>> ItemsAsync(ApiHost api, string list)
    {
        var items = new List<JsonElement>();
        for (var path = $"/api/v1/{list}"; path is not null;)
        {
            using var response = await api.Manage.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var page = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
            items.AddRange(page.GetProperty("items").EnumerateArray());
            path = page.GetProperty("next").GetString() is { } next
                ? $"/api/v1/{list}{(list.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={Uri.EscapeDataString(next)}"
                : null;
        }
        return items;
    }

    private static SortedDictionary<string, int> Count(IEnumerable<string> ids)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var id in ids) counts[id] = counts.GetValueOrDefault(id) + 1;
        return counts;
    }
}
