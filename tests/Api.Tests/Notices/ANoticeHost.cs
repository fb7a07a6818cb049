using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Infrastructure.Tests;

namespace WebhookService.Api.Tests.Notices;

/// <summary>The service with rules and targets, on a clock that the test moves, and somebody who is told.</summary>
internal sealed class ANoticeHost : IAsyncDisposable
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private ANoticeHost(ApiHost api, AReceiver receiver, AClock clock, Script script) => (Api, Receiver, Clock, Script) = (api, receiver, clock, script);

    public ApiHost Api { get; }
    public AReceiver Receiver { get; }
    public AClock Clock { get; }
    public Script Script { get; }

    private int messages;

    /// <param name="settings">Of the section `Notices`, or whole keys that begin with `/`. The targets `ops` and `boss` are there.</param>
    public static async Task<ANoticeHost> StartAsync(params (string Key, string Value)[] settings)
    {
        var (clock, receiver, script) = (new AClock(Noon), await AReceiver.StartAsync(), new Script());
        var all = new Dictionary<string, string?> { ["Reconciliation:StartGrace"] = "00:00:00" };
        foreach (var target in new[] { "ops", "boss" })
        {
            all[$"Notices:Targets:{target}:Url"] = $"{receiver.Url}/{target}";
            all[$"Notices:Targets:{target}:AllowPrivate"] = "true";
            all[$"Handlers:notice-target-{target}:Timeout"] = "01:00:00"; // the clock goes on while a post is under way
        }
        foreach (var (key, value) in settings) all[key[0] is '/' ? key[1..] : $"Notices:{key}"] = value;
        var api = await ApiHost.StartAsync(all, builder => builder.Services
            .AddSingleton<TimeProvider>(clock).AddSingleton(script).AddSingleton(new HandlerAssembly(typeof(ANoticeHost).Assembly)));
        return new(api, receiver, clock, script);
    }

    private long Ms => Clock.GetUtcNow().ToUnixTimeMilliseconds();

    public Task ConnectAsync(string client) => Api.PostAsync(
        $$"""{"event":"client.connected","clientid":"{{client}}","node":"n","peername":"1.2.3.4:5","connected_at":{{Ms}}}""");

    public Task DisconnectAsync(string client, DateTimeOffset connected, string reason = "keepalive_timeout") => Api.PostAsync(
        $$"""{"event":"client.disconnected","clientid":"{{client}}","node":"n","peername":"1.2.3.4:5","connected_at":{{connected.ToUnixTimeMilliseconds()}},"disconnected_at":{{Ms}},"reason":"{{reason}}"}""");

    public Task PublishAsync(string client, string topic, string payload) => Api.PostAsync(
        $$"""{"event":"message.publish","id":"0006{{++messages:D28}}","clientid":"{{client}}","topic":"{{topic}}","payload":"{{payload.Replace("\"", "\\\"", StringComparison.Ordinal)}}","qos":1,"timestamp":{{Ms}}}""");

    public async Task<IReadOnlyList<string>> NoticesAsync(string query = "") =>
        [.. (await (await Api.Read.GetAsync($"/api/v1/notices{query}")).JsonAsync())["items"]!.AsArray().Select(one => $"{one!["rule"]} {one["state"]} {one["clientId"] ?? one["handler"]}")];

    public async Task<JsonObject> HandlerAsync(string name) => await (await Api.Manage.GetAsync($"/api/v1/handlers/{name}")).JsonAsync();

    /// <summary>Lets the clock go on by a step until it has come to that.</summary>
    public Task UntilAsync(Func<bool> condition, double step = 0.25) => UntilAsync(() => Task.FromResult(condition()), step);

    public Task UntilAsync(Func<Task<bool>> condition, double step = 0.25) => AHandlerHost.UntilAsync(async () =>
    {
        if (await condition()) return true;
        Clock.Advance(TimeSpan.FromSeconds(step));
        return false;
    });

    /// <summary>Until a consumer has dealt with all there is.</summary>
    public Task UntilReadAsync(string consumer) => UntilAsync(async () => (long)(await HandlerAsync(consumer))["lag"]! == 0, step: 0);

    public async ValueTask DisposeAsync()
    {
        await Api.DisposeAsync();
        await Receiver.DisposeAsync();
    }
}
