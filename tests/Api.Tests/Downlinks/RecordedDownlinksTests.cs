using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Api.Tests.Recordings;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Downlinks;

/// <summary>
/// What running brokers answered and then reported of messages published through their API (recordings/management-api): the same messages, ordered here at
/// the same moments, end as their receivers saw them.
/// </summary>
public sealed class RecordedDownlinksTests
{
    // One client received each of these, or nobody did.
    private static readonly Dictionary<string, (string Device, string Status)> Four = new(StringComparer.Ordinal)
    {
        ["one subscriber"] = ("plain-00", "acked"),
        ["undocumented return=..."] = ("plain-00", "acked"),
        ["no subscriber"] = ("plain-00", "sent"), // the plugin tells nothing
        ["base64"] = ("plain-00", "delivered"),
        ["Chinese topic, payload"] = ("plain-01", "acked"),
        ["v5 properties"] = ("plain-01", "acked"),
        ["no payload"] = ("plain-00", "delivered"),
        ["subscriber offline, persistent"] = ("persist-off-0", "sent"),
    };

    private static readonly Dictionary<string, (string Device, string Status)> Five = new(StringComparer.Ordinal)
    {
        ["one subscriber"] = ("plain-00", "acked"),
        ["defaults"] = ("plain-00", "delivered"),
        ["no subscriber"] = ("plain-00", "no-subscriber"),
        ["no subscriber, retained"] = ("plain-00", "no-subscriber"),
        ["base64"] = ("plain-00", "delivered"),
        ["Chinese"] = ("plain-01", "acked"),
        ["v5 properties"] = ("plain-01", "acked"),
        ["subscriber offline, persistent"] = ("persist-off-0", "sent"),
        ["$SYS topic"] = ("plain-00", "no-subscriber"),
    };

    [Theory]
    [InlineData("v4", false)]
    [InlineData("v4", true)]
    [InlineData("v58", false)]
    [InlineData("v58", true)]
    public async Task Every_message_ends_as_it_did(string recording, bool reportsInReverse)
    {
        var expected = recording == "v4" ? Four : Five;
        var exchanges = Lines($"{recording}.control").Where(line => expected.ContainsKey((string?)line["note"] ?? "") && (string?)line["method"] == "POST").ToList();
        var clock = new Clock();
        await using var emqx = await FakeEmqx.StartAsync(recording == "v4" ? FakeEmqx.V4 : FakeEmqx.V5);
        JsonObject? now = null;
        emqx.Asked = request => request.Method == "GET" ? null : FakeAnswer.Status((int)now!["status"]!, (string)now["body"]!, "application/json");
        await using var api = await ApiHost.StartAsync(emqx.Settings(), builder => builder.Services.AddSingleton<TimeProvider>(clock));
        foreach (var device in expected.Values.Select(one => one.Device).Distinct())
            await api.PostAsync($$"""{"event":"client.connected","clientid":"{{device}}","node":"emqx@127.0.0.1","peername":"1.2.3.4:5","connected_at":1795302730000}""");

        var sent = new Dictionary<string, string>();
        foreach (var exchange in exchanges)
        {
            now = exchange;
            clock.Set(DateTimeOffset.Parse((string)exchange["t"]!));
            sent.Add((string)exchange["note"]!, await OrderAsync(api, expected[(string)exchange["note"]!].Device, JsonNode.Parse((string)exchange["request"]!)!));
        }
        var reports = Lines($"{recording}.reports");
        if (reportsInReverse) reports.Reverse();
        // We publish as http_api to 4.x, too, where the recording did as server-1.
        foreach (var report in reports) await api.PostAsync(report.ToJsonString().Replace("server-1", "http_api", StringComparison.Ordinal).Replace("\\u670D\\u52A1\\u5668", "http_api", StringComparison.Ordinal));

        foreach (var (note, (_, status)) in expected)
        {
            var told = await (await api.Read.GetAsync(sent[note])).JsonAsync();
            Assert.True(status == (string?)told["status"], $"{note}: {told}");
        }
        if (recording == "v58") Assert.Equal("000660D19193473326DB000011B90000", (string?)(await (await api.Read.GetAsync(sent["one subscriber"])).JsonAsync())["messageId"]);
    }

    /// <returns>Where it stands.</returns>
    private static async Task<string> OrderAsync(ApiHost api, string device, JsonNode request)
    {
        var isBase64 = (string?)(request["encoding"] ?? request["payload_encoding"]) == "base64";
        var body = new JsonObject
        {
            ["topic"] = (string?)request["topic"],
            [isBase64 ? "payloadBase64" : "payload"] = (string?)request["payload"] ?? "",
            ["qos"] = (int?)request["qos"] ?? 0,
            ["retain"] = (bool?)request["retain"] ?? false,
            ["timeoutSeconds"] = 604_800,
        };
        using var content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await api.Manage.PostAsync($"/api/v1/devices/{device}/messages", content);
        Assert.True(answer.StatusCode is HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
        return answer.Headers.Location!.ToString();
    }

    private static List<JsonObject> Lines(string name)
    {
        using var file = File.OpenRead(Path.Combine(RecordingFiles.Folder, "management-api", name + ".jsonl.gz"));
        using var text = new StreamReader(new GZipStream(file, CompressionMode.Decompress));
        var lines = new List<JsonObject>();
        while (text.ReadLine() is { } line) lines.Add(JsonNode.Parse(line)!.AsObject());
        return lines;
    }

    /// <summary>The time of the recording; what waits goes by the real one.</summary>
    private sealed class Clock : TimeProvider
    {
        private long ticks = DateTimeOffset.Parse("2026-11-21T23:12:00Z").UtcTicks;

        public void Set(DateTimeOffset now) => Interlocked.Exchange(ref ticks, now.UtcTicks);

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref ticks), TimeSpan.Zero);
    }
}
