using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace WebhookService.Api.Tests.History;

/// <summary>Three devices of one day that webhooks told of: one that lasts, one that came, went and came back, and an odd id that went.</summary>
public sealed class AFleetWithAPast : IAsyncLifetime
{
    public const string Odd = "a/b ü%2F*";

    public static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddHours(-10).ToUnixTimeMilliseconds());

    public ApiHost Api { get; private set; } = null!;

    public static string Hour(double hours) => Start.AddHours(hours).UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ");

    public async Task InitializeAsync()
    {
        Api = await ApiHost.StartAsync();
        object[] events =
        [
            Connected("steady", 0), Connected("comes", 1), Disconnected("comes", 1, 2, "keepalive_timeout"), Connected("comes", 4),
            Connected(Odd, 3), Disconnected(Odd, 3, 5, "tcp_closed"),
        ];
        var answer = await Api.Ingest.PostAsJsonAsync("/webhook/emqx", events);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async Task DisposeAsync() => await Api.DisposeAsync();

    private static object Connected(string id, double at) => new
    {
        @event = "client.connected",
        clientid = id,
        username = "u",
        node = $"emqx@{at}",
        peername = "10.0.0.7:61003",
        proto_name = "MQTT",
        proto_ver = 5,
        keepalive = 30,
        connected_at = Start.AddHours(at).ToUnixTimeMilliseconds(),
        timestamp = Start.AddHours(at).ToUnixTimeMilliseconds(),
    };

    private static object Disconnected(string id, double since, double at, string reason) => new
    {
        @event = "client.disconnected",
        clientid = id,
        node = $"emqx@{since}",
        peername = "10.0.0.7:61003",
        reason,
        connected_at = Start.AddHours(since).ToUnixTimeMilliseconds(),
        disconnected_at = Start.AddHours(at).ToUnixTimeMilliseconds(),
        timestamp = Start.AddHours(at).ToUnixTimeMilliseconds(),
    };
}

public sealed class HistoryApiTests(AFleetWithAPast fleet) : IClassFixture<AFleetWithAPast>
{
    private readonly ApiHost api = fleet.Api;

    private static string Hour(double hours) => AFleetWithAPast.Hour(hours);

    [Fact]
    public async Task A_device_tells_how_available_it_was()
    {
        var answer = await api.Read.GetAsync($"/api/v1/devices/comes/availability?from={Hour(0)}&to={Hour(6)}&stretches=true");

        var read = await answer.JsonAsync();
        var expected = $$"""
            {"clientId":"comes","stretches":[
              {"from":"{{Hour(0)}}","to":"{{Hour(1)}}","status":"unknown","reason":null,"confidence":"inferred"},
              {"from":"{{Hour(1)}}","to":"{{Hour(2)}}","status":"online","reason":null,"confidence":"confirmed"},
              {"from":"{{Hour(2)}}","to":"{{Hour(4)}}","status":"offline","reason":"keepalive-timeout","confidence":"confirmed"},
              {"from":"{{Hour(4)}}","to":"{{Hour(6)}}","status":"online","reason":null,"confidence":"confirmed"}],
             "from":"{{Hour(0)}}","to":"{{Hour(6)}}","onlineSeconds":10800,"offlineSeconds":7200,"unknownSeconds":3600,"ratio":0.6,"outages":1,
             "longestOutageSeconds":7200,"mtbfSeconds":10800,"mttrSeconds":7200,"byReason":[{"reason":"keepalive-timeout","outages":1,"offlineSeconds":7200}]}
            """;
        Assert.Equal(JsonNode.Parse(expected)!.ToJsonString(), Sorted(read, expected));
        Assert.True(answer.Headers.CacheControl?.NoStore);
    }

    [Fact]
    public async Task Without_a_time_it_is_the_last_day()
    {
        var before = DateTimeOffset.UtcNow;

        var read = await (await api.Read.GetAsync("/api/v1/devices/steady/availability")).JsonAsync();

        var (from, to) = ((DateTimeOffset)read["from"]!, (DateTimeOffset)read["to"]!);
        Assert.Equal(TimeSpan.FromDays(1), to - from);
        Assert.InRange(to, before.AddSeconds(-1), DateTimeOffset.UtcNow);
        Assert.Equal(((to - AFleetWithAPast.Start).TotalSeconds, 1.0, 0), ((double)read["onlineSeconds"]!, (double)read["ratio"]!, (int)read["outages"]!));
        Assert.Null(read["mtbfSeconds"]);
        Assert.False(read.ContainsKey("stretches"));
    }

    [Fact]
    public async Task What_lies_ahead_is_left_out()
    {
        var read = await (await api.Read.GetAsync($"/api/v1/devices/steady/availability?from={Hour(9)}&to=2999-01-01")).JsonAsync();

        Assert.InRange((DateTimeOffset)read["to"]!, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow);
    }

