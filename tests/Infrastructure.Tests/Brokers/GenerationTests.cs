using WebhookService.Application.Brokers;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>Which generation of the API a broker has, and how it is addressed.</summary>
public sealed class GenerationTests
{
    [Theory]
    [InlineData("4.4.19", "/api/v5/nodes", "/api/v4/nodes", "/api/v4/clients/a", "/api/v4/clients/b")]
    [InlineData("5.8.9", "/api/v5/nodes", "/api/v5/clients/a", "/api/v5/clients/b")]
    public async Task It_is_asked_for_once(string version, params string[] paths)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx);

        await broker.FindAsync("a");
        await broker.FindAsync("b");

        Assert.Equal(paths, emqx.Requests.Select(request => request.Path));
    }

    [Theory]
    [InlineData("4.4.19", "4", "/api/v4/clients/a")]
    [InlineData("6.0.2", "5", "/api/v5/clients/a")]
    public async Task It_is_not_asked_for_where_it_is_configured(string version, string configured, string path)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx, options => options.Version = configured);

        await broker.FindAsync("a");

        Assert.Equal(path, Assert.Single(emqx.Requests).Path);
    }

    [Fact]
    public async Task After_a_failure_it_is_asked_for_again_because_brokers_are_upgraded()
    {
        await using var old = await FakeEmqx.StartAsync(FakeEmqx.V4);
        using var broker = Of(old);
        await broker.FindAsync("a");
        old.Asked = request => request.Path == "/api/v5/nodes" ? FakeAnswer.Json("[]")
            : request.Path.StartsWith("/api/v5/clients/", StringComparison.Ordinal) ? FakeAnswer.Json("""{"code":"CLIENTID_NOT_FOUND"}""", 404)
            : FakeAnswer.Status(404);

        await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("a"));
        var found = await broker.FindAsync("a");

        Assert.Null(found);
        Assert.Equal("/api/v5/clients/a", old.Requests[^1].Path);
    }

    [Fact]
    public async Task An_address_with_neither_is_told()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        using var broker = Of(emqx, options => options.Url = emqx.Address + "elsewhere");

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("a"));

        Assert.Contains("and so was /api/v4/nodes", failure.Message, StringComparison.Ordinal);
        Assert.Contains("8081 in 4.x", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "/api/v5/clients/a")]
    [InlineData("/", "/api/v5/clients/a")]
    [InlineData("/api/v5", "/api/v5/clients/a")]
    [InlineData("/api/v4/", "/api/v5/clients/a")]
    [InlineData("/brokers/east/", "/brokers/east/api/v5/clients/a")]
    [InlineData("/brokers/east/api/v5", "/brokers/east/api/v5/clients/a")]
    public async Task The_path_of_the_address_stays_in_front(string path, string asked)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json("""{"code":"CLIENTID_NOT_FOUND"}""", 404);
        using var broker = Of(emqx, options => (options.Url, options.Version) = ($"http://{emqx.Address.Authority}{path}", "5"));

        await broker.FindAsync("a");

        Assert.Equal(asked, Assert.Single(emqx.Requests).Path);
    }

    [Fact]
    public async Task A_bearer_token_opens_it_too()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("a");
        using var broker = Of(emqx, options => (options.ApiKey, options.ApiSecret, options.Token) = (null, null, FakeEmqx.Token));

        var ids = await broker.IdsAsync();

        Assert.Equal(["a"], ids);
    }
}
