using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Downlinks;

/// <summary>Messages to devices over HTTP, with a broker whose reports come back by webhook.</summary>
public sealed class DownlinkApiTests
{
    private const string Device = "pump/7";
    private const string Messages = "/api/v1/devices/pump%2F7/messages";

    public static TheoryData<string, bool> Dialects => new() { { "4.4.19", true }, { "4.4.19", false }, { "5.8.9", false }, { "6.0.2", false } };

    public static TheoryData<string> Versions => ["4.4.19", "5.8.9", "6.0.2"];

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task A_message_is_followed_through_delivered_to_acked(string version, bool plugin)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        await using var api = await StartAsync(emqx);

        var sent = await SendAsync(api, """{"topic":"cmd/{clientId}/x","payload":{"cmd":"on"},"qos":1}""");

        Assert.Equal(("sent", "cmd/pump/7/x", """{"cmd":"on"}""", false), ((string?)sent["status"], (string?)sent["topic"], (string?)sent["payload"]!["data"], (bool)sent["finished"]!));
        var message = Assert.Single(emqx.Published);
        Assert.Equal(message.Id, (string?)sent["messageId"]);
        await api.PostAsync(message.Report("publish", asPlugin: plugin));
        await api.PostAsync(message.Report("delivered", "logger", plugin));
        Assert.Equal("sent", (string?)(await ReadAsync(api, sent))["status"]);
        await api.PostAsync(message.Report("delivered", Device, plugin));
        Assert.Equal("delivered", (string?)(await ReadAsync(api, sent))["status"]);
        await api.PostAsync(message.Report("acked", Device, plugin));

        var acked = await ReadAsync(api, sent);
        Assert.Equal(("acked", true, plugin ? "content" : "id"), ((string?)acked["status"], (bool)acked["finished"]!, (string?)acked["match"]));
        Assert.NotNull(acked["deliveredAt"]);
        var recorded = await (await api.Read.GetAsync($"/api/v1/messages/{acked["messageId"]}")).JsonAsync();
        Assert.Contains(recorded["deliveries"]!.AsArray(), delivery => (string?)delivery!["clientId"] == Device && delivery["ackedAt"] is not null);
        Assert.Equal(["downlink.accepted", "downlink.sent", "downlink.delivered", "downlink.acked"], await EventsAsync(api));
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task With_QoS_0_it_ends_delivered_also_where_the_device_subscribed_so(string version, bool plugin)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        await using var api = await StartAsync(emqx);

        var sent = await SendAsync(api, """{"topic":"a","payload":"on","qos":0}""");
        var other = await SendAsync(api, """{"topic":"b","payload":"on","qos":2}""");
        await api.PostAsync(emqx.Published[0].Report("delivered", Device, plugin));
        await api.PostAsync(emqx.Published[1].Report("delivered", Device, plugin, qos: 0));

        foreach (var one in new[] { sent, other })
        {
            var delivered = await ReadAsync(api, one);
            Assert.Equal(("delivered", true), ((string?)delivered["status"], (bool)delivered["finished"]!));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Reports_may_overtake_the_brokers_answer(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        await using var api = await StartAsync(emqx);
        emqx.Publishing = async message =>
        {
            await api.PostAsync(message.Report("acked", Device));
            await api.PostAsync(message.Report("delivered", Device));
        };

        var acked = await SendAsync(api, """{"topic":"cmd","payload":"on"}""");

        Assert.Equal(("acked", "id"), ((string?)acked["status"], (string?)acked["match"]));
    }

    [Fact]
    public async Task Plugins_reports_may_overtake_it_too_with_and_without_an_id_in_the_answer()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        await using var api = await StartAsync(emqx);
        emqx.Publishing = message => api.PostAsync(message.Report("acked", Device, asPlugin: true));

        var first = await SendAsync(api, """{"topic":"cmd","payload":"1"}""");
        emqx.TellsNoIds = true;
        var second = await SendAsync(api, """{"topic":"cmd","payload":"2"}""");

        Assert.Equal(("acked", "content"), ((string?)first["status"], (string?)first["match"]));
        Assert.Equal(("acked", "content"), ((string?)second["status"], (string?)second["match"]));
    }

    [Theory]
    [InlineData("4.4.19", "sent")] // 4.x says it by a report only
    [InlineData("5.8.9", "no-subscriber")]
    [InlineData("6.0.2", "no-subscriber")]
    public async Task Nobody_listening_is_told_by_the_answer_or_by_a_report(string version, string answered)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.SubscribedTopics = [];
        await using var api = await StartAsync(emqx);

