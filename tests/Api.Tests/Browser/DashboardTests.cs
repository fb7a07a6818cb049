using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Tests;
using static Microsoft.Playwright.Assertions;

namespace WebhookService.Api.Tests.Browser;

public sealed class DashboardTests(Chromium chromium) : IClassFixture<Chromium>, IAsyncLifetime
{
    private const string OddId = "a/b <script>alert(1)</script> 😀 %";

    private readonly long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
    private ApiHost api = null!;

    public async Task InitializeAsync() => api = await ApiHost.StartAsync(new() { ["Ingest:Sources:old:PayloadEncoding"] = "base64" });

    public async Task DisposeAsync() => await api.DisposeAsync();

    [BrowserFact]
    public async Task It_asks_for_a_token_says_why_one_is_refused_and_never_puts_one_in_a_URL()
    {
        await using var visit = await chromium.VisitAsync(api);
        var (token, open, said) = (visit.Page.GetByLabel("Token"), visit.Page.GetByRole(AriaRole.Button, new() { Name = "Open the dashboard" }), visit.Page.GetByRole(AriaRole.Alert));

        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.Locator("code", new() { HasText = "data/credentials.json" })).ToBeVisibleAsync();
        await token.FillAsync("no-such-token");
        await open.ClickAsync();
        await Expect(said).ToContainTextAsync("does not know this token");
        await token.FillAsync(ApiHost.IngestToken);
        await open.ClickAsync();
        await Expect(said).ToContainTextAsync("lacks the scope “read”");
        await token.FillAsync(ApiHost.ReadToken);
        await open.ClickAsync();
        await visit.HeadingAsync("Overview");
        await visit.Page.ReloadAsync();
        await visit.HeadingAsync("Overview");

