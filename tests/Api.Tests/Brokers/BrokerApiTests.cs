using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Brokers;

/// <summary>A broker whose webhooks were lost, its management API, and what the service makes of both.</summary>
public sealed class BrokerApiTests
{
    private static readonly DateTimeOffset Earlier = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddMinutes(-10).ToUnixTimeMilliseconds());

    public static TheoryData<string> Versions => ["4.4.19", "5.3.2", "5.8.9", "6.0.2"];

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Lost_webhooks_are_healed_by_the_brokers_own_list(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("stays/1", connectedAt: Earlier, port: 1001);
        emqx.Connect("unheard 😀", connectedAt: Earlier, port: 1002);
        for (var i = 0; i < 10; i++) emqx.Connect($"other-{i}", connectedAt: Earlier, port: 2000 + i);
        await using var api = await ApiHost.StartAsync(emqx.Settings());
        await api.ComparedAsync("1");
        await TellAsync(api, "stays/1", 1001);
        for (var i = 0; i < 10; i++) await TellAsync(api, $"other-{i}", 2000 + i);
        await TellAsync(api, "left", 1003);

        var asked = await (await api.Manage.PostAsync("/api/v1/broker/reconciliations", null)).JsonAsync();
        var sweep = await api.ComparedAsync((string)asked["id"]!);

        Assert.Equal(("complete", 0, 1), ((string?)sweep["result"], (int)sweep["correctedOnline"]!, (int)sweep["correctedOffline"]!));
        Assert.Equal(["online", "confirmed", "broker-list"], await StateAsync(api, "unheard 😀"));
        Assert.Equal(["online", "confirmed"], (await StateAsync(api, "stays/1"))[..2]);
        Assert.Equal(["offline", "confirmed", "broker-list"], await StateAsync(api, "left"));
        var sessions = (await (await api.Read.GetAsync("/api/v1/devices/stays%2F1/sessions")).JsonAsync())["items"]!.AsArray();
        Assert.Equal(Earlier, (DateTimeOffset)Assert.Single(sessions)!["connectedAt"]!); // the list's second and the event's millisecond are one session
        var events = (await (await api.Read.GetAsync("/api/v1/devices/left/events")).JsonAsync())["items"]!.AsArray();
        Assert.Single(events, one => (string?)one!["type"] == "device.presence-corrected");
        Assert.Single(events, one => (string?)one!["type"] == "device.went-offline" && (string?)one["data"]!["cause"] == "reconciliation");
        Assert.Equal(1, (int)(await (await api.Read.GetAsync("/api/v1/stats")).JsonAsync())["corrections"]!["offline"]!);
    }

    [Fact]
    public async Task The_broker_its_nodes_and_their_dialects_are_shown()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Failed = 3;
        await using var api = await ApiHost.StartAsync(emqx.Settings());
        await api.ComparedAsync("1");
        await PostAsync(api, $$"""{"event":"client.disconnected","clientid":"a","node":"{{FakeEmqx.FirstNode}}","peername":"1.2.3.4:5","connected_at":1767225600000,"disconnected_at":1767225601000,"reason":"normal"}""");
        await PostAsync(api, """{"event":"client.disconnected","clientid":"b","node":"old@10.0.0.1","peername":"1.2.3.4:5","disconnected_at":1767225601000,"reason":"normal"}""");

        var shown = await (await api.Manage.GetAsync("/api/v1/broker")).JsonAsync();

        var broker = Assert.Single(shown["brokers"]!.AsArray())!;
        Assert.Equal(("emqx", true, "5.8.9", 3), ((string?)broker["name"], (bool?)broker["reachable"], (string?)broker["version"], (int)broker["lostWebhooks"]!));
        Assert.Equal("complete", (string?)broker["lastReconciliation"]!["result"]);
        var nodes = shown["nodes"]!.AsArray();
        Assert.Equal(
            [(FakeEmqx.FirstNode, "connected-at", true), ("old@10.0.0.1", "peername", null)],
            nodes.Select(node => ((string)node!["node"]!, (string?)node["dialect"], (bool?)node["running"])));
    }

    [Fact]
    public async Task A_broker_that_cannot_be_asked_says_why_and_what_to_do()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        var settings = emqx.Settings();
        settings["Brokers:0:ApiSecret"] = "wrong";
        await using var api = await ApiHost.StartAsync(settings);

        var sweep = await api.ComparedAsync("1");

        Assert.Equal("failed", (string?)sweep["result"]);
        Assert.Contains("ApiSecret", (string?)sweep["problem"], StringComparison.Ordinal);
        var broker = (await (await api.Manage.GetAsync("/api/v1/broker")).JsonAsync())["brokers"]![0]!;
        Assert.Equal(((bool?)false, (string?)sweep["problem"]), ((bool?)broker["reachable"], (string?)broker["problem"]));
        Assert.DoesNotContain(api.Logs, line => line.Contains("wrong", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_broker_there_is_nothing_to_compare_with_and_the_answer_says_how_to_get_one()
    {
        await using var api = await ApiHost.StartAsync();

        var problem = await (await api.Manage.PostAsync("/api/v1/broker/reconciliations", null)).ProblemAsync(HttpStatusCode.Conflict, "no-broker");

        Assert.Contains("Brokers:0:Url", (string?)problem["hint"], StringComparison.Ordinal);
        Assert.Empty((await (await api.Manage.GetAsync("/api/v1/broker")).JsonAsync())["brokers"]!.AsArray());
    }

    [Fact]
    public async Task Comparisons_are_listed_newest_first_and_unknown_ones_are_not_there()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V6);
        await using var api = await ApiHost.StartAsync(emqx.Settings());
        await api.ComparedAsync("1");
        await api.Manage.PostAsJsonAsync("/api/v1/broker/reconciliations", new { broker = "emqx" });
        await api.ComparedAsync("2");

        var page = await (await api.Manage.GetAsync("/api/v1/broker/reconciliations?limit=1")).JsonAsync();
        var next = await (await api.Manage.GetAsync($"/api/v1/broker/reconciliations?limit=1&cursor={page["next"]}")).JsonAsync();

        Assert.Equal(("2", "request"), ((string?)page["items"]![0]!["id"], (string?)page["items"]![0]!["cause"]));
        Assert.Equal(("1", "start"), ((string?)next["items"]![0]!["id"], (string?)next["items"]![0]!["cause"]));
        await (await api.Manage.GetAsync("/api/v1/broker/reconciliations/77")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        await (await api.Manage.PostAsJsonAsync("/api/v1/broker/reconciliations", new { broker = "west" })).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.GetAsync("/api/v1/broker")).StatusCode);
    }

    private static FakeEmqxVersion Version(string number) =>
        new[] { FakeEmqx.V4, FakeEmqx.V53, FakeEmqx.V5, FakeEmqx.V6 }.Single(version => version.Number == number);

    private static Task TellAsync(ApiHost api, string id, int port) => PostAsync(api, new JsonObject
    {
        ["event"] = "client.connected",
        ["clientid"] = id,
        ["node"] = FakeEmqx.FirstNode,
        ["peername"] = $"127.0.0.1:{port}",
        ["connected_at"] = Earlier.ToUnixTimeMilliseconds(),
        ["keepalive"] = 60,
    }.ToJsonString());

    private static async Task PostAsync(ApiHost api, string body) =>
        (await api.Ingest.PostAsync("/webhook/emqx", new StringContent(body))).EnsureSuccessStatusCode();

    private static async Task<string[]> StateAsync(ApiHost api, string id)
    {
        var device = await (await api.Read.GetAsync($"/api/v1/devices/{Uri.EscapeDataString(id)}")).JsonAsync();
        var now = device["connectivity"]!;
        return [(string)now["status"]!, (string)now["confidence"]!, (string)now["evidence"]!];
    }
}