        var sent = await SendAsync(api, """{"topic":"nobody","payload":"x"}""");
        Assert.Equal(answered, (string?)sent["status"]);
        await api.PostAsync(emqx.Published[0].Report("dropped", reason: "no_subscribers"));

        var told = await ReadAsync(api, sent);
        Assert.Equal(("no-subscriber", emqx.Published[0].Id), ((string?)told["status"], (string?)told["messageId"]));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_drop_for_the_device_is_told_with_the_brokers_word(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        await using var api = await StartAsync(emqx);

        var sent = await SendAsync(api, """{"topic":"cmd","payload":"x"}""");
        await api.PostAsync(emqx.Published[0].Report("delivery.dropped", "logger", reason: "no_local"));
        await api.PostAsync(emqx.Published[0].Report("delivery.dropped", Device, reason: "queue_full"));

        var told = await ReadAsync(api, sent);
        Assert.Equal(("dropped", "queue_full"), ((string?)told["status"], (string?)told["dropReason"]));
    }

    [Fact]
    public async Task Without_news_it_times_out_and_late_news_corrects_that_and_says_so()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        await using var api = await StartAsync(emqx);

        var sent = await SendAsync(api, """{"topic":"cmd","payload":"x","timeoutSeconds":1}""");
        await AHandlerHost.UntilAsync(async () => (string?)(await ReadAsync(api, sent))["status"] == "timed-out");
        await api.PostAsync(emqx.Published[0].Report("delivered", Device));
        await api.PostAsync(emqx.Published[0].Report("acked", Device));

        var told = await ReadAsync(api, sent);
        Assert.Equal(("acked", true), ((string?)told["status"], (bool)told["late"]!));
        var events = (await (await api.Read.GetAsync("/api/v1/events?types=downlink.acked")).JsonAsync())["items"]!.AsArray();
        Assert.True((bool)Assert.Single(events)!["data"]!["late"]!);
        Assert.Contains("""downlinks_reached_total{status="timed-out"} 1""", await api.Read.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Refused_credentials_a_dead_broker_and_no_answer_are_problems_of_their_own_and_nothing_is_sent_twice(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        var settings = emqx.Settings();
        settings["Brokers:0:Timeout"] = "00:00:05";
        await using var api = await StartAsync(emqx, settings);

        emqx.Once("/publish", FakeAnswer.Status(401, "UNAUTHORIZED"));
        var refused = await (await PostAsync(api, """{"topic":"cmd","payload":"1"}""")).ProblemAsync(HttpStatusCode.BadGateway, "broker-credentials-refused");
        Assert.Contains("ApiSecret", (string?)refused["detail"], StringComparison.Ordinal);
        emqx.Once("/publish", FakeAnswer.Late(TimeSpan.FromMinutes(1)));
        var uncertain = await (await PostAsync(api, """{"topic":"cmd","payload":"2"}""", "key-2")).ProblemAsync(HttpStatusCode.GatewayTimeout, "broker-uncertain");
        emqx.Once("/publish", FakeAnswer.Status(400, """{"message":"packet_too_large","reason_code":151}"""));
        await (await PostAsync(api, """{"topic":"cmd","payload":"3"}""")).ProblemAsync(HttpStatusCode.UnprocessableEntity, "broker-refused");

        Assert.Equal(["refused", "uncertain", "refused"], (await ListAsync(api)).Reverse().Select(one => (string?)one!["status"]));
        var again = await PostAsync(api, """{"topic":"cmd","payload":"2"}""", "key-2");
        Assert.Equal((HttpStatusCode.Accepted, (string?)uncertain["downlinkId"]), (again.StatusCode, (string?)(await again.JsonAsync())["id"]));
        Assert.Equal(3, emqx.Requests.Count(request => request.Method == "POST"));
        await emqx.DisposeAsync();
        var failed = await (await PostAsync(api, """{"topic":"cmd","payload":"4"}""")).ProblemAsync(HttpStatusCode.BadGateway, "broker-unreachable");
        Assert.Equal("failed", (string?)(await (await api.Read.GetAsync($"/api/v1/downlinks/{failed["downlinkId"]}")).JsonAsync())["status"]);
    }

    [Fact]
    public async Task The_same_key_and_body_are_one_message_and_another_body_is_a_conflict()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        await using var api = await StartAsync(emqx);

        var first = await PostAsync(api, """{"topic":"cmd","payload":"1"}""", "key");
        var second = await PostAsync(api, """{ "payload": "1", "qos": 1, "topic": "cmd" }""", "key");
        await (await PostAsync(api, """{"topic":"cmd","payload":"2"}""", "key")).ProblemAsync(HttpStatusCode.Conflict, "idempotency-key-taken");
        await (await PostAsync(api, """{"topic":"cmd","payload":"2"}""", new string('k', 256))).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(first.Headers.Location, second.Headers.Location);
        Assert.Equal((HttpStatusCode.Accepted, "/api/v1/downlinks/1"), (second.StatusCode, second.Headers.Location?.ToString()));
        Assert.Single(emqx.Published);
    }

