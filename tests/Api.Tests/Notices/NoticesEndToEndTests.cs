using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Handlers;

namespace WebhookService.Api.Tests.Notices;

/// <summary>From the broker's webhook to the post that tells people, and back to silence.</summary>
public sealed class NoticesEndToEndTests
{
    private static readonly (string, string)[] Gone =
    [
        ("Rules:gone:Kind", "offline"), ("Rules:gone:Clients", "pump-*"), ("Rules:gone:Hold", "00:01:00"), ("Rules:gone:Targets:0", "ops"),
    ];

    private static readonly (string, string)[] Hot =
    [
        ("Rules:hot:Kind", "threshold"), ("Rules:hot:Topic", "site/+/state"), ("Rules:hot:Field", "temp"), ("Rules:hot:Above", "80"), ("Rules:hot:ClearAt", "70"),
        ("Rules:hot:Targets:0", "ops"),
    ];

    private static readonly (string, string)[] Lost =
    [
        ("Rules:lost:Kind", "dead-letter"), ("Rules:lost:Hold", "00:00:10"), ("Rules:lost:Targets:0", "ops"), ("Rules:lost:Targets:1", "boss"),
    ];

    [Fact]
    public async Task A_device_that_stays_away_is_told_once_and_so_is_its_return()
    {
        await using var host = await ANoticeHost.StartAsync(Gone);
        await host.ConnectAsync("pump-7");
        await host.ConnectAsync("valve-1");
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        await host.DisconnectAsync("pump-7", ANoticeHost.Noon);
        await host.DisconnectAsync("valve-1", ANoticeHost.Noon);
        await host.UntilReadAsync("notice-rule-gone");
        Assert.Equal(["gone pending pump-7"], await host.NoticesAsync());

        host.Clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(["gone pending pump-7"], await host.NoticesAsync());
        host.Clock.Advance(TimeSpan.FromSeconds(1));
        await host.UntilAsync(() => !host.Receiver.Got.IsEmpty, step: 0.1);
        Assert.Equal(["gone raised pump-7"], await host.NoticesAsync());

        await host.ConnectAsync("pump-7");
        await host.UntilAsync(() => host.Receiver.Got.Count == 2, step: 0.1);
        Assert.Empty(await host.NoticesAsync());
        var (raised, cleared) = (host.Receiver.Got.First().Body, host.Receiver.Got.Last().Body);
        Assert.Equal(("notice.raised", "notice.cleared"), ((string?)raised["type"], (string?)cleared["type"]));
        Assert.Equal(("pump-7", "2026-03-01T12:00:05.000Z", "is offline: keepalive-timeout (keepalive_timeout)"), ((string?)raised["data"]!["clientId"], (string?)raised["data"]!["since"], (string?)raised["data"]!["why"]));
        Assert.Equal("2026-03-01T12:00:05.000Z", (string?)cleared["data"]!["since"]);
        var events = (await (await host.Api.Read.GetAsync("/api/v1/devices/pump-7/events?types=notice.*")).JsonAsync())["items"]!.AsArray();
        Assert.Equal(["notice.dispatched", "notice.cleared", "notice.dispatched", "notice.raised"], events.Select(one => (string?)one!["type"]));
        Assert.Equal($"notice-{events[2]!["seq"]}", host.Receiver.Got.First().Id);
    }

    [Fact]
    public async Task A_device_that_returns_within_the_hold_is_not_told()
    {
        await using var host = await ANoticeHost.StartAsync(Gone);
        foreach (var pump in new[] { "pump-1", "pump-2" }) await host.ConnectAsync(pump);
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        foreach (var pump in new[] { "pump-1", "pump-2" }) await host.DisconnectAsync(pump, ANoticeHost.Noon);
        host.Clock.Advance(TimeSpan.FromSeconds(30));
        await host.ConnectAsync("pump-1");
        await host.UntilReadAsync("notice-rule-gone");

        await host.UntilAsync(() => host.Receiver.Got.Count == 1, step: 1);

        Assert.Equal(["raised pump-2"], host.Receiver.Of("ops"));
        Assert.Equal(["gone raised pump-2"], await host.NoticesAsync());
    }

