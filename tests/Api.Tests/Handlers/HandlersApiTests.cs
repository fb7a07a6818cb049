using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Events;

namespace WebhookService.Api.Tests.Handlers;

public sealed class HandlersApiTests
{
    private const string Path = "/api/v1/handlers/scripted";
    private readonly Script script = new();

    [Fact]
    public async Task A_handler_tells_how_far_it_came()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"], new() { ["Handlers:scripted:Lanes"] = "2", ["Handlers:scripted:Timeout"] = "00:00:07" });
        await api.PostOddAsync("a", 1);
        await AHandlerHost.UntilAsync(async () => (long)(await HandlerAsync(api))["lag"]! == 0 && (long)(await HandlerAsync(api))["handled"]! == 1);

        var shown = await HandlerAsync(api);

        Assert.Equal(("scripted", "ReportReceived"), ((string?)shown["name"], (string?)shown["wants"]));
        Assert.Equal(((long)shown["head"]!, 0, 0, false), ((long)shown["position"]!, (int)shown["parked"]!, (int)shown["deadLetters"]!, (bool)shown["paused"]!));
        Assert.Equal((2, 1, 7), ((int)shown["options"]!["lanes"]!, (int)shown["options"]!["attempts"]!, (int)shown["options"]!["timeoutSeconds"]!));
        Assert.Null(shown["lastError"]);
        var list = await (await api.Manage.GetAsync("/api/v1/handlers")).JsonAsync();
        Assert.Equal(["scripted"], list["items"]!.AsArray().Where(item => (bool)item!["enabled"]!).Select(item => (string?)item!["name"]));
        Assert.Contains(api.Logs, line => line.Contains("These handlers are off: ", StringComparison.Ordinal) && line.Contains("warn-on-unclean-farewell", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_paused_handler_waits_and_goes_on_when_resumed()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        Assert.True((bool)(await (await api.Manage.PostAsync($"{Path}/pause", null)).JsonAsync())["paused"]!);
        await api.PostOddAsync("a", 1);

        var stats = await (await api.Read.GetAsync("/api/v1/stats")).JsonAsync();
        Assert.Equal((1, 0), ((int)stats["consumers"]!["lag"]!, (int)stats["consumers"]!["withDeadLetters"]!));
        Assert.Empty(script.Calls);
        await api.Manage.PostAsync($"{Path}/resume", null);

        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);
    }