    [Theory]
    [InlineData("""{"payload":"x"}""", "topic")]
    [InlineData("""{"topic":"a/+","payload":"x"}""", "topic")]
    [InlineData("""{"topic":"a/#","payload":"x"}""", "topic")]
    [InlineData("""{"topic":"a"}""", "payload")]
    [InlineData("""{"topic":"a","payload":null}""", "payload")]
    [InlineData("""{"topic":"a","payload":"x","payloadBase64":"eA=="}""", "payload")]
    [InlineData("""{"topic":"a","payloadBase64":"*"}""", "payloadBase64")]
    [InlineData("""{"topic":"a","payload":"x","qos":3}""", "qos")]
    [InlineData("""{"topic":"a","payload":"x","timeoutSeconds":0}""", "timeoutSeconds")]
    [InlineData("""{"topic":"a","payload":"x","expirySeconds":0}""", "expirySeconds")]
    [InlineData("""{"topic":"a","payload":"x","expirySeconds":9223372036854775807}""", "expirySeconds")]
    [InlineData("""{"topic":"a","payload":"x","nosuch":1}""", "nosuch")]
    public async Task A_mistake_in_the_body_is_named_and_nothing_is_sent(string body, string parameter)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        await using var api = await StartAsync(emqx);

        var answer = await PostAsync(api, body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(parameter, (string?)(await answer.JsonAsync())["parameter"]);
        Assert.Empty(emqx.Published);
        Assert.Empty(await ListAsync(api));
    }

    [Fact]
    public async Task The_configured_topic_is_taken_where_none_is_named_and_bytes_go_as_base64()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        var settings = emqx.Settings();
        settings["Downlink:Topic"] = "devices/{clientId}/commands";
        await using var api = await StartAsync(emqx, settings);

        await SendAsync(api, """{"payloadBase64":"AP8B","qos":0,"retain":true,"expirySeconds":60,"properties":{"userProperties":{"a":"1"}}}""");