    [Fact]
    public async Task A_restart_between_pending_and_due_loses_no_notice_and_gives_the_backlog_its_time()
    {
        await using var host = await ANoticeHost.StartAsync([.. Gone, ("/Reconciliation:StartGrace", "00:00:30")]);
        foreach (var pump in new[] { "pump-1", "pump-2" }) await host.ConnectAsync(pump);
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        foreach (var pump in new[] { "pump-1", "pump-2" }) await host.DisconnectAsync(pump, ANoticeHost.Noon);
        await host.UntilReadAsync("notice-rule-gone");

        await host.Api.StopAsync();
        host.Clock.Advance(TimeSpan.FromHours(1));
        await host.Api.StartAgainAsync();
        Assert.Equal(["gone pending pump-1", "gone pending pump-2"], (await host.NoticesAsync()).Order(StringComparer.Ordinal));
        await host.ConnectAsync("pump-1"); // waited at the broker while nobody was here
        await host.UntilReadAsync("notice-rule-gone");

        await host.UntilAsync(() => host.Receiver.Got.Count == 1, step: 1);
        Assert.Equal(["raised pump-2"], host.Receiver.Of("ops"));
    }

    [Fact]
    public async Task A_silent_device_is_told_and_so_is_that_it_sends_again()
    {
        await using var host = await ANoticeHost.StartAsync(("Rules:quiet:Kind", "silence"), ("Rules:quiet:Targets:0", "ops"), ("/Activity:ExpectedInterval", "00:01:00"));
        await host.ConnectAsync("a");
        await host.PublishAsync("a", "t", "x");

        await host.UntilAsync(() => host.Receiver.Got.Count == 1, step: 1);
        await host.PublishAsync("a", "t", "x");
        await host.UntilAsync(() => host.Receiver.Got.Count == 2, step: 0.1);

        Assert.Equal(["raised a", "cleared a"], host.Receiver.Of("ops"));
    }

    [Fact]
    public async Task A_value_is_told_above_its_limit_and_again_only_after_it_came_back_far_enough()
    {
        await using var host = await ANoticeHost.StartAsync(Hot);

        foreach (var payload in new[] { "79", "81", "95", "75", "82", "70", "75", "80", "80.5" })
        {
            host.Clock.Advance(TimeSpan.FromMinutes(2));
            await host.PublishAsync("gateway", "site/1/state", $$"""{"temp":{{payload}}}""");
            await host.PublishAsync("gateway", "site/2/state", """{"temp":20}"""); // another thing that the same client measures
            await host.PublishAsync("gateway", "site/1/state", """{"temp":"99"}""");
            await host.PublishAsync("gateway", "site/1/state", "no JSON");
        }
        await host.UntilAsync(() => Told().Count == 3, step: 0.1);

        Assert.Equal(
            [("notice.raised", 81.0), ("notice.cleared", 70.0), ("notice.raised", 80.5)],
            Told().Select(one => ((string?)one.Body["type"]!, (double)one.Body["data"]!["value"]!)));
        Assert.All(Told(), one => Assert.Equal("site/1/state", (string?)one.Body["data"]!["topic"]));
        Assert.Equal(0, (int)(await host.HandlerAsync("notice-rule-hot"))["deadLetters"]!);

        List<(string Target, string Id, JsonNode Body)> Told() => [.. host.Receiver.Got];
    }

