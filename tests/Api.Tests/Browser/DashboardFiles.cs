using System.Net;

namespace WebhookService.Api.Tests.Browser;

public sealed class DashboardFiles(ApiHost api) : IClassFixture<ApiHost>
{
    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/app.js", "text/javascript")]
    [InlineData("/lib/api.js", "text/javascript")]
    [InlineData("/style.css", "text/css")]
    [InlineData("/icon.svg", "image/svg+xml")]
    public async Task The_pages_are_open_to_everyone_and_may_load_nothing_but_themselves(string path, string contentType)
    {
        var answer = await api.Anonymous.GetAsync(path);

        Assert.Equal((HttpStatusCode.OK, contentType), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
    }

    [Fact]
    public async Task A_page_that_did_not_change_is_not_sent_again()
    {
        var first = await api.Anonymous.GetAsync("/app.js");
        using var again = new HttpRequestMessage(HttpMethod.Get, "/app.js") { Headers = { IfNoneMatch = { first.Headers.ETag! } } };

        Assert.Equal(HttpStatusCode.NotModified, (await api.Anonymous.SendAsync(again)).StatusCode);
    }

    [Theory]
    [InlineData("/api/v1/devices", HttpStatusCode.Unauthorized)]
    [InlineData("/nothing-here", HttpStatusCode.NotFound)]
    [InlineData("/..%2fappsettings.json", HttpStatusCode.NotFound)]
    public async Task Nothing_else_is_opened_by_them(string path, HttpStatusCode status) =>
        Assert.Equal(status, (await api.Anonymous.GetAsync(path)).StatusCode);
}