        var message = Assert.Single(emqx.Published);
        Assert.Equal(("devices/pump/7/commands", true), (message.Topic, message.Retain));
        Assert.Equal([0, 255, 1], message.Payload);
        Assert.Equal(("60", "1"), (message.Properties!["message_expiry_interval"]!.ToString(), (string?)message.Properties["user_properties"]!["a"]));
    }

    [Fact]
    public async Task Without_a_broker_the_answer_says_how_to_get_one_and_without_the_device_or_scope_there_is_none()
    {
        await using var api = await ApiHost.StartAsync();
        await ConnectAsync(api);

        var problem = await (await PostAsync(api, """{"topic":"a","payload":"x"}""")).ProblemAsync(HttpStatusCode.Conflict, "no-broker");
        Assert.Contains("Brokers:0:Url", (string?)problem["hint"], StringComparison.Ordinal);
        await (await api.Manage.DeleteAsync("/api/v1/devices/pump%2F7/connection")).ProblemAsync(HttpStatusCode.Conflict, "no-broker");
        using var body = Json("""{"topic":"a","payload":"x"}""");
        await (await api.Manage.PostAsync("/api/v1/devices/nobody/messages", body)).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.PostAsJsonAsync(Messages, new { topic = "a", payload = "x" })).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.DeleteAsync("/api/v1/devices/pump%2F7/connection")).StatusCode);
        await (await api.Read.GetAsync("/api/v1/downlinks/7")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task Downlinks_are_listed_newest_first_page_by_page_and_by_device_and_status()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.SubscribedTopics = ["heard"];
        await using var api = await StartAsync(emqx);
        await ConnectAsync(api, "other");
        await SendAsync(api, """{"topic":"heard","payload":"1"}""");
        await SendAsync(api, """{"topic":"unheard","payload":"2"}""");
        using (var body = Json("""{"topic":"heard","payload":"3"}""")) await api.Manage.PostAsync("/api/v1/devices/other/messages", body);

        var page = await (await api.Read.GetAsync("/api/v1/downlinks?limit=2")).JsonAsync();
        var next = await (await api.Read.GetAsync($"/api/v1/downlinks?limit=2&cursor={page["next"]}")).JsonAsync();

        Assert.Equal(["3", "2", "1"], page["items"]!.AsArray().Concat(next["items"]!.AsArray()).Select(one => (string?)one!["id"]));
        Assert.Null((string?)next["next"]);
        Assert.Equal(["2", "1"], (await ListAsync(api)).Select(one => (string?)one!["id"]));
        Assert.Equal("2", (string?)Assert.Single(await ListAsync(api, "?status=no-subscriber,acked"))!["id"]);
        await (await api.Read.GetAsync("/api/v1/downlinks?status=lost")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");
        Assert.Equal(HttpStatusCode.NotFound, (await api.Read.GetAsync("/api/v1/devices/nobody/downlinks")).StatusCode);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_kicked_device_goes_offline_when_the_broker_reports_it(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect(Device, connectedAt: DateTimeOffset.FromUnixTimeMilliseconds(1767225600000), port: 5).Ip = "1.2.3.4";
        await using var api = await StartAsync(emqx);
        await api.ComparedAsync("1"); // one that comes after the kick finds the device offline, too

        Assert.Equal(HttpStatusCode.Accepted, (await api.Manage.DeleteAsync("/api/v1/devices/pump%2F7/connection")).StatusCode);

        Assert.Equal([Device], emqx.Kicked);
        Assert.Equal("online", await StatusAsync());
        await api.PostAsync("""{"event":"client.disconnected","clientid":"pump/7","node":"emqx@127.0.0.1","peername":"1.2.3.4:5","connected_at":1767225600000,"disconnected_at":1767225601000,"reason":"kicked"}""");
        Assert.Equal("offline", await StatusAsync());
        await (await api.Manage.DeleteAsync("/api/v1/devices/pump%2F7/connection")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        emqx.Asked = request => request.Method == "GET" ? null : FakeAnswer.Drop;
        emqx.Connect(Device);
        await (await api.Manage.DeleteAsync("/api/v1/devices/pump%2F7/connection")).ProblemAsync(HttpStatusCode.GatewayTimeout, "broker-no-answer");

        async Task<string?> StatusAsync() => (string?)(await (await api.Read.GetAsync("/api/v1/devices/pump%2F7")).JsonAsync())["connectivity"]!["status"];
    }

    private static FakeEmqxVersion Version(string number) => new[] { FakeEmqx.V4, FakeEmqx.V5, FakeEmqx.V6 }.Single(version => version.Number == number);

    private static async Task<ApiHost> StartAsync(FakeEmqx emqx, Dictionary<string, string?>? settings = null)
    {
        settings ??= emqx.Settings();
        settings["Reconciliation:Interval"] = "01:00:00"; // what the broker lists is told by other tests
        var api = await ApiHost.StartAsync(settings);
        await ConnectAsync(api);
        return api;
    }

    private static Task ConnectAsync(ApiHost api, string id = Device) => api.PostAsync(
        $$"""{"event":"client.connected","clientid":"{{id}}","node":"emqx@127.0.0.1","peername":"1.2.3.4:5","connected_at":1767225600000}""");

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task<HttpResponseMessage> PostAsync(ApiHost api, string body, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Messages) { Content = Json(body) };
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        return await api.Manage.SendAsync(request);
    }

    private static async Task<JsonObject> SendAsync(ApiHost api, string body)
    {
        var answer = await PostAsync(api, body);
        Assert.True(answer.StatusCode is HttpStatusCode.Accepted, await answer.Content.ReadAsStringAsync());
        var sent = await answer.JsonAsync();
        Assert.Equal($"/api/v1/downlinks/{sent["id"]}", answer.Headers.Location?.ToString());
        return sent;
    }

    private static async Task<JsonObject> ReadAsync(ApiHost api, JsonObject sent) => await (await api.Read.GetAsync($"/api/v1/downlinks/{sent["id"]}")).JsonAsync();

    private static async Task<JsonArray> ListAsync(ApiHost api, string query = "") =>
        (await (await api.Read.GetAsync($"/api/v1/devices/pump%2F7/downlinks{query}")).JsonAsync())["items"]!.AsArray();

    private static async Task<IEnumerable<string?>> EventsAsync(ApiHost api) =>
        (await (await api.Read.GetAsync("/api/v1/events?types=downlink.*")).JsonAsync())["items"]!.AsArray().Select(one => (string?)one!["type"]);
}
