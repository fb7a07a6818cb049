using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Events;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Api.Tests.Messages;
using static WebhookService.Api.Tests.Messages.AFleet;

namespace WebhookService.Api.Tests.Retention;

/// <summary>What those who read over HTTP see of retention.</summary>
public sealed class RetentionOverHttp
{
    private readonly Script script = new();

    [Fact]
    public async Task Readers_of_the_journal_are_told_where_it_begins()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Retention:Journal:MaxCount"] = "5", ["Retention:Interval"] = "00:00:00.100" });
        for (var i = 0; i < 20; i++) await api.ReportAsync("a.one", "c");
        await UntilOldestAsync(api, 16);

        var page = await (await api.GetAsync("/api/v1/events?after=3")).JsonAsync();
        using var stream = await AStream.OpenAsync(api.Read, lastEventId: "3");

        Assert.Equal((16, 16, 20), ((int)page["items"]![0]!["seq"]!, (int)page["oldest"]!, (int)page["head"]!));
        Assert.Equal(new Told("15", "reset", """{"after":3,"oldest":16}"""), await stream.NextAsync());
        Assert.Equal("16", (await stream.NextAsync())!.Id);
    }

    [Fact]
    public async Task A_handler_that_lags_behind_is_warned_of_and_what_it_missed_is_counted_exactly()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"], new() { ["Retention:Journal:MaxCount"] = "10", ["Retention:Interval"] = "00:00:00.100" });
        await api.Manage.PostAsync("/api/v1/handlers/scripted/pause", null);
        for (var n = 1; n <= 10; n++) await api.PostOddAsync("a", n);
        await AHandlerHost.UntilAsync(() => Warnings(api).Any());
        Assert.Equal(0, (int)(await ScriptedAsync(api))["missed"]!); // before it is too late
        for (var n = 11; n <= 32; n++) await api.PostOddAsync("a", n);
        await UntilOldestAsync(api, 23);

        await api.Manage.PostAsync("/api/v1/handlers/scripted/resume", null);
        await AHandlerHost.UntilAsync(async () => (int)(await ScriptedAsync(api))["lag"]! == 0 && script.Calls.Count == 10);

        var shown = await ScriptedAsync(api);
        Assert.Equal((22, 10, 23), ((int)shown["missed"]!, (int)shown["handled"]!, (int)shown["oldest"]!));
        Assert.Equal(Enumerable.Range(23, 10).Select(seq => (long)seq), script.Calls.Select(call => call.Context.Key));
        Assert.Contains("removed by retention", (string?)shown["lastError"], StringComparison.Ordinal);
        Assert.Single(Warnings(api));
        var replayed = await (await api.Manage.PostAsJsonAsync("/api/v1/handlers/scripted/replay", new { from = "1" })).JsonAsync();
        Assert.Equal(23, (int)replayed["oldest"]!);
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 20);
        Assert.Equal(22, (int)(await ScriptedAsync(api))["missed"]!);
    }

    [Fact]
    public async Task A_message_that_went_before_it_was_handled_is_missed_and_not_passed_over()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted-messages"], new()
        {
            ["Retention:Messages:MaxCount"] = "1",
            ["Retention:LatestMessages"] = "0",
            ["Retention:Interval"] = "00:00:00.100",
        });
        await api.Manage.PostAsync("/api/v1/handlers/scripted-messages/pause", null);
        for (var i = 1; i <= 3; i++) await api.PublishAsync(Content("dev", "alarm/x", $"alarm {i}", i));
        await AHandlerHost.UntilAsync(async () => (int)(await (await api.GetAsync("/api/v1/stats")).JsonAsync())["messages"]!["total"]! == 1);

        await api.Manage.PostAsync("/api/v1/handlers/scripted-messages/resume", null);
        await AHandlerHost.UntilAsync(async () => (int)(await HandlerAsync(api, "scripted-messages"))["lag"]! == 0 && !script.Calls.IsEmpty);

        var shown = await HandlerAsync(api, "scripted-messages");
        Assert.Equal((2, 1, 0), ((int)shown["missed"]!, (int)shown["handled"]!, (int)shown["deadLetters"]!));
        Assert.Equal("alarm 3", script.Calls.Single().Handler);
        Assert.Contains("its message was removed by retention", (string?)shown["lastError"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stats_and_metrics_tell_what_went_and_how_far_back_the_rest_reaches()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Retention:Journal:MaxCount"] = "5", ["Retention:Journal:MaxAge"] = "00:02:00", ["Retention:Interval"] = "00:00:00.100" });
        for (var i = 0; i < 20; i++) await api.ReportAsync("a.one", "c");
        await UntilOldestAsync(api, 16);
        JsonNode? journal = null;
        await AHandlerHost.UntilAsync(async () =>
        {
            var stats = await (await api.GetAsync("/api/v1/stats")).JsonAsync();
            Assert.InRange((long)stats["storage"]!["used"]!, 1, (long)stats["storage"]!["bytes"]!);
            journal = stats["retention"]!.AsArray().Single(kind => (string?)kind!["kind"] == "journal");
            return (int)journal!["removed"]! == 15 && journal["oldest"] is not null;
        });

        var metrics = await (await api.GetAsync("/metrics")).Content.ReadAsStringAsync();

        Assert.Contains("""retention_removed_total{kind="journal"} 15""", metrics, StringComparison.Ordinal);
        Assert.Contains("""retention_age_seconds{kind="journal"} """, metrics, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Warnings(ApiHost api) => api.Logs.Where(line => line.Contains("retention is about to remove", StringComparison.Ordinal));

    private static Task<JsonObject> ScriptedAsync(ApiHost api) => HandlerAsync(api, "scripted");

    private static async Task<JsonObject> HandlerAsync(ApiHost api, string name) => await (await api.Manage.GetAsync($"/api/v1/handlers/{name}")).JsonAsync();

    private static Task UntilOldestAsync(ApiHost api, int seq) =>
        AHandlerHost.UntilAsync(async () => (int?)(await (await api.GetAsync("/api/v1/events?limit=1")).JsonAsync())["oldest"] == seq);
}
