using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebhookService.Api.Devices;

namespace WebhookService.Api.Tests.Devices;

public sealed class ClientIdsInPaths(ApiHost api) : IClassFixture<ApiHost>
{
    public static TheoryData<string> Odd => new(
        "a/b", "a%2Fb", "a%252Fb", "..", ".", "../x", "a/../b", "%", "100%25", "+", "a b", " lead", "trail ", "null", "\"quoted\"", "'it''s'", "line\nbreak", "tab\t", "a\\b", "a?b=c", "a#b", "a&b;c",
        "x/sessions", "/sessions", "sessions", "state:batch", "emoji 🌡️ ü 中", "$share/g/t", "*", "a*", "~", "{clientId}", "A", "a", "=cmd|' /C calc'!A0", "a,b", "<script>", "e\u0301", "é");

    [Theory]
    [MemberData(nameof(Odd))]
    public async Task Any_id_comes_back_from_its_path_and_from_lists(string id)
    {
        await api.ConnectAsync(id);
        var path = $"/api/v1/devices/{ClientIdInPath.Encode(id)}";

        var device = await (await api.Read.SendAsync(api.Raw(HttpMethod.Get, path))).JsonAsync();
        var sessions = await (await api.Read.SendAsync(api.Raw(HttpMethod.Get, path + "/sessions"))).JsonAsync();
        var subscriptions = await api.Read.SendAsync(api.Raw(HttpMethod.Get, path + "/subscriptions?limit=1"));
        var listed = await (await api.Read.GetAsync($"/api/v1/devices?clientId={Uri.EscapeDataString(id.EndsWith('*') ? id[..^1] + @"\*" : id)}")).JsonAsync();
        var states = await (await api.Read.PostAsJsonAsync("/api/v1/devices/state:batch", new { clientIds = new[] { id } })).JsonAsync();

        Assert.Equal(id, (string?)device["clientId"]);
        Assert.Equal(id, (string?)Assert.Single(sessions["items"]!.AsArray())!["clientId"]);
        Assert.Equal((string?)device["session"]!["id"], (string?)sessions["items"]![0]!["id"]);
        Assert.Equal(HttpStatusCode.OK, subscriptions.StatusCode);
        Assert.Equal(id, (string?)Assert.Single(listed["items"]!.AsArray())!["clientId"]);
        Assert.Equal(id, (string?)Assert.Single(states["items"]!.AsArray())!["clientId"]);
    }

    [Fact]
    public async Task The_longest_id_that_MQTT_allows_fits_into_a_path()
    {
        var id = new string('/', 65_535);
        await api.ConnectAsync(id);

        var answer = await api.Read.GetAsync($"/api/v1/devices/{Uri.EscapeDataString(id)}?");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("/api/v1/devices/a%", "clientId")]
    [InlineData("/api/v1/devices/a%zz", "clientId")]
    [InlineData("/api/v1/devices/%FF", "clientId")]
    [InlineData("/api/v1/devices/%C3%28/sessions", "clientId")]
    public async Task A_path_that_is_no_encoded_text_is_refused(string path, string parameter)
    {
        var problem = await (await api.Read.SendAsync(api.Raw(HttpMethod.Get, path))).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Fact]
    public async Task A_path_in_disguise_is_refused_rather_than_decoded_twice() =>
        await (await api.Read.SendAsync(api.Raw(HttpMethod.Get, "/api/v1/%64evices/a%2525"))).ProblemAsync(HttpStatusCode.BadRequest, "path-disguised");

    [Theory]
    [InlineData("/api/v1/devices/nobody")]
    [InlineData("/api/v1/devices/nobody/sessions")]
    [InlineData("/api/v1/devices/nobody/subscriptions")]
    [InlineData("/api/v1/devices/no%2Fbody/sessions")]
    public async Task A_device_nobody_named_is_not_found(string path) => await (await api.Read.GetAsync(path)).ProblemAsync(HttpStatusCode.NotFound, "not-found");

    [Fact]
    public async Task The_link_to_the_next_page_keeps_the_path_as_it_was_written()
    {
        const string Id = "li/n k%";
        await api.ConnectAsync(Id);
        foreach (var i in new[] { 1, 2 })
            await api.Ingest.PostAsJsonAsync("/webhook/emqx", new { @event = "client.connected", clientid = Id, node = "emqx@127.0.0.1", peername = "127.0.0.1:6", connected_at = DeviceRequests.Connected.AddSeconds(i).ToUnixTimeMilliseconds() });

        var ends = new List<JsonNode?>();
        var next = $"/api/v1/devices/{Uri.EscapeDataString(Id)}/sessions?limit=1&fields=connectedAt";
        while (next is not null)
        {
            var answer = await api.Read.SendAsync(api.Raw(HttpMethod.Get, next));
            ends.Add(Assert.Single((await answer.JsonAsync())["items"]!.AsArray())!["connectedAt"]);
            next = answer.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
            if (next is not null) Assert.StartsWith("/api/v1/devices/li%2Fn%20k%25/sessions?limit=1&fields=connectedAt&cursor=", next, StringComparison.Ordinal);
        }

        Assert.Equal(3, ends.Select(end => (string?)end).Distinct().Count());
    }
}
