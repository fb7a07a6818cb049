using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebhookService.Api.Tests.Operating;

public sealed class Health
{
    [Fact]
    public async Task A_failing_check_makes_it_unready_but_not_dead_and_tells_no_details()
    {
        await using var api = await ApiHost.StartAsync(configure: builder => builder.Services.AddHealthChecks()
            .AddCheck("broken", () => HealthCheckResult.Unhealthy("cannot open /secret/path", new IOException("/secret/path"))));

        var live = await api.Anonymous.GetAsync("/health/live");
        var ready = await api.Anonymous.GetAsync("/health/ready");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (live.StatusCode, ready.StatusCode));
        var text = await ready.Content.ReadAsStringAsync();
        Assert.Equal("unhealthy", (string?)(await ready.JsonAsync())["checks"]!["broken"]);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_Server_header_is_off()
    {
        await using var api = await ApiHost.StartAsync();

        Assert.Empty((await api.Anonymous.GetAsync("/health/live")).Headers.Server);
    }
}
