using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Api.Security;

namespace WebhookService.Api.Tests.Security;

public sealed class NothingIsOpen
{
    private static readonly string[] Open = ["/health/live", "/health/ready", "/openapi/{documentName}.json"];

    [Fact]
    public async Task Every_route_names_the_policy_of_a_scope_or_is_one_of_the_few_open_ones()
    {
        await using var api = await ApiHost.StartAsync();

        var routes = api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();

        Assert.NotEmpty(routes);
        foreach (var route in routes)
        {
            var anonymous = route.Metadata.GetMetadata<IAllowAnonymous>() is not null;
            var policies = route.Metadata.GetOrderedMetadata<IAuthorizeData>().Select(data => data.Policy).ToList();
            var marked = anonymous ? Open.Contains(route.RoutePattern.RawText) : policies.Count > 0 && policies.All(policy => Scopes.All.Contains(policy));
            Assert.True(marked, $"{route.DisplayName} is {(anonymous ? "open" : $"marked [{string.Join(',', policies)}]")}");
        }
    }

    [Fact]
    public async Task A_route_that_somebody_forgot_to_mark_is_closed_to_everyone()
    {
        await using var api = await ApiHost.StartAsync(map: app =>
        {
            app.MapGet("/test/forgotten", () => "open");
            app.MapGet("/test/half-marked", () => "open").RequireAuthorization();
        });

        foreach (var path in new[] { "/test/forgotten", "/test/half-marked" })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await api.Anonymous.GetAsync(path)).StatusCode);
            Assert.Equal(HttpStatusCode.Forbidden, (await api.Manage.GetAsync(path)).StatusCode);
        }
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/docs/index.html")]
    public async Task Health_and_the_description_of_the_API_are_open(string path)
    {
        await using var api = await ApiHost.StartAsync();

        Assert.Equal(HttpStatusCode.OK, (await api.Anonymous.GetAsync(path)).StatusCode);
    }
}