    [Theory]
    [InlineData(AFleetWithAPast.Odd, HttpStatusCode.OK)]
    [InlineData("stranger", HttpStatusCode.NotFound)]
    [InlineData("steady/", HttpStatusCode.NotFound)]
    public async Task Any_client_id_can_be_asked_for(string clientId, HttpStatusCode status)
    {
        var answer = await api.Read.GetAsync($"/api/v1/devices/{Uri.EscapeDataString(clientId)}/availability?from={Hour(3)}&to={Hour(6)}");

        if (status is HttpStatusCode.NotFound)
        {
            await answer.ProblemAsync(HttpStatusCode.NotFound, "not-found");
            return;
        }
        var read = await answer.JsonAsync();
        Assert.Equal((clientId, 7200, 3600), ((string?)read["clientId"], (double)read["onlineSeconds"]!, (double)read["offlineSeconds"]!));
    }

    [Fact]
    public async Task The_fleet_is_its_devices_added_up_with_the_worst_named()
    {
        var read = await (await api.Read.GetAsync($"/api/v1/availability?from={Hour(1)}&to={Hour(6)}")).JsonAsync();
        var one = await (await api.Read.GetAsync($"/api/v1/availability?from={Hour(1)}&to={Hour(6)}&worst=1&clientId=com*")).JsonAsync();
        var none = await (await api.Read.GetAsync($"/api/v1/availability?from={Hour(1)}&to={Hour(6)}&worst=0&status=offline&tag.site=north")).JsonAsync();

        Assert.Equal((3, 36_000, 10_800, 7_200, 2), ((int)read["devices"]!, (double)read["onlineSeconds"]!, (double)read["offlineSeconds"]!, (double)read["unknownSeconds"]!, (int)read["outages"]!));
        Assert.Equal(["comes 0.6", $"{AFleetWithAPast.Odd} 0.6666666666666666"], read["worst"]!.AsArray().Select(device => $"{device!["clientId"]} {device["ratio"]}"));
        Assert.Equal((1, "comes"), ((int)one["devices"]!, (string?)one["worst"]![0]!["clientId"]));
        Assert.Equal((0, null, 0), ((int)none["devices"]!, none["ratio"], none["worst"]!.AsArray().Count));
    }

    [Fact]
    public async Task Presence_is_told_from_bucket_to_bucket()
    {
        var read = await (await api.Read.GetAsync($"/api/v1/stats/presence?from={Hour(0)}&to={Hour(5.5)}&bucket=1h")).JsonAsync();

        Assert.Equal((3, 3600), ((int)read["devices"]!, (double)read["bucketSeconds"]!));
        Assert.Equal(
            [
                $"{Hour(0)} 1 0 2 1 0 {{}}", $"{Hour(1)} 2 0 1 1 0 {{}}", $$"""{{Hour(2)}} 1 1 1 0 1 {"keepalive-timeout":1}""", $"{Hour(3)} 2 1 0 1 0 {{}}", $"{Hour(4)} 3 0 0 1 0 {{}}",
                $$"""{{Hour(5)}} 2 1 0 0 1 {"network":1}""",
            ],
            read["buckets"]!.AsArray().Select(one =>
                $"{one!["at"]} {one["online"]} {one["offline"]} {one["unknown"]} {one["connects"]} {one["disconnects"]} {one["disconnectsByReason"]!.ToJsonString()}"));
    }

    [Theory]
    [InlineData("60s", 60, 60)]
    [InlineData("60", 60, 60)]
    [InlineData("7m", 420, 9)]
    [InlineData("1d", 86_400, 1)]
    [InlineData(null, 60, 60)]
    public async Task A_bucket_is_as_long_as_asked(string? bucket, int seconds, int count)
    {
        var read = await (await api.Read.GetAsync($"/api/v1/stats/presence?from={Hour(0)}&to={Hour(1)}{(bucket is null ? "" : $"&bucket={bucket}")}")).JsonAsync();

        Assert.Equal((seconds, count), ((int)read["bucketSeconds"]!, read["buckets"]!.AsArray().Count));
    }

