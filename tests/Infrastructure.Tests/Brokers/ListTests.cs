using WebhookService.Application.Brokers;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>The list of connected clients, read page by page from tables that live.</summary>
public sealed class ListTests
{
    [Theory]
    [InlineData("4.4.19", null)]
    [InlineData("5.3.2", 25L)]
    [InlineData("5.8.9", 25L)]
    [InlineData("6.0.2", 25L)]
    public async Task It_is_read_to_its_end_with_the_total_where_the_broker_counts(string version, long? total)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        for (var i = 0; i < 25; i++) emqx.Connect($"pump-{i}");
        using var broker = Of(emqx, options => options.PageSize = 10);

        var pages = new List<ClientPage>();
        await foreach (var page in broker.ConnectedAsync(CancellationToken.None)) pages.Add(page);

        Assert.Equal([10, 10, 5], pages.Select(page => page.Clients.Count));
        Assert.Equal(25, pages.SelectMany(page => page.Clients).DistinctBy(client => client.Id).Count());
        Assert.All(pages, page => Assert.Equal(total, page.Total));
    }

    [Theory]
    [InlineData("4.4.19", "2026-03-01T12:00:00Z")]
    [InlineData("5.3.2", "2026-03-01T12:00:00.123Z")]
    [InlineData("5.8.9", "2026-03-01T12:00:00.123Z")]
    public async Task It_says_of_a_client_what_its_connect_said(string version, DateTimeOffset connectedAt)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        var client = emqx.Connect("pump-1", node: "emqx@10.0.0.7", connectedAt: T1, username: "north", port: 51_234);
        (client.Ip, client.ProtocolVersion, client.KeepAliveSeconds, client.CleanStart, client.ExpirySeconds) = ("10.1.2.3", 5, 45, false, 3600);
        using var broker = Of(emqx);

        var listed = Assert.Single(await broker.ClientsAsync());

        Assert.Equal(("pump-1", "emqx@10.0.0.7", connectedAt, "10.1.2.3:51234"), (listed.Id.Value, listed.Node, listed.ConnectedAt, listed.Peer));
        Assert.Equal(
            new() { Username = "north", Ip = "10.1.2.3", Port = 51_234, Protocol = "MQTT", ProtocolVersion = "5", KeepAliveSeconds = 45, CleanStart = false, ExpirySeconds = 3600 },
            listed.Details);
    }

    [Theory]
    [InlineData("::ffff:10.1.2.3", "10.1.2.3", null)]
    [InlineData("2001:db8::7", "2001:db8::7", "2001:db8::7:51234")]
    public async Task An_address_that_events_may_write_otherwise_names_no_connection(string listed, string ip, string? peer)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("pump-1", port: 51_234).Ip = listed;
        using var broker = Of(emqx);

        var client = Assert.Single(await broker.ClientsAsync());

        Assert.Equal((ip, peer), (client.Details.Ip, client.Peer));
    }

    [Theory]
    [InlineData("4.4.19", null)]
    [InlineData("5.8.9", "undefined")]
    public async Task A_user_called_undefined_is_none_where_the_broker_writes_so_for_none(string version, string? username)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("undefined", username: "undefined");
        using var broker = Of(emqx);

        var listed = Assert.Single(await broker.ClientsAsync());

        Assert.Equal(("undefined", username), (listed.Id.Value, listed.Details.Username));
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task Sessions_that_wait_are_not_in_it_even_where_the_broker_lists_them(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("here");
        emqx.Connect("away");
        emqx.Disconnect("away", keepsSession: true);
        using var broker = Of(emqx);
        emqx.Asked = _ => FakeAnswer.Json("""
            {"data":[{"clientid":"away","connected":false,"connected_at":"2026-03-01 12:00:00","disconnected_at":"2026-03-01 12:00:01"}],"meta":{"hasnext":false},"code":0}
            """);
        using var asOld = Of(emqx, options => options.Version = version[..1]);

        var unfiltered = await asOld.IdsAsync();
        emqx.Asked = null;
        var filtered = await broker.IdsAsync();

        Assert.Empty(unfiltered);
        Assert.Equal(["here"], filtered);
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task A_client_that_is_missing_or_doubled_in_the_broker_s_list_is_so_in_ours(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        foreach (var id in (string[])["a", "b", "c"]) emqx.Connect(id);
        emqx.LeaveOut("a");
        emqx.ListTwice("c");
        using var broker = Of(emqx, options => options.PageSize = 2);

        var ids = await broker.IdsAsync();

        Assert.Equal(["b", "c", "c"], ids);
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task An_empty_page_ends_it_whatever_it_promises(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("a");
        emqx.PromisesMore = true;
        using var broker = Of(emqx, options => options.Version = version[..1]);

        var ids = await broker.IdsAsync();

        Assert.Equal(["a"], ids);
        Assert.Equal(2, emqx.Requests.Count);
    }

    [Fact]
    public async Task One_that_ends_early_is_betrayed_by_its_total_alone()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        foreach (var id in (string[])["a", "b", "c"]) emqx.Connect(id);
        emqx.ListOnly = 1;
        using var broker = Of(emqx);

        var pages = new List<ClientPage>();
        await foreach (var page in broker.ConnectedAsync(CancellationToken.None)) pages.Add(page);

        Assert.Equal((1, 3L), (Assert.Single(pages).Clients.Count, pages[0].Total));
    }

    [Fact]
    public async Task It_ends_with_a_sentence_where_the_broker_never_ends()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json("""{"data":[{"clientid":"a","connected_at":"2026-03-01T12:00:00Z"}],"meta":{"hasnext":true}}""");
        using var broker = Of(emqx, options => options.Version = "5", maxPages: 4);

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ClientsAsync);

        Assert.Contains("PageSize", failure.Message, StringComparison.Ordinal);
        Assert.Equal(4, emqx.Requests.Count);
    }

    [Fact]
    public async Task A_version_that_says_nothing_of_a_next_page_is_asked_until_a_page_is_not_full()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V51);
        foreach (var id in (string[])["a", "b", "c"]) emqx.Connect(id);
        emqx.Asked = request => FakeAnswer.Json(request.Query.Contains("page=1&", StringComparison.Ordinal)
            ? """{"data":[{"clientid":"a","connected_at":"2026-03-01T12:00:00Z"},{"clientid":"b","connected_at":"2026-03-01T12:00:00Z"}],"meta":{"count":3}}"""
            : """{"data":[{"clientid":"c","connected_at":"2026-03-01T12:00:00Z"}],"meta":{"count":3}}""");
        using var broker = Of(emqx, options => (options.Version, options.PageSize) = ("5", 2));

        var ids = await broker.IdsAsync();

        Assert.Equal(["a", "b", "c"], ids);
        Assert.Equal(2, emqx.Requests.Count);
    }

    [Fact]
    public async Task Only_fields_that_the_broker_knows_are_asked_for()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("a");
        using var broker = Of(emqx, options => options.Version = "5");

        await broker.ClientsAsync();

        Assert.Contains("fields=clientid,", Assert.Single(emqx.Requests).Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_fields_are_refused_they_are_left_out_from_then_on()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("a");
        emqx.Connect("b");
        emqx.Once("/clients", FakeAnswer.Json("""{"code":"BAD_REQUEST","message":"{\"path\":\"fields\",\"kind\":\"validation_error\"}"}""", status: 400));
        using var broker = Of(emqx, options => (options.Version, options.PageSize) = ("5", 1));

        var ids = await broker.IdsAsync();

        Assert.Equal(["a", "b"], ids);
        Assert.Equal([true, false, false], emqx.Requests.Select(request => request.Query.Contains("fields", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_is_refused_for_another_reason_is_not_repeated()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Once("/clients", FakeAnswer.Json("""{"code":"BAD_REQUEST","message":"{\"path\":\"limit\"}"}""", status: 400));
        using var broker = Of(emqx, options => options.Version = "5");

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ClientsAsync);

        Assert.Contains("400 (BAD_REQUEST", failure.Message, StringComparison.Ordinal);
        Assert.Single(emqx.Requests);
    }

    [Fact]
    public async Task Clients_that_are_only_about_to_connect_and_impossible_ids_are_passed_over()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json("""
            {"data":[{"clientid":"connecting","connected":true,"connected_at":null},{"clientid":"","connected_at":"2026-03-01T12:00:00Z"},
            {"clientid":"a\u0000b","connected_at":"2026-03-01T12:00:00Z"},{"clientid":"\ud800","connected_at":"2026-03-01T12:00:00Z"},
            {"clientid":"a","connected_at":"2026-03-01T12:00:00Z"}],"meta":{"hasnext":false}}
            """);
        using var broker = Of(emqx, options => options.Version = "5");

        var ids = await broker.IdsAsync();

        Assert.Equal(["a"], ids);
    }

    [Theory]
    [InlineData("""{"meta":{"hasnext":false}}""", "without a list of clients")]
    [InlineData("""{"data":[{},{}],"meta":{"hasnext":false}}""", "no clientid")]
    [InlineData("""{"data":[{"clientid":"a","connected_at":"yesterday"}],"meta":{"hasnext":false}}""", "connected_at that is no time")]
    public async Task What_is_no_list_of_clients_is_told(string body, string what)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json(body);
        using var broker = Of(emqx, options => options.Version = "5");

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ClientsAsync);

        Assert.Contains(what, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_fails_ends_it_after_the_pages_before()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        foreach (var id in (string[])["a", "b", "c"]) emqx.Connect(id);
        emqx.Asked = request => request.Query.Contains("page=2", StringComparison.Ordinal) ? FakeAnswer.Status(500, "Internal Error") : null;
        using var broker = Of(emqx, options => options.PageSize = 1);
        var read = new List<string>();

        await Assert.ThrowsAsync<BrokerException>(async () =>
        {
            await foreach (var page in broker.ConnectedAsync(CancellationToken.None)) read.AddRange(page.Clients.Select(client => client.Id.Value));
        });

        Assert.Equal(["a"], read);
    }

    [Fact]
    public async Task Times_of_4_x_are_read_in_the_zone_of_its_nodes()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        emqx.TimeZone = TimeZoneInfo.FindSystemTimeZoneById("Asia/Shanghai");
        emqx.Connect("a", connectedAt: T1);
        using var broker = Of(emqx, options => options.TimeZone = "Asia/Shanghai");

        var client = Assert.Single(await broker.ClientsAsync());

        Assert.Equal((T1.AddMilliseconds(-123), TimeSpan.Zero), (client.ConnectedAt, client.ConnectedAt.Offset));
    }

    [Theory]
    [InlineData("2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z")] // 02:30 summer time; now is 02:45 summer time
    [InlineData("2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z")] // 02:30 winter time; now is 02:45 winter time
    [InlineData("2026-10-25T01:30:00Z", "2026-10-25T01:29:00Z")] // its clock is a minute ahead of ours
    public async Task In_the_hour_that_comes_twice_a_time_of_4_x_is_not_in_the_future(DateTimeOffset connectedAt, DateTimeOffset now)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        emqx.TimeZone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        emqx.Connect("a", connectedAt: connectedAt);
        using var broker = Of(emqx, options => options.TimeZone = "Europe/Berlin", new AClock(now));

        var client = Assert.Single(await broker.ClientsAsync());

        Assert.Equal(connectedAt, client.ConnectedAt);
    }
}
