using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Handlers;

/// <summary>The service with the handlers of this assembly, of which those that are named are on.</summary>
internal static class AHandlerHost
{
    public static Task<ApiHost> StartAsync(Script script, string[] on, Dictionary<string, string?>? settings = null)
    {
        settings ??= [];
        foreach (var name in on) settings[$"Handlers:{name}:Enabled"] = "true";
        return ApiHost.StartAsync(settings, builder => builder.Services
            .AddSingleton(script).AddSingleton(new HandlerAssembly(typeof(AHandlerHost).Assembly)));
    }

    public static async Task PostAsync(this ApiHost api, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await api.Ingest.PostAsync("/webhook/emqx", content);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    /// <summary>An event of which the service only knows that it came: a line of the journal of type `emqx.odd`.</summary>
    public static Task PostOddAsync(this ApiHost api, string client, int n) =>
        api.PostAsync($$"""{"event":"odd","clientid":"{{client}}","n":{{n}},"timestamp":{{1767225600000 + (n * 60_000L)}}}""");

    public static Task UntilAsync(Func<Task<bool>> condition) => Eventually.IsAsync(condition);

    public static Task UntilAsync(Func<bool> condition) => Eventually.IsAsync(() => Task.FromResult(condition()));
}