    [Fact]
    public async Task The_list_of_devices_can_be_that_of_a_past_time()
    {
        var then = await (await api.Read.GetAsync($"/api/v1/devices?at={Hour(2.5)}")).JsonAsync();

        Assert.Equal(["comes offline", "steady online"], then["items"]!.AsArray().Select(one => $"{one!["clientId"]} {one["connectivity"]!["status"]}"));
        var expected = $$"""
            {"clientId":"comes","username":"u","name":null,"tags":{},
             "connectivity":{"status":"offline","since":"{{Hour(2)}}","confidence":"confirmed","lastOnlineAt":"{{Hour(1)}}","lastOfflineAt":"{{Hour(2)}}","lastReason":"keepalive-timeout",
               "lastRawReason":"keepalive_timeout","evidence":"session-end"},
             "session":{"id":"x","node":"emqx@1","connectedAt":"{{Hour(1)}}","ip":"10.0.0.7","port":61003,"protocol":"MQTT","protocolVersion":5,"keepAliveSeconds":30,"cleanStart":null,"expirySeconds":null},
             "firstSeenAt":"x"}
            """;
        var comes = then["items"]![0]!.AsObject();
        var first = (await (await api.Read.GetAsync($"/api/v1/devices/comes/sessions?to={Hour(2)}")).JsonAsync())["items"]![0]!;
        Assert.Equal((string?)first["id"], (string?)comes["session"]!["id"]);
        (comes["session"]!["id"], comes["firstSeenAt"]) = ("x", "x");
        Assert.Equal(JsonNode.Parse(expected)!.ToJsonString(), comes.ToJsonString());
    }

    [Theory]
    [InlineData(-1, "", "")]
    [InlineData(0.5, "", "steady")]
    [InlineData(4.5, "", "a/b ü%2F*|comes|steady")]
    [InlineData(4.5, "&status=online&sort=clientId", "a/b ü%2F*|comes|steady")]
    [InlineData(5.5, "&status=offline,unknown", "a/b ü%2F*")]
    [InlineData(4.5, "&node=emqx@4", "comes")]
    [InlineData(2.5, "&node=emqx@4", "")]
    [InlineData(4.5, "&reason=keepalive-timeout", "comes")]
    [InlineData(4.5, "&clientId=st*&ip=10.0.0.7&username=u&q=EAD", "steady")]
    [InlineData(4.5, "&tag.site=north", "")]
    public async Task Filters_ask_for_what_was(double hours, string filters, string expected)
    {
        var read = await (await api.Read.GetAsync($"/api/v1/devices?at={Hour(hours)}{filters}")).JsonAsync();

        Assert.Equal(expected, string.Join('|', read["items"]!.AsArray().Select(one => (string?)one!["clientId"])));
    }

