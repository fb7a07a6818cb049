using System.Net;
using System.Text.Json.Nodes;

namespace WebhookService.Api.Tests.Devices;

public sealed class FleetOfTwelve : IAsyncLifetime
{
    public static readonly string[] Odd = ["a,b", "q\"uote", "line\r\nbreak", " space ", "=1+1", "ü🌡"];

    public static readonly string[] Ids = [.. Odd, "d0", "d1", "d2", "d3", "d4", "d5"];

    public ApiHost Api { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Api = await ApiHost.StartAsync();
        await Api.ConnectAsync(Ids);
    }

    public async Task DisposeAsync() => await Api.DisposeAsync();
}

public sealed class DeviceLists(FleetOfTwelve fleet) : IClassFixture<FleetOfTwelve>
{
    private readonly ApiHost api = fleet.Api;

    [Fact]
    public async Task Pages_follow_their_links_to_every_device_once()
    {
        var ids = new List<string?>();
        var next = "/api/v1/devices?limit=5&sort=-connectedAt&status=online,offline&count=exact";
        var pages = 0;
        while (next is not null)
        {
            var answer = await api.Read.GetAsync(next);
            var page = await answer.JsonAsync();
            ids.AddRange(page["items"]!.AsArray().Select(item => (string?)item!["clientId"]));
            Assert.Equal(12, (int)page["count"]!);
            next = answer.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
            Assert.Equal(next is null, page["next"] is null);
            if (next is not null) Assert.EndsWith($">; rel=\"next\"", answer.Headers.GetValues("Link").Single(), StringComparison.Ordinal);
            pages++;
        }

        Assert.Equal(3, pages);
        Assert.Equal(FleetOfTwelve.Ids.Order(StringComparer.Ordinal), ids.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Lines_of_JSON_bring_the_whole_list_whatever_the_limit()
    {
        var answer = await GetAsync("/api/v1/devices?limit=5&fields=clientId,connectivity.status", "application/x-ndjson");

        var text = await answer.Content.ReadAsStringAsync();
        Assert.Equal("application/x-ndjson", answer.Content.Headers.ContentType?.MediaType);
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(12, lines.Length);
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.Equal(FleetOfTwelve.Ids.Order(StringComparer.Ordinal), lines.Select(line => (string?)JsonNode.Parse(line)!["clientId"]).Order(StringComparer.Ordinal));
        Assert.Contains("""{"clientId":"line\r\nbreak","connectivity":{"status":"online"}}""", lines);
    }

    [Fact]
    public async Task CSV_brings_every_id_exactly()
    {
        var answer = await GetAsync("/api/v1/devices?limit=5&fields=username,clientId", "text/csv");

        var text = await answer.Content.ReadAsStringAsync();
        Assert.Equal("text/csv; charset=utf-8; header=present", answer.Content.Headers.ContentType?.ToString());
        Assert.StartsWith("clientId,username\r\n", text, StringComparison.Ordinal);
        foreach (var row in new[] { "\"a,b\",u", "\"q\"\"uote\",u", "\"line\r\nbreak\",u", "\" space \",u", "=1+1,u", "ü🌡,u", "d5,u" })
            Assert.Contains($"\r\n{row}\r\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CSV_has_one_column_for_each_member()
    {
        var text = await (await GetAsync("/api/v1/devices?clientId=d0", "text/csv")).Content.ReadAsStringAsync();

        var (header, row) = (text.Split("\r\n")[0].Split(','), text.Split("\r\n")[1].Split(','));
        Assert.Equal(header.Length, row.Length);
        Assert.Equal("online", row[Array.IndexOf(header, "connectivity.status")]);
        Assert.Equal("61003", row[Array.IndexOf(header, "session.port")]);
        Assert.Equal("{}", row[Array.IndexOf(header, "tags")]);
        Assert.Equal("", row[Array.IndexOf(header, "name")]);
        Assert.Equal("false", row[Array.IndexOf(header, "connectivity.flapping")]);
    }

    [Theory]
    [InlineData("clientId", """{"clientId":"d0"}""")]
    [InlineData("session.port,session.node,version", """{"session":{"node":"emqx@127.0.0.1","port":61003},"version":0}""")]
    [InlineData("activity", """{"activity":{"status":"never","lastMessageAt":null,"lastTopic":null}}""")]
    public async Task Fields_choose_members(string fields, string expected)
    {
        var page = await (await api.Read.GetAsync($"/api/v1/devices?clientId=d0&fields={fields}")).JsonAsync();

        var item = page["items"]![0]!.AsObject();
        if (item.ContainsKey("version")) item["version"] = 0;
        Assert.Equal(expected, item.ToJsonString());
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=x", "limit")]
    [InlineData("limit=99999999999", "limit")]
    [InlineData("status=up", "status")]
    [InlineData("status=online,", "status")]
    [InlineData("confidence=1", "confidence")]
    [InlineData("activity=x", "activity")]
    [InlineData("reason=KeepaliveTimeout", "reason")]
    [InlineData("sort=age", "sort")]
    [InlineData("sort=--clientId", "sort")]
    [InlineData("count=all", "count")]
    [InlineData("flapping=maybe", "flapping")]
    [InlineData("fields=colour", "fields")]
    [InlineData("fields=connectivity.colour", "fields")]
    [InlineData("cursor=abc", "cursor")]
    [InlineData("lastSeenAfter=yesterday", "lastSeenAfter")]
    [InlineData("lastSeenBefore=2026-01-01T00:00:00+02:00", "lastSeenBefore")]
    public async Task A_parameter_that_cannot_be_is_refused_by_name(string query, string parameter)
    {
        var problem = await (await api.Read.GetAsync($"/api/v1/devices?{query}")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("colour=red", "unknown-parameter")]
    [InlineData("tags.site=north", "unknown-parameter")]
    [InlineData("status=online&status=offline", "repeated-parameter")]
    public async Task A_parameter_that_would_be_ignored_is_refused(string query, string code) =>
        await (await api.Read.GetAsync($"/api/v1/devices?{query}")).ProblemAsync(HttpStatusCode.BadRequest, code);

    [Theory]
    [InlineData("clientId=d*", 6)]
    [InlineData("tag.site=north", 0)]
    [InlineData("tag.odd%20na.me=x", 0)]
    [InlineData("lastSeenAfter=2020-01-01", 12)]
    [InlineData("lastSeenBefore=2020-01-01T00:00:00%2B02:00", 0)]
    [InlineData("q=D", 6)]
    [InlineData("username=u&node=emqx@127.0.0.1&ip=127.0.0.1&confidence=confirmed,inferred&activity=never&flapping=false", 12)]
    [InlineData("reason=keepalive-timeout", 0)]
    public async Task Filters_reach_the_query(string query, int count)
    {
        var page = await (await api.Read.GetAsync($"/api/v1/devices?{query}&count=exact")).JsonAsync();

        Assert.Equal((count, count), ((int)page["count"]!, page["items"]!.AsArray().Count));
    }

    [Theory]
    [InlineData("text/html", HttpStatusCode.NotAcceptable, "application/problem+json")]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", HttpStatusCode.OK, "application/json")]
    [InlineData("text/csv;q=0.5, application/x-ndjson", HttpStatusCode.OK, "application/x-ndjson")]
    [InlineData("application/json;q=0, text/csv", HttpStatusCode.OK, "text/csv")]
    public async Task The_caller_chooses_the_form(string accept, HttpStatusCode status, string type)
    {
        var answer = await GetAsync("/api/v1/devices", accept);

        Assert.Equal((status, type), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    [Theory]
    [InlineData("/api/v1/sessions", 12)]
    [InlineData("/api/v1/sessions?clientId=d*&open=true&status=online&username=u&ip=127.0.0.1", 6)]
    [InlineData("/api/v1/sessions?open=false", 0)]
    [InlineData("/api/v1/devices/d0/sessions?from=2020-01-01", 1)]
    [InlineData("/api/v1/devices/d0/sessions?to=2020-01-01", 0)]
    [InlineData("/api/v1/devices/d0/subscriptions", 0)]
    public async Task Sessions_and_subscriptions_are_lists_too(string path, int count)
    {
        var page = await (await api.Read.GetAsync(path)).JsonAsync();
        var csv = await (await GetAsync(path, "text/csv")).Content.ReadAsStringAsync();

        Assert.Equal(count, page["items"]!.AsArray().Count);
        Assert.True(csv.Split("\r\n").Length >= count + 2);
    }

    [Fact]
    public async Task The_description_of_the_API_tells_the_shape_of_lists()
    {
        var document = JsonNode.Parse(await api.Anonymous.GetStringAsync("/openapi/v1.json"))!;

        var list = document["paths"]!["/api/v1/devices"]!["get"]!;
        Assert.Equal(["application/json", "application/x-ndjson", "text/csv"], list["responses"]!["200"]!["content"]!.AsObject().Select(type => type.Key));
        Assert.Contains(list["parameters"]!.AsArray(), parameter => (string?)parameter!["name"] is "lastSeenAfter" or "LastSeenAfter");
        var one = document["paths"]!["/api/v1/devices/{clientId}"]!["get"]!["parameters"]!.AsArray().Single();
        Assert.Equal(("clientId", "path", "string"), ((string?)one!["name"], (string?)one["in"], (string?)one["schema"]!["type"]));
    }

    private Task<HttpResponseMessage> GetAsync(string path, string accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return api.Read.SendAsync(request);
    }
}