    [Theory]
    [InlineData("2", new long[] { 2, 3 })]
    [InlineData("2026-01-01T00:03:00Z", new long[] { 3 })]
    [InlineData("2026-01-01T00:02:00.500Z", new long[] { 3 })]
    [InlineData("2030-01-01T00:00:00Z", new long[0])]
    public async Task A_replay_begins_at_a_number_or_at_the_first_event_since_a_time(string from, long[] again)
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        for (var n = 1; n <= 3; n++) await api.PostOddAsync("a", n); // of 00:01, 00:02, 00:03
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 3);

        var answer = await (await api.Manage.PostAsJsonAsync($"{Path}/replay", new { from })).JsonAsync();
        Assert.Equal("scripted", (string?)answer["name"]);

        await AHandlerHost.UntilAsync(() => script.Calls.Count == 3 + again.Length);
        Assert.Equal(again, script.Calls.Skip(3).Select(call => call.Context.Key));
        Assert.All(script.Calls.Skip(3), call => Assert.True(call.Context.IsReplay));
        Assert.Null((await (await api.Manage.DeleteAsync($"{Path}/replay")).JsonAsync())["replayingUntil"]);
    }

    [Theory]
    [InlineData("yesterday")]
    [InlineData("-1")]
    [InlineData("4711")]
    [InlineData("")]
    public async Task A_replay_from_nowhere_is_refused(string from)
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);

        var problem = await (await api.Manage.PostAsJsonAsync($"{Path}/replay", new { from })).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal("from", (string?)problem["parameter"]);
    }

    [Fact]
    public async Task A_dead_letter_says_why_and_is_redelivered_or_dropped()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        script.Do = report => throw new InvalidOperationException($"no: {(string?)JsonNode.Parse(report.Body)!["clientid"]}");
        await api.PostOddAsync("a", 1);
        await api.PostOddAsync("b", 2);
        await AHandlerHost.UntilAsync(async () => (int)(await HandlerAsync(api))["deadLetters"]! == 2);

        var letters = await LettersAsync(api);
        Assert.Equal(["no: b", "no: a"], letters.Select(letter => (string?)letter["reason"]).OrderDescending());
        var letter = letters.Single(one => (string?)one["reason"] == "no: a");
        Assert.Contains(nameof(Scripted.HandleAsync), (string?)letter["detail"], StringComparison.Ordinal);
        Assert.Equal((1, 1, "emqx.odd", "a"), ((int)letter["attempts"]!, (int)letter["event"]!["seq"]!, (string?)letter["event"]!["type"], (string?)letter["event"]!["clientId"]));
        Assert.Equal(1, (int)(await (await api.Read.GetAsync("/api/v1/stats")).JsonAsync())["consumers"]!["withDeadLetters"]!);
        Assert.StartsWith("Event ", (string?)(await HandlerAsync(api))["lastError"], StringComparison.Ordinal);

        script.Do = _ => Task.CompletedTask;
        Assert.Equal(HttpStatusCode.Accepted, (await api.Manage.PostAsync($"{Path}/dead-letters/{letter["id"]}/redeliver", null)).StatusCode);
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);
        Assert.Equal(("a", 1), (script.Calls.Single().Context.Client!.Value.Value, script.Calls.Single().Context.Key));
        await (await api.Manage.PostAsync($"{Path}/dead-letters/{letter["id"]}/redeliver", null)).ProblemAsync(HttpStatusCode.NotFound, "not-found");

        var other = (await LettersAsync(api)).Single();
        Assert.Equal(HttpStatusCode.NoContent, (await api.Manage.DeleteAsync($"{Path}/dead-letters/{other["id"]}")).StatusCode);
        await (await api.Manage.DeleteAsync($"{Path}/dead-letters/{other["id"]}")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        Assert.Empty(await LettersAsync(api));
    }

    [Fact]
    public async Task Dead_letters_come_newest_first_and_in_pages()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        script.Do = _ => throw new InvalidOperationException("no");
        for (var n = 1; n <= 3; n++) await api.PostOddAsync("a", n);
        await AHandlerHost.UntilAsync(async () => (int)(await HandlerAsync(api))["deadLetters"]! == 3);

        var page = await (await api.Manage.GetAsync($"{Path}/dead-letters?limit=2")).JsonAsync();
        var rest = await (await api.Manage.GetAsync($"{Path}/dead-letters?limit=2&cursor={page["next"]}")).JsonAsync();

        Assert.Equal([3, 2], page["items"]!.AsArray().Select(item => (int)item!["event"]!["seq"]!));
        Assert.Equal([1], rest["items"]!.AsArray().Select(item => (int)item!["event"]!["seq"]!));
        Assert.Null(rest["next"]);
    }

    [Fact]
    public async Task What_was_handled_is_not_handled_again_after_a_restart_and_what_came_meanwhile_is()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        await api.PostOddAsync("a", 1);
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);
        await api.Manage.PostAsync($"{Path}/pause", null);
        await api.PostOddAsync("a", 2);

        await api.StopAsync();
        await api.StartAgainAsync();
        Assert.True((bool)(await HandlerAsync(api))["paused"]!);
        await api.Manage.PostAsync($"{Path}/resume", null);

        await AHandlerHost.UntilAsync(() => script.Calls.Count == 2);
        Assert.Equal([1L, 2L], script.Calls.Select(call => call.Context.Key));
    }

    [Fact]
    public async Task A_handler_that_stops_as_a_whole_says_so_and_is_started_again()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        await AHandlerHost.UntilAsync(async () => (await HandlerAsync(api))["position"] is not null);
        api.Change("ALTER TABLE consumers RENAME TO hidden");
        await api.PostOddAsync("a", 1);
        await AHandlerHost.UntilAsync(() => api.Logs.Any(line => line.Contains("The handler scripted stopped and is started again", StringComparison.Ordinal)));

        await (await api.Manage.PostAsync($"{Path}/pause", null)).ProblemAsync(HttpStatusCode.ServiceUnavailable, "handler-stopped");
        api.Change("ALTER TABLE hidden RENAME TO consumers");

        await AHandlerHost.UntilAsync(() => script.Calls.Count == 2); // it was not written down, so again
        Assert.Equal([1L, 1L], script.Calls.Select(call => call.Context.Key));
        await AHandlerHost.UntilAsync(async () => (long)(await HandlerAsync(api))["handled"]! == 1);
    }

    [Fact]
    public async Task A_class_with_two_kinds_of_event_is_two_handlers()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["two-kinds-device-discovered", "two-kinds-device-went-online"]);

        await api.PostAsync("""{"event":"client.connected","clientid":"a","node":"n","peername":"1.2.3.4:5","connected_at":1767225600000}""");

        await AHandlerHost.UntilAsync(() => script.Calls.Count == 2);
        Assert.Equal(["discovered", "online"], script.Calls.Select(call => call.Handler).Order());
        var list = await (await api.Manage.GetAsync("/api/v1/handlers")).JsonAsync();
        Assert.Equal(["device.discovered", "device.went-online"], list["items"]!.AsArray().Where(item => (bool)item!["enabled"]!).Select(item => (string?)item!["wants"]));
    }

    [Fact]
    public async Task A_handler_of_all_events_gets_each_as_what_it_is()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["everything"]);

        await api.PostAsync("""{"event":"client.connected","clientid":"a","node":"n","peername":"1.2.3.4:5","connected_at":1767225600000}""");
        await api.PostOddAsync("a", 1);

        await AHandlerHost.UntilAsync(() => script.Calls.Any(call => call.Handler == "ReportReceived"));
        Assert.Superset(new HashSet<string> { "DeviceDiscovered", "DeviceWentOnline", "ReportReceived" }, script.Calls.Select(call => call.Handler).ToHashSet());
    }

    [Fact]
    public async Task Mistakes_in_settings_end_the_start_with_a_sentence_for_each()
    {
        async Task<string> MistakeAsync(string key, string value)
        {
            var mistake = await Assert.ThrowsAnyAsync<Exception>(() => AHandlerHost.StartAsync(script, ["scripted"], new() { [key] = value }));
            return StartMistake.Of(mistake) ?? throw new InvalidOperationException("No sentence.", mistake);
        }

        Assert.Contains("Handlers:warn-on-unclaen-farewell is for no handler. There are: ", await MistakeAsync("Handlers:warn-on-unclaen-farewell:Enabled", "true"), StringComparison.Ordinal);
        Assert.Contains("The handler 'scripted'", await MistakeAsync("Handlers:scripted:Attempts", "0"), StringComparison.Ordinal);
        Assert.Contains("Atempts", await MistakeAsync("Handlers:scripted:Atempts", "3"), StringComparison.Ordinal);
        Assert.Contains("OpenTicket", await MistakeAsync("Handlers:open-ticket:Enabled", "true"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Handlers_need_the_scope_manage_and_unknown_ones_are_not_found()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);

        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.GetAsync("/api/v1/handlers")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.PostAsync($"{Path}/pause", null)).StatusCode);
        await (await api.Manage.GetAsync("/api/v1/handlers/nobody")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        await (await api.Manage.GetAsync("/api/v1/handlers/nobody/dead-letters")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task A_handler_that_is_off_is_shown_as_it_was_left_and_takes_no_orders()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        script.Do = _ => throw new InvalidOperationException("no");
        await api.PostOddAsync("a", 1);
        await AHandlerHost.UntilAsync(async () => (int)(await HandlerAsync(api))["deadLetters"]! == 1);

        await api.StopAsync();
        api.Set("Handlers:scripted:Enabled", "false");
        await api.StartAgainAsync();

        await api.PostOddAsync("a", 2);
        var left = await HandlerAsync(api);
        Assert.Equal((false, 1, 1, 1), ((bool)left["enabled"]!, (int)left["position"]!, (int)left["lag"]!, (int)left["deadLetters"]!));
        Assert.Equal("ReportReceived", (string?)left["wants"]);
        Assert.Null(left["options"]);
        var never = await (await api.Manage.GetAsync("/api/v1/handlers/warn-on-unclean-farewell")).JsonAsync();
        Assert.Equal((false, null, null), ((bool)never["enabled"]!, (long?)never["position"], (long?)never["lag"]));
        var letter = Assert.Single(await LettersAsync(api));
        var problem = await (await api.Manage.PostAsync($"{Path}/dead-letters/{letter["id"]}/redeliver", null)).ProblemAsync(HttpStatusCode.Conflict, "handler-off");
        Assert.Contains("Handlers:scripted:Enabled=true", (string?)problem["hint"], StringComparison.Ordinal);
        await (await api.Manage.PostAsync($"{Path}/resume", null)).ProblemAsync(HttpStatusCode.Conflict, "handler-off");
        Assert.Equal(HttpStatusCode.NoContent, (await api.Manage.DeleteAsync($"{Path}/dead-letters/{letter["id"]}")).StatusCode);
    }

    [Fact]
    public async Task Metrics_tell_lag_and_failures_of_each_handler()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        script.Do = report => JsonNode.Parse(report.Body)!["n"]!.GetValue<int>() == 1 ? throw new InvalidOperationException("no") : Task.CompletedTask;
        await api.PostOddAsync("a", 1);
        await api.PostOddAsync("a", 2);
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);

        string text = "";
        await AHandlerHost.UntilAsync(async () => (text = await api.Read.GetStringAsync("/metrics")).Contains("handlers_lag{handler=\"scripted\"} 0", StringComparison.Ordinal));

        Assert.Contains("handlers_handled_total{handler=\"scripted\"} 1", text, StringComparison.Ordinal);
        Assert.Contains("handlers_failed_total{handler=\"scripted\"} 1", text, StringComparison.Ordinal);
        Assert.Contains("handlers_dead_letters_total{handler=\"scripted\"} 1", text, StringComparison.Ordinal);
    }

    private static async Task<JsonObject> HandlerAsync(ApiHost api) => await (await api.Manage.GetAsync(Path)).JsonAsync();

    private static async Task<IReadOnlyList<JsonNode>> LettersAsync(ApiHost api) =>
        [.. (await (await api.Manage.GetAsync($"{Path}/dead-letters")).JsonAsync())["items"]!.AsArray().Select(item => item!)];
}