    [Fact]
    public async Task The_past_is_paged_and_streamed_as_the_present_is()
    {
        var first = await api.Read.GetAsync($"/api/v1/devices?at={Hour(4.5)}&limit=2&fields=clientId,connectivity.status");
        var second = await api.Read.GetAsync(first.Headers.GetValues("Link").Single().Split('<', '>')[1]);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/devices?at={Hour(4.5)}&limit=1") { Headers = { Accept = { new("text/csv") } } };
        var csv = await (await api.Read.SendAsync(request)).Content.ReadAsStringAsync();

        Assert.Equal("""[{"clientId":"steady","connectivity":{"status":"online"}}]""", (await second.JsonAsync())["items"]!.ToJsonString());
        Assert.Equal(5, csv.Split("\r\n").Length);
        Assert.StartsWith("clientId,username,name,tags,connectivity.status,connectivity.since,", csv, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("confidence=confirmed", "confidence")]
    [InlineData("activity=silent", "activity")]
    [InlineData("flapping=true", "flapping")]
    [InlineData("lastSeenAfter=2026-01-01", "lastSeenAfter")]
    [InlineData("lastSeenBefore=2026-01-01", "lastSeenBefore")]
    [InlineData("sort=-lastSeenAt", "sort")]
    [InlineData("count=exact", "count")]
    public async Task What_nobody_knows_of_the_past_is_refused_by_name(string query, string parameter)
    {
        var problem = await (await api.Read.GetAsync($"/api/v1/devices?at={Hour(1)}&{query}")).ProblemAsync(HttpStatusCode.BadRequest, "not-in-the-past");

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("devices?at=2999-01-01", "at")]
    [InlineData("devices?at=then", "at")]
    [InlineData("devices?at=2026-01-01&fields=counters", "fields")]
    [InlineData("devices?at=2026-01-01&status=up", "status")]
    [InlineData("devices?at=2026-01-01&cursor=abc", "cursor")]
    [InlineData("devices/steady/availability?from=2026-01-02&to=2026-01-01", "from")]
    [InlineData("devices/steady/availability?from=2026-01-02&to=2026-01-02", "from")]
    [InlineData("devices/steady/availability?from=2999-01-01", "from")]
    [InlineData("devices/steady/availability?from=2999-01-01&to=2999-01-02", "from")]
    [InlineData("devices/steady/availability?from=2020-01-01&to=2021-06-01", "from")]
    [InlineData("devices/steady/availability?to=0001-01-01", "to")]
    [InlineData("devices/steady/availability?to=soon", "to")]
    [InlineData("devices/steady/availability?stretches=some", "stretches")]
    [InlineData("availability?from=2999-01-01", "from")]
    [InlineData("availability?worst=1001", "worst")]
    [InlineData("availability?worst=-1", "worst")]
    [InlineData("availability?status=up", "status")]
    [InlineData("stats/presence?bucket=1w", "bucket")]
    [InlineData("stats/presence?bucket=0", "bucket")]
    [InlineData("stats/presence?bucket=-5m", "bucket")]
    [InlineData("stats/presence?bucket=5%20m", "bucket")]
    [InlineData("stats/presence?bucket=1s", "bucket")]
    [InlineData("stats/presence?bucket=367d", "bucket")]
    [InlineData("stats/presence?bucket=99999999999999999999", "bucket")]
    [InlineData("stats/presence?from=2026-01-02&to=2026-01-01", "from")]
    public async Task A_question_that_cannot_be_answered_is_refused_by_name(string path, string parameter)
    {
        var problem = await (await api.Read.GetAsync($"/api/v1/{path}")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(parameter, (string?)problem["parameter"]);
        Assert.False(string.IsNullOrEmpty((string?)problem["hint"]) && parameter is not "cursor");
    }

    [Theory]
    [InlineData("availability?limit=5", "unknown-parameter")]
    [InlineData("stats/presence?worst=5", "unknown-parameter")]
    [InlineData("devices/steady/availability?status=online", "unknown-parameter")]
    [InlineData("stats?from=2026-01-01", "unknown-parameter")]
    [InlineData("availability?status=online&status=offline", "repeated-parameter")]
    [InlineData("stats/presence?bucket=1h&bucket=2h", "repeated-parameter")]
    [InlineData("devices/steady/availability?from=2026-01-01&from=2026-01-02", "repeated-parameter")]
    [InlineData("devices?at=2026-01-01&at=2026-01-02", "repeated-parameter")]
    public async Task A_parameter_that_would_be_ignored_is_refused(string path, string code) =>
        await (await api.Read.GetAsync($"/api/v1/{path}")).ProblemAsync(HttpStatusCode.BadRequest, code);

    [Theory]
    [InlineData("availability")]
    [InlineData("stats/presence")]
    [InlineData("devices/steady/availability")]
    public async Task The_past_is_for_those_who_may_read(string path)
    {
        await (await api.Anonymous.GetAsync($"/api/v1/{path}")).ProblemAsync(HttpStatusCode.Unauthorized, "credential-missing");
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Ingest.GetAsync($"/api/v1/{path}")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.Manage.GetAsync($"/api/v1/{path}")).StatusCode);
    }

    [Fact]
    public async Task The_description_of_the_API_tells_of_it()
    {
        var document = await (await api.Anonymous.GetAsync("/openapi/v1.json")).JsonAsync();

        foreach (var (path, parameters) in new[]
        {
            ("/api/v1/devices/{clientId}/availability", "clientId stretches from to"), ("/api/v1/availability", "worst from to tag.<name> status"),
            ("/api/v1/stats/presence", "bucket from to tag.<name> clientId"), ("/api/v1/devices", "at status tag.<name> cursor"),
        })
            Assert.Superset(parameters.Split(' ').ToHashSet(), document["paths"]![path]!["get"]!["parameters"]!.AsArray().Select(one => (string)one!["name"]!).ToHashSet());
        var list = document["paths"]!["/api/v1/devices"]!["get"]!["responses"]!["200"]!["content"]!;
        Assert.Equal(2, list["application/json"]!["schema"]!["oneOf"]!.AsArray().Count);
        var past = Resolved(Resolved(list["application/json"]!["schema"]!["oneOf"]![1]!)["properties"]!["items"]!["items"]!);
        Assert.Equal(["clientId", "username", "name", "tags", "connectivity", "session", "firstSeenAt"], past["properties"]!.AsObject().Select(member => member.Key));

        JsonNode Resolved(JsonNode schema) =>
            (string?)schema["$ref"] is { } name ? document["components"]!["schemas"]![name.Split('/')[^1]]! : schema;
    }

    /// <summary>The same members in the order of the expectation: JSON objects have none.</summary>
    private static string Sorted(JsonObject read, string like)
    {
        var order = JsonNode.Parse(like)!.AsObject().Select(member => member.Key).ToList();
        Assert.Equal(order.Order(StringComparer.Ordinal), read.Select(member => member.Key).Order(StringComparer.Ordinal));
        return new JsonObject(order.Select(name => KeyValuePair.Create(name, read[name]?.DeepClone()))).ToJsonString();
    }
}