    [Fact]
    public async Task A_target_that_fails_is_tried_again_then_its_notice_is_a_dead_letter_of_which_only_others_are_told()
    {
        await using var host = await ANoticeHost.StartAsync([.. Hot, .. Lost, ("/Handlers:notice-target-ops:Attempts", "3")]);
        host.Receiver.Status["ops"] = 500;

        await host.PublishAsync("a", "site/1/state", """{"temp":99}""");
        await host.UntilAsync(() => host.Receiver.Of("boss").Count == 1, step: 1);

        Assert.Equal(["raised notice-target-ops"], host.Receiver.Of("boss"));
        Assert.Equal(4, host.Receiver.Posts);
        var letter = (await (await host.Api.Manage.GetAsync("/api/v1/handlers/notice-target-ops/dead-letters")).JsonAsync())["items"]!.AsArray().Single()!;
        Assert.Equal(("ops answered 500", 3), ((string?)letter["reason"], (int)letter["attempts"]!));

        host.Receiver.Status["ops"] = 200;
        await host.Api.Manage.PostAsync($"/api/v1/handlers/notice-target-ops/dead-letters/{letter["id"]}/redeliver", null);
        await host.UntilAsync(() => host.Receiver.Of("boss").Count == 2, step: 0.1);
        await host.UntilAsync(() => host.Receiver.Of("ops").Count == 1, step: 0.1);
        Assert.Equal("cleared notice-target-ops", host.Receiver.Of("boss")[1]);
    }

    [Fact]
    public async Task Two_targets_that_both_fail_do_not_tell_of_each_other_without_end()
    {
        await using var host = await ANoticeHost.StartAsync([.. Hot, .. Lost, ("/Handlers:notice-target-ops:Attempts", "1"), ("/Handlers:notice-target-boss:Attempts", "1")]);
        host.Receiver.Status["ops"] = host.Receiver.Status["boss"] = 500;

        await host.PublishAsync("a", "site/1/state", """{"temp":99}""");
        await host.UntilAsync(async () => (int)(await host.HandlerAsync("notice-target-boss"))["deadLetters"]! == 1, step: 1);
        await host.UntilAsync(async () => (int)(await host.HandlerAsync("notice-target-ops"))["deadLetters"]! == 2, step: 1);
        for (var minute = 0; minute < 10; minute++)
        {
            host.Clock.Advance(TimeSpan.FromMinutes(1));
            await host.UntilReadAsync("notice-target-ops");
            await host.UntilReadAsync("notice-target-boss");
        }

        Assert.Equal(3, host.Receiver.Posts); // the notice, to boss that ops is lost, to ops that boss is lost
    }

    [Fact]
    public async Task Many_dead_letters_of_a_handler_are_one_notice_that_counts_them()
    {
        await using var host = await ANoticeHost.StartAsync([.. Lost, ("/Handlers:scripted:Enabled", "true")]);
        var tries = 0;
        host.Script.Do = _ => Interlocked.Increment(ref tries) > 0 ? throw new InvalidOperationException("no") : Task.CompletedTask;
        for (var n = 0; n < 30; n++) await host.Api.PostOddAsync($"c-{n}", n);

        await host.UntilAsync(() => Volatile.Read(ref tries) == 30, step: 0);
        await host.UntilAsync(async () => (int)(await host.HandlerAsync("scripted"))["deadLetters"]! == 30, step: 0.01); // all of them long before the first is told
        await host.UntilAsync(() => host.Receiver.Got.Count == 2, step: 1);

        Assert.Equal(["raised scripted"], host.Receiver.Of("ops"));
        Assert.Equal(["raised scripted"], host.Receiver.Of("boss"));
        Assert.Equal(["lost raised scripted"], await host.NoticesAsync("?rule=lost&state=raised"));
        var data = host.Receiver.Got.First().Body["data"]!;
        Assert.Equal((30.0, "has events that it failed for the last time: no"), ((double)data["value"]!, (string?)data["why"]));

        host.Script.Do = _ => Task.CompletedTask;
        foreach (var letter in (await (await host.Api.Manage.GetAsync("/api/v1/handlers/scripted/dead-letters")).JsonAsync())["items"]!.AsArray())
        {
            Assert.Equal(2, host.Receiver.Got.Count);
            await host.Api.Manage.DeleteAsync($"/api/v1/handlers/scripted/dead-letters/{letter!["id"]}");
        }
        await host.UntilAsync(() => host.Receiver.Got.Count == 4, step: 0.1);
        Assert.Empty(await host.NoticesAsync());
    }

