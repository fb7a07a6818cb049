using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace WebhookService.Api.Tests.Durability;

/// <summary>The service as a process of its own, killed while brokers send to it: what it answered 200 is there when it comes back.</summary>
public sealed class KillTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("killed-");

    [Fact]
    public async Task What_was_answered_200_outlives_kill_9_and_the_service_starts_again_by_itself()
    {
        var answered = new ConcurrentDictionary<string, byte>();
        for (var life = 1; life <= 3; life++)
        {
            using var service = await ServiceProcess.StartAsync(folder);
            var enough = answered.Count + 400;
            var senders = Enumerable.Range(0, 8).Select(sender => SendUntilKilledAsync(service, $"{life}-{sender}", answered)).ToList();
            while (answered.Count < enough && !senders.TrueForAll(sender => sender.IsCompleted)) await Task.Delay(5);

            service.Kill();
            await Task.WhenAll(senders);
            Assert.True(answered.Count >= enough, $"The service answered {answered.Count} of {enough} before it was killed.");
        }

        using var last = await ServiceProcess.StartAsync(folder);
        var stored = await StoredAsync(last);
        Assert.Empty(answered.Keys.Except(stored));
        Assert.Equal(stored.Count, stored.Distinct().Count());
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static async Task SendUntilKilledAsync(ServiceProcess service, string sender, ConcurrentDictionary<string, byte> answered)
    {
        using var client = service.ClientWith(ApiHost.IngestToken);
        for (var i = 0; i < 100_000; i++)
        {
            var payload = $"{sender}-{i}";
            var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
            var body = $$"""
                {"event":"message.publish","id":"{{Guid.NewGuid():N}}","clientid":"client-{{sender}}","payload":"{{payload}}","peerhost":"127.0.0.1",
                 "topic":"t/{{sender}}","qos":1,"flags":{"retain":false},"publish_received_at":{{now}},"timestamp":{{now}},"node":"n"}
                """;
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var response = await client.PostAsync("webhook/emqx", content);
                if (response.StatusCode is HttpStatusCode.OK) answered[payload] = 0;
            }
            catch (HttpRequestException)
            {
                return; // killed
            }
        }
    }

    private static async Task<List<string>> StoredAsync(ServiceProcess service)
    {
        using var client = service.ClientWith(ApiHost.ReadToken);
        client.DefaultRequestHeaders.Accept.ParseAdd("application/x-ndjson");
        var stored = new List<string>();
        using var reader = new StreamReader(await client.GetStreamAsync("api/v1/messages?limit=1000"));
        while (await reader.ReadLineAsync() is { } line)
            stored.Add(System.Text.Json.JsonElement.Parse(line).GetProperty("payload").GetProperty("data").GetString()!);
        return stored;
    }
}
