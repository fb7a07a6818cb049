using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Handlers;

/// <summary>What docs/handlers.md shows does what it says.</summary>
public sealed class ExamplesTests
{
    [Fact]
    public async Task A_kicked_device_is_noted()
    {
        await using var api = await AHandlerHost.StartAsync(new(), ["note-kicks", "warn-on-unclean-farewell"]);
        await api.PostAsync("""{"event":"client.connected","clientid":"a","node":"n","peername":"1.2.3.4:5","connected_at":1767225600000}""");

        await api.PostAsync("""{"event":"client.disconnected","clientid":"a","node":"n","peername":"1.2.3.4:5","connected_at":1767225600000,"disconnected_at":1767225601000,"reason":"kicked"}""");

        await AHandlerHost.UntilAsync(() => api.Logs.Any(line => line.Contains("a was kicked at ", StringComparison.Ordinal)));
        await AHandlerHost.UntilAsync(() => api.Logs.Any(line => line.Contains("Device a left uncleanly: Kicked (kicked)", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Grave_alarms_of_the_topic_are_logged_and_what_is_no_alarm_is_a_dead_letter()
    {
        await using var api = await AHandlerHost.StartAsync(new(), ["log-alarms"]);

        await PublishAsync(api, 1, "site/north/pump-1/alarm", """{\"level\":2,\"text\":\"warm\"}""");
        await PublishAsync(api, 2, "site/north/pump-1/state", """{\"level\":9,\"text\":\"other topic\"}""");
        await PublishAsync(api, 3, "site/south/pump-1/alarm", "on fire");
        await PublishAsync(api, 4, "site/north/pump-1/alarm", """{\"level\":3,\"text\":\"hot\"}""");

        await AHandlerHost.UntilAsync(() => api.Logs.Any(line => line.Contains("Alarm at north from c: hot", StringComparison.Ordinal)));
        Assert.DoesNotContain(api.Logs, line => line.Contains("warm", StringComparison.Ordinal) || line.Contains("other topic", StringComparison.Ordinal));
        await AHandlerHost.UntilAsync(async () =>
            (await api.Manage.GetStringAsync("/api/v1/handlers/log-alarms/dead-letters")).Contains("The payload is no Alarm", StringComparison.Ordinal));
        Assert.Contains("message.published on site/{site}/+/alarm", await api.Manage.GetStringAsync("/api/v1/handlers"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tickets_are_opened_under_one_key_until_they_are_taken()
    {
        var got = new ConcurrentQueue<(string Key, string Body)>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var tickets = builder.Build();
        tickets.MapPost("/", async (HttpRequest request) =>
        {
            using var reader = new StreamReader(request.Body);
            got.Enqueue((request.Headers["Idempotency-Key"].ToString(), await reader.ReadToEndAsync()));
            return got.Count == 1 ? Results.StatusCode(503) : Results.Ok();
        });
        await tickets.StartAsync();
        await using var api = await AHandlerHost.StartAsync(new(), ["open-ticket"], new() { ["Tickets:Url"] = tickets.Urls.First(), ["Handlers:open-ticket:FirstDelay"] = "00:00:00.020" });

        await api.PostAsync("""{"event":"client.connected","clientid":"valve-1","node":"n","peername":"1.2.3.4:5","connected_at":1767225600000}""");
        await api.PostAsync("""{"event":"client.connected","clientid":"pump-1","node":"n","peername":"1.2.3.4:6","connected_at":1767225600000}""");

        await AHandlerHost.UntilAsync(() => got.Count == 2);
        Assert.Single(got.Select(one => one.Key).Distinct());
        Assert.All(got, one => Assert.Contains("pump-1", one.Body, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_pump_is_told_once_though_the_broker_was_away_at_first()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("pump-1");
        var settings = emqx.Settings();
        settings["Handlers:light-pump:FirstDelay"] = "00:00:00.020";
        emqx.Once("/publish", FakeAnswer.Status(401));
        await using var api = await AHandlerHost.StartAsync(new(), ["light-pump"], settings);

        await api.PostAsync("""{"event":"client.connected","clientid":"pump-1","node":"emqx@127.0.0.1","peername":"1.2.3.4:6","connected_at":1767225600000}""");

        await AHandlerHost.UntilAsync(async () =>
            (await api.Read.GetStringAsync("/api/v1/devices/pump-1/downlinks?status=sent")).Contains("pumps/pump-1/commands", StringComparison.Ordinal));
        var message = Assert.Single(emqx.Published);
        Assert.Equal("""{"light":"on"}""", System.Text.Encoding.UTF8.GetString(message.Payload));
        Assert.Equal(2, emqx.Requests.Count(request => request.Path.EndsWith("/publish", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_page_shows_the_code_that_is_tested()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "WebhookService.sln"))) root = root.Parent!;
        var code = File.ReadAllText(Path.Combine(root.FullName, "tests/Api.Tests/Handlers/Examples.cs"));
        var page = File.ReadAllText(Path.Combine(root.FullName, "docs/handlers.md"));

        for (var n = 1; n <= 4; n++)
        {
            var begin = code.IndexOf($"// example {n}\n", StringComparison.Ordinal) + $"// example {n}\n".Length;
            var example = code[begin..code.IndexOf("// end", begin, StringComparison.Ordinal)].Replace("[Handler(IsOff = true)]\n", "", StringComparison.Ordinal).Replace("IsOff = true, ", "", StringComparison.Ordinal);
            Assert.Contains(example, page, StringComparison.Ordinal);
        }
        Assert.Contains(File.ReadAllText(Path.Combine(root.FullName, "samples/CsvHandlers/CsvHandlers.csproj")), page, StringComparison.Ordinal);
    }

    private static Task PublishAsync(ApiHost api, int n, string topic, string payload) => api.PostAsync(
        $$"""{"event":"message.publish","id":"0006{{n:D28}}","clientid":"c","topic":"{{topic}}","payload":"{{payload}}","qos":1,"timestamp":{{1767225600000 + n}}}""");
}