    [Fact]
    public async Task A_site_that_fails_is_told_in_a_few_messages()
    {
        await using var host = await ANoticeHost.StartAsync([.. Gone, ("Targets:ops:MessagesPerMinute", "2"), ("Targets:ops:Format", "slack")]);
        for (var n = 0; n < 60; n++) await host.ConnectAsync($"pump-{n}");
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        for (var n = 0; n < 60; n++) await host.DisconnectAsync($"pump-{n}", ANoticeHost.Noon);
        await host.UntilReadAsync("notice-rule-gone");

        host.Clock.Advance(TimeSpan.FromMinutes(1));
        await host.UntilAsync(async () => (await host.NoticesAsync("?state=raised&limit=100")).Count == 60, step: 0.01);
        await host.UntilAsync(() => host.Receiver.Got.Count == 3, step: 1);

        var texts = host.Receiver.Got.Select(one => (string)one.Body["text"]!).ToList();
        Assert.Single(texts, text => text.StartsWith("58 notices raised:\n", StringComparison.Ordinal) && text.EndsWith("… and 38 more raised", StringComparison.Ordinal));
        Assert.Equal(22, texts.Sum(text => text.Split("RAISED gone: pump-").Length - 1));
    }

    [Fact]
    public async Task Who_replays_a_target_wants_its_notices_again_and_who_replays_a_rule_does_not()
    {
        await using var host = await ANoticeHost.StartAsync([.. Hot, ("Targets:ops:Format", "slack")]);
        await host.PublishAsync("a", "site/1/state", """{"temp":99}""");
        await host.UntilAsync(() => host.Receiver.Posts == 1, step: 0.1);

        await host.Api.Manage.PostAsJsonAsync("/api/v1/handlers/notice-rule-hot/replay", new { from = "1" });
        await host.UntilReadAsync("notice-rule-hot");
        await host.UntilReadAsync("notice-target-ops");
        Assert.Equal(1, host.Receiver.Posts);

        await host.Api.Manage.PostAsJsonAsync("/api/v1/handlers/notice-target-ops/replay", new { from = "1" });
        await host.UntilAsync(() => host.Receiver.Posts == 2, step: 0.1);
        Assert.StartsWith("(sent again on request)\nRAISED hot: a on site/1/state temp is 99 (limit: above 80). ", (string)host.Receiver.Got.Last().Body["text"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_notices_of_a_paused_rule_wait()
    {
        await using var host = await ANoticeHost.StartAsync(Gone);
        await host.ConnectAsync("pump-7");
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        await host.DisconnectAsync("pump-7", ANoticeHost.Noon);
        await host.UntilReadAsync("notice-rule-gone");
        await host.Api.Manage.PostAsync("/api/v1/handlers/notice-rule-gone/pause", null);

        for (var minute = 0; minute < 5; minute++)
        {
            host.Clock.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(["gone pending pump-7"], await host.NoticesAsync());
        }
        await host.Api.Manage.PostAsync("/api/v1/handlers/notice-rule-gone/resume", null);

        await host.UntilAsync(() => host.Receiver.Got.Count == 1, step: 0.5);
    }

    [Fact]
    public async Task A_forgotten_device_leaves_no_notice()
    {
        await using var host = await ANoticeHost.StartAsync(Gone);
        await host.ConnectAsync("pump-7");
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        await host.DisconnectAsync("pump-7", ANoticeHost.Noon);
        await host.UntilReadAsync("notice-rule-gone");
        Assert.Single(await host.NoticesAsync());

        Assert.True((await host.Api.Manage.DeleteAsync("/api/v1/devices/pump-7")).IsSuccessStatusCode);

        Assert.Empty(await host.NoticesAsync());
    }

    [Fact]
    public async Task Notices_are_listed_by_page_rule_and_state_for_whoever_may_read()
    {
        await using var host = await ANoticeHost.StartAsync([.. Gone, .. Hot]);
        foreach (var n in Enumerable.Range(1, 3))
        {
            host.Clock.Advance(TimeSpan.FromSeconds(1));
            await host.PublishAsync($"c-{n}", "site/1/state", """{"temp":99}""");
        }
        await host.ConnectAsync("pump-7");
        await host.DisconnectAsync("pump-7", host.Clock.GetUtcNow());
        await host.UntilReadAsync("notice-rule-gone");
        await host.UntilReadAsync("notice-rule-hot");

        var first = await (await host.Api.Read.GetAsync("/api/v1/notices?limit=3")).JsonAsync();
        Assert.Equal(3, first["items"]!.AsArray().Count);
        Assert.Single(await host.NoticesAsync($"?limit=3&cursor={first["next"]}"));
        Assert.Equal(["gone pending pump-7"], await host.NoticesAsync("?state=pending"));
        Assert.Equal(["hot raised c-3", "hot raised c-2", "hot raised c-1"], await host.NoticesAsync("?rule=hot"));
        Assert.Empty(await host.NoticesAsync("?rule=nobody"));
        await (await host.Api.Read.GetAsync("/api/v1/notices?state=clear")).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Api.Anonymous.GetAsync("/api/v1/notices")).StatusCode);
    }

    [Fact]
    public async Task The_example_of_the_page_is_one_that_starts()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "WebhookService.sln"))) root = root.Parent!;
        var page = await File.ReadAllTextAsync(Path.Combine(root.FullName, "docs/notices.md"));
        var example = JsonNode.Parse($"{{{page.Split("```json")[1].Split("```")[0]}}}")!;

        await using var host = await ANoticeHost.StartAsync([.. Flat(example["Notices"]!, "")]);

        var names = (await (await host.Api.Manage.GetAsync("/api/v1/handlers")).JsonAsync())["items"]!.AsArray().Where(one => (bool)one!["enabled"]!).Select(one => (string?)one!["name"]);
        Assert.Equal(["notice-rule-meters-silent", "notice-rule-pumps-offline", "notice-rule-too-hot", "notice-target-boss", "notice-target-ops"], names);
    }

    [Theory]
    [InlineData("Targets:ops:AllowPrivate", "false", "Notices:Targets:ops:Url leads to an address of this machine. If that is meant, set Notices:Targets:ops:AllowPrivate to true.")]
    [InlineData("Targets:ops:Secret", "short", "Notices:Targets:ops:Secret is no secret of Standard Webhooks")]
    [InlineData("Rules:gone:Kind", "gone", "Notices:Rules:gone:Kind is 'gone'.")]
    [InlineData("/Handlers:notice-target-ops:Attempts", "0", "The handler 'notice-target-ops' cannot run")]
    public async Task A_mistake_ends_the_start_with_a_sentence(string key, string value, string sentence)
    {
        var mistake = await Assert.ThrowsAnyAsync<Exception>(() => ANoticeHost.StartAsync((key, value)));

        Assert.Contains(sentence, StartMistake.Of(mistake), StringComparison.Ordinal);
    }

    private static IEnumerable<(string Key, string Value)> Flat(JsonNode node, string path) => node switch
    {
        JsonObject members => members.SelectMany(member => Flat(member.Value!, path.Length == 0 ? member.Key : $"{path}:{member.Key}")),
        JsonArray items => items.SelectMany((item, n) => Flat(item!, $"{path}:{n}")),
        _ => [(path, node.ToString())],
    };
}
