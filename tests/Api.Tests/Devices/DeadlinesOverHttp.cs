using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Infrastructure.Tests;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Devices;

/// <summary>What becomes of devices when nothing happens, with short patience; on the real clock where nothing has to come before that.</summary>
public sealed class DeadlinesOverHttp : IAsyncLifetime
{
    private ApiHost api = null!;

    private static Dictionary<string, string?> Short => new()
    {
        ["Presence:OfflineHold"] = "00:00:01",
        ["Presence:TakeoverHold"] = "00:00:01",
        ["Reconciliation:StartGrace"] = "00:00:00",
    };

    public async Task InitializeAsync() => api = await ApiHost.StartAsync(Short);

    public Task DisposeAsync() => api.DisposeAsync().AsTask();

    [Fact]
    public async Task A_device_that_stays_away_is_confirmed_offline()
    {
        await api.ConnectAsync("away");
        var left = DateTimeOffset.UtcNow;
        await DisconnectAsync("away", left, "keepalive_timeout");

        var confirmed = await EventAsync("away", "device.offline-confirmed");

        Assert.Equal(left.ToString("yyyy-MM-ddTHH:mm:ss.fffZ"), (string?)confirmed["data"]!["since"]);
        Assert.Equal(("keepalive-timeout", "confirmed"), ((string?)confirmed["data"]!["reason"], (string?)confirmed["data"]!["confidence"]));
        Assert.InRange((DateTimeOffset)confirmed["at"]! - left, TimeSpan.FromSeconds(0.9), Eventually.Patience); // on a busy machine it is told late
    }

    [Fact]
    public async Task A_takeover_without_a_successor_lapses()
    {
        var clock = new AClock(DateTimeOffset.UtcNow);
        await api.DisposeAsync();
        api = await ApiHost.StartAsync(Short, builder => builder.Services.AddSingleton<TimeProvider>(clock));
        await api.ConnectAsync("taken");
        await DisconnectAsync("taken", clock.GetUtcNow(), "takenover");
        Assert.Equal(("online", "inferred"), await StateAsync("taken"));

        var gone = await EventAsync("taken", "device.went-offline", meanwhile: () => clock.Advance(TimeSpan.FromSeconds(0.1)));

        Assert.Equal(("takeover", "deadline"), ((string?)gone["data"]!["reason"], (string?)gone["data"]!["cause"]));
        Assert.Equal(("offline", "inferred"), await StateAsync("taken"));
    }

    [Fact]
    public async Task A_device_of_which_more_is_expected_goes_silent_and_resumes()
    {
        await api.ConnectAsync("quiet");
        await PublishAsync("quiet", "0001");
        Assert.True((await api.PatchAsync("quiet", """{"expectations":{"messageIntervalSeconds":1}}""", "*")).IsSuccessStatusCode);

        var silent = await EventAsync("quiet", "device.went-silent");
        Assert.Equal(1, (double)silent["data"]!["expectedIntervalSeconds"]!);
        Assert.Equal("silent", (string?)(await (await api.Read.GetAsync("/api/v1/devices/quiet")).JsonAsync())["activity"]!["status"]);

        await PublishAsync("quiet", "0002");
        Assert.True((double)(await EventAsync("quiet", "device.resumed"))["data"]!["silentSeconds"]! >= 1);
    }

    private async Task DisconnectAsync(string client, DateTimeOffset at, string reason)
    {
        var answer = await api.Ingest.PostAsJsonAsync("/webhook/emqx", new
        {
            @event = "client.disconnected",
            clientid = client,
            username = "u",
            node = "emqx@127.0.0.1",
            peername = "127.0.0.1:61003",
            reason,
            connected_at = DeviceRequests.Connected.ToUnixTimeMilliseconds(),
            disconnected_at = at.ToUnixTimeMilliseconds(),
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task PublishAsync(string client, string id)
    {
        var answer = await api.Ingest.PostAsJsonAsync("/webhook/emqx", new
        {
            @event = "message.publish",
            clientid = client,
            id,
            topic = "t",
            payload = "x",
            qos = 0,
            publish_received_at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task<(string?, string?)> StateAsync(string client)
    {
        var connectivity = (await (await api.Read.GetAsync($"/api/v1/devices/{client}")).JsonAsync())["connectivity"]!;
        return ((string?)connectivity["status"], (string?)connectivity["confidence"]);
    }

    /// <summary>The only event of that type, as soon as it is there.</summary>
    private async Task<JsonNode> EventAsync(string client, string type, Action? meanwhile = null)
    {
        List<JsonNode?> found = [];
        await Eventually.IsAsync(async () =>
        {
            var page = await (await api.Read.GetAsync($"/api/v1/devices/{client}/events?limit=100")).JsonAsync();
            found = [.. page["items"]!.AsArray().Where(one => (string?)one!["type"] == type)];
            if (found.Count == 0) meanwhile?.Invoke();
            return found.Count > 0;
        });
        return Assert.Single(found)!;
    }
}
