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
        Assert.Equal(truth.OnlineAtTheEnd.Order(StringComparer.Ordinal), await OnlineAsync(api));
        Assert.Equal(await LedgerAsync(api), Count(truth.Connacks.Select(connack => connack.ClientId)));
        Assert.Equal(Messages(truth), await MessagesAsync(api));
    }

    [Theory]
    [MemberData(nameof(EveryRecordingInBothOrders))]
    public async Task A_recording_sent_again_is_known_already(string name, string order)
    {
        await using var api = await ApiHost.StartAsync(SourceOf(name));
        await SendAsync(api, name, order);
        var before = await StateAsync(api);

        await SendAsync(api, name, order);

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

    private static async Task<IEnumerable<string>> OnlineAsync(ApiHost api) =>
        (await ItemsAsync(api, "devices?status=online&limit=1000")).Select(device => device.GetProperty("clientId").GetString()!).Order(StringComparer.Ordinal);

    private static async Task<SortedDictionary<string, int>> LedgerAsync(ApiHost api) =>
        Count((await ItemsAsync(api, "sessions?limit=1000")).Select(session => session.GetProperty("clientId").GetString()!));

    private static async Task<List<string>> MessagesAsync(ApiHost api) =>
        [.. (await ItemsAsync(api, "messages?limit=1000"))
            .Select(message => $"{message.GetProperty("clientId")} {message.GetProperty("topic")} {message.GetProperty("qos")}").Order(StringComparer.Ordinal)];

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
