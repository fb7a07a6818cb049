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
