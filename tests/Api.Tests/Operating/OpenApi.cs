using WebhookService.Api.Tests.Security;

namespace WebhookService.Api.Tests.Operating;

public sealed class OpenApi
{
    [Fact]
    public async Task The_document_is_OpenAPI_3_1_and_declares_how_to_bring_a_credential()
    {
        await using var api = await ApiHost.StartAsync(map: SharedTokens.MapScopes);

        var document = await (await api.Anonymous.GetAsync("/openapi/v1.json")).JsonAsync();

        Assert.StartsWith("3.1", (string?)document["openapi"], StringComparison.Ordinal);
        Assert.Equal("WebhookService", (string?)document["info"]!["title"]);
        Assert.Equal(["bearer", "basic", "X-Webhook-Token", "token"], document["components"]!["securitySchemes"]!.AsObject().Select(scheme => scheme.Key));
        var operation = document["paths"]!["/test/manage"]!["get"]!;
        Assert.Contains("`manage`", (string?)operation["description"], StringComparison.Ordinal);
        Assert.Equal(["bearer", "basic", "X-Webhook-Token", "token"], operation["security"]!.AsArray().Select(one => one!.AsObject().Single().Key));
    }

    [Theory]
    [InlineData("/webhook", "post", "200 400 401 403 413 415 429")]
    [InlineData("/webhook/{source}", "post", "200 400 401 403 404 413 415 429")]
    [InlineData("/api/v1/devices", "get", "200 400 401 403")]
    [InlineData("/api/v1/devices/{clientId}", "get", "200 304 400 401 403 404")]
    [InlineData("/api/v1/devices/{clientId}", "patch", "200 400 401 403 404 412 415 428 429")]
    [InlineData("/api/v1/devices/{clientId}", "delete", "204 400 401 403 404 412 429")]
    [InlineData("/api/v1/devices/state:batch", "post", "200 400 401 403 415")]
    [InlineData("/api/v1/events", "get", "200 400 401 403")]
    [InlineData("/api/v1/events/stream", "get", "200 400 401 403 503")]
    [InlineData("/api/v1/quarantine/{id}", "delete", "204 400 401 403 404 429")]
    public async Task Each_call_names_its_answers_and_every_refusal_is_a_problem(string path, string method, string statuses)
    {
        await using var api = await ApiHost.StartAsync();

        var document = await (await api.Anonymous.GetAsync("/openapi/v1.json")).JsonAsync();

        var answers = document["paths"]![path]![method]!["responses"]!.AsObject();
        Assert.Equal(statuses, string.Join(' ', answers.Select(answer => answer.Key).Order(StringComparer.Ordinal)));
        foreach (var (_, answer) in answers.Where(answer => answer.Key[0] is '4'))
            Assert.Equal("#/components/schemas/Problem", (string?)answer!["content"]!["application/problem+json"]!["schema"]!["$ref"]);
        Assert.NotNull(document["components"]!["schemas"]!["Problem"]!["properties"]!["hint"]);
    }

    [Fact]
    public async Task Writes_can_be_tried_from_the_document()
    {
        await using var api = await ApiHost.StartAsync();

        var paths = (await (await api.Anonymous.GetAsync("/openapi/v1.json")).JsonAsync())["paths"]!;

        foreach (var path in new[] { "/webhook", "/webhook/publishHook", "/webhook/eventHook", "/webhook/{source}" })
        {
            var body = paths[path]!["post"]!["requestBody"]!["content"]!.AsObject().Single();
            Assert.Equal("application/json", body.Key);
            var answer = await api.Ingest.PostAsync("/webhook", new StringContent(body.Value!["example"]!.ToJsonString()));
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }

        var patch = paths["/api/v1/devices/{clientId}"]!["patch"]!;
        var content = patch["requestBody"]!["content"]!.AsObject();
        Assert.Equal(["application/merge-patch+json", "application/json"], content.Select(type => type.Key));
        Assert.Equal(["name", "tags", "expectations"], content[0]!["schema"]!["properties"]!.AsObject().Select(member => member.Key));
        Assert.True((bool)Header(patch)["required"]!);
        Assert.False((bool?)Header(paths["/api/v1/devices/{clientId}"]!["delete"]!)["required"] ?? false);
        Assert.Equal(["application/json"], paths["/api/v1/devices/state:batch"]!["post"]!["requestBody"]!["content"]!.AsObject().Select(type => type.Key));

        static System.Text.Json.Nodes.JsonNode Header(System.Text.Json.Nodes.JsonNode operation) =>
            operation["parameters"]!.AsArray().Single(one => (string?)one!["name"] == "If-Match")!;
    }

    [Fact]
    public async Task Queries_and_answers_are_as_the_service_takes_and_gives_them()
    {
        await using var api = await ApiHost.StartAsync();

        var paths = (await (await api.Anonymous.GetAsync("/openapi/v1.json")).JsonAsync())["paths"]!;

        var operations = paths.AsObject().SelectMany(path => path.Value!.AsObject()).Select(operation => operation.Value!).ToList();
        foreach (var name in operations.SelectMany(one => one["parameters"]?.AsArray() ?? []).Where(one => (string?)one!["in"] == "query").Select(one => (string)one!["name"]!))
            Assert.True(char.IsAsciiLetterLower(name[0]), name);
        Assert.Equal(
            ["application/json", "application/problem+json", "application/x-ndjson", "text/csv", "text/event-stream"],
            operations.SelectMany(one => one["responses"]!.AsObject()).SelectMany(answer => answer.Value!["content"]?.AsObject().Select(type => type.Key) ?? [])
                .Distinct().Order(StringComparer.Ordinal));
        var devices = paths["/api/v1/devices"]!["get"]!;
        Assert.Contains("tag.<name>", devices["parameters"]!.AsArray().Select(one => (string?)one!["name"]));
        Assert.NotNull(devices["responses"]!["200"]!["content"]!["application/json"]!["schema"]);
        Assert.Null(devices["responses"]!["200"]!["content"]!["application/x-ndjson"]!["schema"]);
        Assert.Null(devices["responses"]!["200"]!["content"]!["text/csv"]!["schema"]);
        Assert.NotNull(paths["/api/v1/events"]!["get"]!["responses"]!["200"]!["content"]!["text/csv"]);
        Assert.Contains(("Prefer", "header"), Parameters("/api/v1/events"));
        Assert.Contains(("Last-Event-ID", "header"), Parameters("/api/v1/events/stream"));
        Assert.Null(paths["/api/v1/events/stream"]!["get"]!["responses"]!["200"]!["content"]!["text/event-stream"]!["schema"]);

        IEnumerable<(string?, string?)> Parameters(string path) => paths[path]!["get"]!["parameters"]!.AsArray().Select(one => ((string?)one!["name"], (string?)one["in"]));
    }

    [Fact]
    public async Task The_page_loads_nothing_from_elsewhere()
    {
        await using var api = await ApiHost.StartAsync();

        var page = await api.Anonymous.GetStringAsync("/docs/index.html");
        var settings = await api.Anonymous.GetStringAsync("/docs/index.js");

        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
        Assert.Contains("../openapi/v1.json", settings, StringComparison.Ordinal);
        Assert.True((await api.Anonymous.GetAsync("/docs/swagger-ui-bundle.js")).IsSuccessStatusCode);
    }
}