        Assert.All(visit.Requests, url => Assert.DoesNotContain("-token", url, StringComparison.Ordinal));
        Assert.All(visit.Complaints, complaint => Assert.Matches("status of 40[13]", complaint));

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await visit.Page.ReloadAsync();
        await Expect(token).ToBeVisibleAsync();
        Assert.Equal(0, await visit.Page.EvaluateAsync<int>("sessionStorage.length"));
    }

    [BrowserFact]
    public async Task An_empty_service_says_how_to_point_EMQX_at_it()
    {
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();

        await Expect(visit.Page.GetByLabel("the rule SQL", new() { Exact = true })).ToContainTextAsync("\"$events/client_connected\"");
        await Expect(visit.Page.GetByLabel("the header", new() { Exact = true })).ToHaveTextAsync("X-Webhook-Token: <ingest token>");
        await Expect(visit.Page.Locator("code", new() { HasText = "--urls http://*:5080" })).ToBeVisibleAsync();
        await Expect(visit.Page.GetByLabel("the URL", new() { Exact = true })).ToHaveTextAsync($"{api.Address}webhook/emqx");
        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task A_fleet_that_webhooks_told_of_is_counted_and_listed()
    {
        await SendAsync(Connected("pump-1"), Connected("pump-2"), Connected("truck-1"), Disconnected("truck-1", "keepalive_timeout"));
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();
        await Expect(visit.Page.Locator("[data-stat=online]")).ToHaveTextAsync("2");
        await Expect(visit.Page.Locator("[data-stat=offline-count]")).ToHaveTextAsync("1");
        await Expect(visit.Page.Locator("[data-stat=quarantine] .value")).ToHaveTextAsync("0");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "offline" }).First.ClickAsync();
        await visit.HeadingAsync("Devices");
        await Expect(visit.Page.Locator("tbody tr")).ToHaveCountAsync(1);
        var row = visit.Page.Locator("tbody tr").First;
        await Expect(row).ToContainTextAsync("truck-1");
        await Expect(row).ToContainTextAsync("offline");
        await Expect(row).ToContainTextAsync("keepalive timeout");
        await Expect(row).ToContainTextAsync("emqx@127.0.0.1");

        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task A_device_that_comes_while_one_looks_appears_by_itself()
    {
        await SendAsync(Connected("first"));
        await using var visit = await chromium.VisitAsync(api);
        await visit.SignInAsync();
        await Expect(visit.Page.Locator("[data-stat=online]")).ToHaveTextAsync("1");

        await SendAsync(Connected("second"));

        await Expect(visit.Page.Locator("[data-stat=online]")).ToHaveTextAsync("2");
        await Expect(visit.Page.Locator(".journal")).ToContainTextAsync("second went online");
    }

    [BrowserFact]
    public async Task The_broker_page_shows_how_the_broker_is_and_compares_on_request()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("pump-1");
        emqx.Connect("unheard-of");
        await using var asking = await ApiHost.StartAsync(emqx.Settings());
        await SendAsync(asking, Connected("left"), Disconnected("old", "normal"));
        await using var visit = await chromium.VisitAsync(asking);
        await visit.SignInAsync(ApiHost.ManageToken);

        await visit.GoToAsync("#/broker");
        await Expect(visit.Page.GetByRole(AriaRole.Heading, new() { Name = "emqx", Exact = true })).ToBeVisibleAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Compare now" }).ClickAsync();

        var newest = visit.Page.GetByRole(AriaRole.Table, new() { Name = "Comparisons" }).Locator("tbody tr").First;
        await Expect(newest).ToContainTextAsync("request");
        await Expect(newest).ToContainTextAsync("complete");
        await Expect(visit.Page.GetByRole(AriaRole.Table, new() { Name = "Nodes" })).ToContainTextAsync("5.8.9");
        await Expect(visit.Page.GetByRole(AriaRole.Table, new() { Name = "Nodes" })).ToContainTextAsync("connected at");
        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task The_page_of_handlers_shows_how_far_they_are_and_their_levers_work()
    {
        var script = new Script { Do = _ => throw new InvalidOperationException("the <b>door</b> is shut") };
        await using var handling = await AHandlerHost.StartAsync(script, ["scripted"]);
        await handling.PostOddAsync("pump-1", 1);
        await AHandlerHost.UntilAsync(async () => (int)(await (await handling.Manage.GetAsync("/api/v1/handlers/scripted")).JsonAsync())["deadLetters"]! == 1);
        script.Do = _ => Task.CompletedTask;
        await using var visit = await chromium.VisitAsync(handling);
        await visit.SignInAsync(ApiHost.ManageToken);

        await visit.GoToAsync("#/handlers");
        var rows = visit.Page.GetByRole(AriaRole.Table, new() { Name = "Handlers" }).Locator("tbody tr");
        await Expect(rows.Filter(new() { HasText = "ReportReceived" })).ToContainTextAsync("the <b>door</b> is shut");
        await Expect(rows.Filter(new() { HasText = "ReportReceived" })).ToContainTextAsync("running");
        await Expect(rows.Filter(new() { HasText = "warn-on-unclean-farewell" })).ToContainTextAsync("off");

        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "scripted", Exact = true }).ClickAsync();
        await visit.HeadingAsync("scripted");
        await PressAsync("Pause");
        await Expect(visit.Page.GetByRole(AriaRole.Button, new() { Name = "Resume" })).ToBeVisibleAsync();
        await PressAsync("Redeliver");
        await Expect(visit.Page.GetByText("None: nothing was given up.")).ToBeVisibleAsync();
        Assert.Empty(script.Calls); // it waits for
        await PressAsync("Resume");
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);

        await visit.Page.GetByLabel("From a sequence number or a time").FillAsync("yesterday");
        await PressAsync("Replay");
        await PressAsync("Handle again from there?");
        await Expect(visit.Page.GetByText("neither a sequence number nor a time")).ToBeVisibleAsync();
        await visit.Page.GetByLabel("From a sequence number or a time").FillAsync("1");
        await PressAsync("Replay");
        await PressAsync("Handle again from there?");
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 2);

        Assert.Equal([false, true], script.Calls.Select(call => call.Context.IsReplay));
        Assert.All(visit.Complaints, complaint => Assert.Contains("status of 400", complaint, StringComparison.Ordinal)); // of the replay from yesterday

        Task PressAsync(string button) => visit.Page.GetByRole(AriaRole.Button, new() { Name = button, Exact = true }).ClickAsync();
    }

    [BrowserFact]
    public async Task The_page_of_handlers_says_which_token_it_needs()
    {
        await using var visit = await chromium.VisitAsync(api);
        await visit.SignInAsync();

        await visit.GoToAsync("#/handlers");

        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("token of the scope “manage”");
    }

    [BrowserFact]
    public async Task An_odd_client_id_opens_its_page_and_nothing_of_it_is_run()
    {
        await SendAsync(Connected(OddId), Published(OddId, "x/<img src=x onerror=alert(2)>", "<script>alert(3)</script>"));
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();
        await visit.GoToAsync("#/devices");
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = OddId }).ClickAsync();
        await visit.HeadingAsync(OddId);
        await Expect(visit.Page.Locator(".latest .topic")).ToHaveTextAsync("x/<img src=x onerror=alert(2)>");
        await Expect(visit.Page.Locator(".messages tbody tr")).ToContainTextAsync("<script>alert(3)</script>");
        await Expect(visit.Page.GetByLabel("Sessions")).ToContainTextAsync("lasts");
        await visit.Page.ReloadAsync();
        await visit.HeadingAsync(OddId);
        await visit.Page.Locator(".messages tbody a").ClickAsync();
        await visit.HeadingAsync("Message");
        await Expect(visit.Page.Locator(".payload pre")).ToHaveTextAsync("<script>alert(3)</script>");

        Assert.Equal(0, await visit.Page.Locator("main script, main img").CountAsync());
        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task A_device_shows_its_last_day_and_the_fleet_its_last_hours()
    {
        var hour = 3_600_000;
        await SendAsync(Connected("pump-1", now - (4 * hour)), Disconnected("pump-1", "keepalive_timeout", now - (4 * hour), now - (3 * hour)), Connected("pump-1", now - (2 * hour)), Connected("pump-2"));
        await using var visit = await chromium.VisitAsync(api);
        var strip = visit.Page.GetByRole(AriaRole.Img, new() { Name = "The last 24 hours" });

        await visit.SignInAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Img, new() { Name = "Devices online in the last 12 hours" })).ToBeVisibleAsync();
        await Expect(visit.Page.Locator("[data-stat=disconnects]")).ToHaveTextAsync("1");
        await visit.GoToAsync("#/devices/pump-1");
        await Expect(visit.Page.Locator("[data-availability='24 h']")).ToHaveTextAsync("75.0 %");
        await Expect(visit.Page.Locator(".strip")).ToContainTextAsync("1 outage, longest 1 h");
        await Expect(strip.Locator("rect.online")).ToHaveCountAsync(2);
        await Expect(strip.Locator("rect.offline title")).ToHaveTextAsync("offline (keepalive timeout) for 1 h");
        await visit.GoToAsync("#/devices/pump-2");
        await Expect(visit.Page.Locator("[data-availability='7 d']")).ToHaveTextAsync("100 %");

        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task The_list_filters_sorts_and_pages()
    {
        await SendAsync([.. Enumerable.Range(0, 60).Select(number => Connected($"dev-{number:000}"))]);
        await SendAsync([.. Enumerable.Range(0, 7).Select(number => Disconnected($"dev-{number:000}", "normal"))]);
        await using var visit = await chromium.VisitAsync(api);
        var (rows, first) = (visit.Page.Locator("tbody tr"), visit.Page.Locator("tbody tr a").First);

        await visit.SignInAsync();
        await visit.GoToAsync("#/devices");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Client id" }).ClickAsync();
        await Expect(first).ToHaveTextAsync("dev-000");
        await Expect(rows).ToHaveCountAsync(50);
        await Expect(visit.Page.GetByText("60 devices")).ToBeVisibleAsync();
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "Older" }).ClickAsync();
        await Expect(first).ToHaveTextAsync("dev-050");
        await Expect(rows).ToHaveCountAsync(10);
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "Newer" }).ClickAsync();
        await Expect(first).ToHaveTextAsync("dev-000");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "offline" }).ClickAsync();
        await Expect(rows).ToHaveCountAsync(7);
        await Expect(visit.Page.GetByRole(AriaRole.Button, new() { Name = "offline" })).ToBeFocusedAsync();
        await visit.Page.GetByRole(AriaRole.Searchbox).FillAsync("dev-00*");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "offline" }).ClickAsync();
        await Expect(rows).ToHaveCountAsync(10);
        await visit.Page.GetByRole(AriaRole.Searchbox).FillAsync("V-04");
        await Expect(first).ToHaveTextAsync("dev-040");
        await Expect(rows).ToHaveCountAsync(10);
        await visit.Page.GetByRole(AriaRole.Searchbox).FillAsync("nobody");
        await Expect(visit.Page.GetByText("No device passes these filters.")).ToBeVisibleAsync();

        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task Messages_are_found_by_topic_filter_and_events_follow_the_journal()
    {
        await SendAsync(Connected("pump-1"), Published("pump-1", "plant/1/temperature", "{\"c\":21.50}"), Published("pump-1", "plant/1/pressure", "3"));
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();
        await visit.GoToAsync("#/messages");
        await Expect(visit.Page.Locator("tbody tr")).ToHaveCountAsync(2);
        await visit.Page.GetByLabel("MQTT topic filter").FillAsync("plant/+/temperature");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Page.Locator("tbody tr")).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("tbody tr")).ToContainTextAsync("{\"c\":21.50}");
        await visit.GoToAsync("#/events");
        await Expect(visit.Page.Locator(".journal")).ToContainTextAsync("pump-1 published on plant/1/pressure");
        await SendAsync(Disconnected("pump-1", "tcp_closed"));
        await Expect(visit.Page.Locator(".journal")).ToContainTextAsync("went offline: network (tcp_closed)");

        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task Events_come_by_the_stream_which_is_left_and_taken_up_again_with_the_button()
    {
        await SendAsync(Connected("pump-1"));
        await using var visit = await chromium.VisitAsync(api);
        var (journal, follow) = (visit.Page.Locator(".journal"), visit.Page.GetByRole(AriaRole.Button, new() { Name = "Follow" }));
        int Asked(string what) => visit.Requests.Count(url => url.Contains($"/api/v1/events{what}", StringComparison.Ordinal));

        await visit.SignInAsync();
        await visit.GoToAsync("#/events");
        await Expect(journal).ToContainTextAsync("pump-1 went online");
        await SendAsync(Connected("pump-2"));
        await Expect(journal).ToContainTextAsync("pump-2 went online");
        var (pages, streams) = (Asked("?"), Asked("/stream?"));
        for (var i = 3; i <= 5; i++)
        {
            await SendAsync(Connected($"pump-{i}"));
            await Expect(journal).ToContainTextAsync($"pump-{i} went online");
            await Task.Delay(1000); // asking by pages would have done so by now
        }
        var (pagesLater, streamsLater) = (Asked("?"), Asked("/stream?"));
        await follow.ClickAsync();
        await Expect(follow).ToHaveTextAsync("Follow");
        await SendAsync(Connected("pump-6"));
        await Task.Delay(500);
        await Expect(journal).Not.ToContainTextAsync("pump-6");
        await follow.ClickAsync();
        await Expect(journal).ToContainTextAsync("pump-6 went online");
        await SendAsync(Connected("pump-7"));
        await Expect(journal).ToContainTextAsync("pump-7 went online");

        Assert.Equal((pages, streams), (pagesLater, streamsLater));
        Assert.Equal(7, await journal.GetByText("went online").CountAsync());
        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task Where_no_stream_is_to_be_had_events_are_asked_for_by_pages()
    {
        await SendAsync(Connected("pump-1"));
        await using var visit = await chromium.VisitAsync(api);
        await visit.Page.RouteAsync("**/api/v1/events/stream**", route => route.FulfillAsync(new() { Status = 503 }));

        await visit.SignInAsync();
        await visit.GoToAsync("#/events");
        await Expect(visit.Page.Locator(".journal")).ToContainTextAsync("pump-1 went online");
        await SendAsync(Connected("pump-2"));

        await Expect(visit.Page.Locator(".journal")).ToContainTextAsync("pump-2 went online");
    }

    [BrowserFact]
    public async Task What_was_refused_can_be_looked_at_retried_and_deleted()
    {
        await RefusedAsync("""{"event":"message.publish","clientid":"c","topic":"t","payload":"plain!","timestamp":1767225600000}""", "/webhook/old");
        await RefusedAsync("nonsense <b>");
        await api.StopAsync();
        await using var mended = await ApiHost.StartAsync(new()
        {
            ["Ingest:Sources:old:PayloadEncoding"] = "plain",
            ["Storage:ConnectionString"] = $"Data Source={Path.Combine(api.DataDirectory, "webhooks.db")}",
        });
        await using var visit = await chromium.VisitAsync(mended);
        var kept = visit.Page.Locator(".kept > li");

        await visit.SignInAsync(ApiHost.ManageToken);
        await visit.GoToAsync("#/quarantine");
        await Expect(kept).ToHaveCountAsync(2);
        await kept.First.Locator("summary").ClickAsync();
        await Expect(kept.First.Locator("pre")).ToHaveTextAsync("nonsense <b>");
        await kept.First.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(kept.First.GetByRole(AriaRole.Alert)).ToContainTextAsync("not valid JSON");
        await kept.Last.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(visit.Page.GetByText("1 event accepted")).ToHaveCountAsync(2); // seen and said
        await Expect(kept).ToHaveCountAsync(1);
        await kept.First.GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await Expect(kept).ToHaveCountAsync(1);
        await kept.First.GetByRole(AriaRole.Button, new() { Name = "Delete for good?" }).ClickAsync();
        await Expect(visit.Page.GetByText("Nothing was refused.")).ToBeVisibleAsync();

        Assert.All(visit.Complaints, complaint => Assert.Contains("status of 400", complaint, StringComparison.Ordinal));
    }

    [BrowserFact]
    public async Task An_address_with_an_id_opens_that_entry_of_the_quarantine()
    {
        await RefusedAsync("the first one");
        await RefusedAsync("the second one");
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();
        await visit.GoToAsync("#/quarantine/1");

        await Expect(visit.Page.Locator(".kept pre")).ToHaveTextAsync("the first one");
        await Expect(visit.Page.Locator(".kept").First.Locator("> li")).ToHaveCountAsync(1);
        await visit.GoToAsync("#/quarantine/4711");
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
    }

    [BrowserFact]
    public async Task A_token_that_may_only_read_is_told_so_when_it_would_change_something()
    {
        await SendAsync(Connected("pump-1"));
        await RefusedAsync("nonsense");
        await using var visit = await chromium.VisitAsync(api);

        await visit.SignInAsync();
        await visit.GoToAsync("#/quarantine");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("scope “manage”");
        await visit.GoToAsync("#/devices/pump-1");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Edit name and tags" }).ClickAsync();
        await visit.Page.GetByLabel("Name").FillAsync("North");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("scope “manage”");
    }

    [BrowserFact]
    public async Task Name_and_tags_can_be_given_changed_and_taken_away()
    {
        await SendAsync(Connected("pump-1"));
        await using var visit = await chromium.VisitAsync(api);
        await visit.SignInAsync(ApiHost.ManageToken);
        await visit.GoToAsync("#/devices/pump-1");

        await EditAsync("Pump at the north gate", "site=north\nkind=a=b");
        await Expect(visit.Page.Locator(".device-head")).ToContainTextAsync("Pump at the north gate");
        await Expect(visit.Page.Locator(".device-head")).ToContainTextAsync("kind: a=b");
        await SendAsync(Disconnected("pump-1", "normal"));
        await EditAsync("", "site=south");
        await Expect(visit.Page.Locator(".device-head")).ToContainTextAsync("site: south");

        var device = (await api.Read.GetFromJsonAsync<JsonObject>("/api/v1/devices/pump-1"))!;
        Assert.Null(device["name"]);
        Assert.Equal("""{"site":"south"}""", device["tags"]!.ToJsonString());
        Assert.Empty(visit.Complaints);

        async Task EditAsync(string name, string tags)
        {
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Edit name and tags" }).ClickAsync();
            await visit.Page.GetByLabel("Name").FillAsync(name);
            await visit.Page.GetByLabel("Tags").FillAsync(tags);
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
            await Expect(visit.Page.GetByLabel("Tags")).ToHaveCountAsync(0);
        }
    }

    [BrowserFact]
    public async Task A_message_is_sent_and_followed_and_a_device_disconnected_after_a_second_press()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("pump-1");
        await using var own = await ApiHost.StartAsync(emqx.Settings());
        await SendAsync(own, Connected("pump-1"));
        await using var visit = await chromium.VisitAsync(own);
        await visit.SignInAsync(ApiHost.ManageToken);
        await visit.GoToAsync("#/devices/pump-1");

        await visit.Page.GetByText("Send a message").ClickAsync();
        await visit.Page.GetByLabel("Payload").FillAsync("light on");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("'topic' is missing");
        await visit.Page.GetByLabel("Topic").FillAsync("cmd/{clientId}");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(visit.Page.GetByText("The broker was told: sent.")).ToBeVisibleAsync();
        await own.PostAsync(emqx.Published[0].Report("acked", "pump-1"));
        var line = visit.Page.Locator("tr", new() { HasText = "cmd/pump-1" });
        await Expect(line).ToContainTextAsync("acked");
        await Expect(line).ToContainTextAsync("light on");

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Disconnect" }).ClickAsync();
        Assert.Empty(emqx.Kicked);
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Disconnect it" }).ClickAsync();
        await AHandlerHost.UntilAsync(() => emqx.Kicked.Count == 1);
    }

    [BrowserFact]
    public async Task Nothing_runs_over_the_edge_in_the_dark_on_a_narrow_screen()
    {
        var longId = string.Concat(Enumerable.Repeat("a-very-long-client-id-without-a-space", 6));
        await SendAsync(Connected(longId), Published(longId, string.Join('/', Enumerable.Repeat("level", 40)), new string('x', 4000)), Connected("pump-1"));
        await RefusedAsync(new string('y', 3000));
        await using var visit = await chromium.VisitAsync(api, width: 390, ColorScheme.Dark);
        await visit.SignInAsync();

        foreach (var (hash, shows) in new[]
        {
            ("#/", "[data-stat=online]"), ("#/devices", "tbody tr"), ($"#/devices/{longId}", ".messages tbody tr"), ("#/messages", "tbody tr"),
            ("#/events", ".event"), ("#/quarantine", ".kept > li"), ("#/setup", "pre"),
        })
        {
            await visit.GoToAsync(hash);
            await visit.Page.Locator(shows).First.WaitForAsync();
            Assert.True(await visit.Page.EvaluateAsync<int>("document.documentElement.scrollWidth") <= 390, $"{hash} is too wide");
        }

        Assert.Equal("rgb(18, 23, 26)", await visit.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
        Assert.Empty(visit.Complaints);
    }

    [BrowserFact]
    public async Task The_keyboard_reaches_a_device()
    {
        await SendAsync(Connected("pump-1"));
        await using var visit = await chromium.VisitAsync(api);

        await visit.Page.GotoAsync("/#/devices");
        await visit.Page.Keyboard.TypeAsync(ApiHost.ReadToken); // the field has the focus
        await visit.Page.Keyboard.PressAsync("Enter");
        await visit.HeadingAsync("Devices");
        await Expect(visit.Page.Locator("tbody tr")).ToHaveCountAsync(1);
        for (var presses = 0; presses < 30 && await FocusedAsync() != "pump-1"; presses++) await visit.Page.Keyboard.PressAsync("Tab");
        await visit.Page.Keyboard.PressAsync("Enter");

        await visit.HeadingAsync("pump-1");

        Task<string> FocusedAsync() => visit.Page.EvaluateAsync<string>("document.activeElement.textContent");
    }

    [BrowserFact]
    public async Task The_page_of_the_API_shows_its_operations_and_asks_nobody_else()
    {
        await using var visit = await chromium.VisitAsync(api);

        await visit.Page.GotoAsync("/docs/");
        await Expect(visit.Page.Locator(".opblock", new() { HasText = "/api/v1/devices/{clientId}" }).First).ToBeVisibleAsync();
        await Expect(visit.Page.Locator(".opblock", new() { HasText = "/webhook" }).First).ToBeVisibleAsync();

        Assert.Empty(visit.Complaints);
    }

    private Task SendAsync(params object[] events) => SendAsync(api, events);

    private static async Task SendAsync(ApiHost api, params object[] events)
    {
        var answer = await api.Ingest.PostAsJsonAsync("/webhook/emqx", events);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private async Task RefusedAsync(string body, string path = "/webhook/emqx") =>
        Assert.False((await api.Ingest.PostAsync(path, new StringContent(body, new MediaTypeHeaderValue("application/json")))).IsSuccessStatusCode);

    private object Connected(string clientid, long? at = null) => new
    {
        @event = "client.connected",
        clientid,
        node = "emqx@127.0.0.1",
        peername = "10.0.0.1:50000",
        proto_name = "MQTT",
        proto_ver = 5,
        keepalive = 60,
        clean_start = true,
        expiry_interval = 0,
        connected_at = at ?? now,
    };

    private object Disconnected(string clientid, string reason, long? since = null, long? at = null) => new
    {
        @event = "client.disconnected",
        clientid,
        node = "emqx@127.0.0.1",
        peername = "10.0.0.1:50000",
        reason,
        connected_at = since ?? now,
        disconnected_at = at ?? (now + 1000),
    };

    private object Published(string clientid, string topic, string payload) => new
    {
        @event = "message.publish",
        id = Guid.NewGuid().ToString("N").ToUpperInvariant(),
        clientid,
        topic,
        payload,
        qos = 1,
        flags = new { retain = false },
        node = "emqx@127.0.0.1",
        peerhost = "10.0.0.1",
        publish_received_at = now + 500,
    };
}
