using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using static WebhookService.Infrastructure.Tests.ADatabase;

namespace WebhookService.Infrastructure.Tests.Devices;

public sealed class DeviceQueriesTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    private DeviceQueries Queries(TimeSpan? expected = null) => new(database.Database, database.ActivityLog, database.ActivityMover, Options.Create(new ActivityOptions { ExpectedInterval = expected }), database.Time);

    private async Task<Page<DeviceView>> List(DeviceFilter? filter = null, DeviceSort? sort = null, int limit = 1000, string? cursor = null, bool count = false, TimeSpan? expected = null) =>
        await Queries(expected).Handle(new ListDevices(filter ?? new(), sort ?? new(DeviceSortKey.ClientId, false), new(limit, cursor), count), default);

    private async Task<string> Ids(DeviceFilter filter, DeviceSort? sort = null, TimeSpan? expected = null) =>
        string.Join(' ', (await List(filter, sort, expected: expected)).Items.Select(device => device.ClientId));

    [Fact]
    public async Task A_device_shows_all_that_its_rows_say()
    {
        var no = database.Device(
            "a/b", status: 2, confidence: 1, username: "u", name: "Pump", tags: """{"site":"north"}""", interval: 60, lastSeen: Now.AddSeconds(-5),
            lastMessage: Now.AddSeconds(-10), connected: Now.AddHours(-1), node: "n1", ip: "10.0.0.1", peer: "10.0.0.1:99", reason: "keepalive-timeout",
            flappingUntil: Now.AddMinutes(1), subscriptions: 2, published: 7, version: 42);
        database.Subscription(no, "live", Now.AddHours(-1));
        database.Subscription(no, "gone", Now.AddHours(-1), ends: Now);

        var device = await Queries().Handle(new GetDevice(new ClientId("a/b")), default);

        Assert.Equal(
            ("a/b", "u", "Pump", """{"site":"north"}""", 60L, ConnectivityStatus.Offline, Confidence.Inferred, "keepalive-timeout", true),
            (device!.ClientId, device.Username, device.Name, device.Tags, device.MessageIntervalSeconds, device.Status, device.Confidence, device.LastReason, device.Flapping));
        Assert.Equal((Now.AddSeconds(-5), ActivityStatus.Active, 1, 1, 7L, 42L), (device.LastSeenAt, device.Activity, device.SubscriptionCount, device.SubscriptionsRunOut, device.MessagesPublished, device.Version));
        Assert.Equal((SessionId.Of("a/b", "n1", Now.AddHours(-1).ToUnixTimeMilliseconds(), "10.0.0.1:99"), true, "5"), (device.SessionId, device.CleanStart, device.ProtocolVersion));
    }

    [Fact]
    public async Task A_device_without_a_session_shows_none_and_a_stranger_is_null()
    {
        database.Device("quiet");

        var device = await Queries().Handle(new GetDevice(new ClientId("quiet")), default);

        Assert.Null(device!.SessionId);
        Assert.Null(await Queries().Handle(new GetDevice(new ClientId("Quiet")), default));
        Assert.True(await Queries().Handle(new IsDeviceKnown(new ClientId("quiet")), default));
        Assert.False(await Queries().Handle(new IsDeviceKnown(new ClientId("QUIET")), default));
    }

    [Fact]
    public async Task States_come_in_the_order_asked_without_the_unknown()
    {
        foreach (var id in new[] { "a", "b", "ü\"\\'\n" }) database.Device(id);

        var states = await Queries().Handle(new GetDeviceStates([new("ü\"\\'\n"), new("x"), new("a"), new("a")]), default);

        Assert.Equal(["ü\"\\'\n", "a", "a"], states.Select(state => state.ClientId));
    }

    [Fact]
    public async Task Each_filter_lets_pass_what_it_names()
    {
        database.Device("a1", status: 1, confidence: 0, username: "anna", node: "n1", ip: "10.0.0.1", reason: "network", lastSeen: Now.AddHours(-1), name: "Pumpe Süd", tags: """{"site":"north","odd.\"name":"x"}""");
        database.Device("a2", status: 2, confidence: 1, username: "berta", node: "n2", ip: "10.0.0.2", reason: "kicked", lastSeen: Now.AddHours(-2), flappingUntil: Now.AddSeconds(1));
        database.Device("b*", status: 0, confidence: 2, username: "anna", node: "n2", lastSeen: Now.AddHours(-3), flappingUntil: Now, tags: """{"site":"s\u00FCd"}""");
        database.Device("null");

        Assert.Equal("a1 null", await Ids(new() { Status = [ConnectivityStatus.Online] }));
        Assert.Equal("a2 b*", await Ids(new() { Status = [ConnectivityStatus.Unknown, ConnectivityStatus.Offline] }));
        Assert.Equal("a2 b*", await Ids(new() { Confidence = [Confidence.Stale, Confidence.Inferred] }));
        Assert.Equal("a1", await Ids(new() { ClientId = ClientIdPattern.Parse("a1") }));
        Assert.Equal("a1 a2", await Ids(new() { ClientId = ClientIdPattern.Parse("a*") }));
        Assert.Equal("b*", await Ids(new() { ClientId = ClientIdPattern.Parse(@"b\*") }));
        Assert.Equal("a1 a2 b* null", await Ids(new() { ClientId = ClientIdPattern.Parse("*") }));
        Assert.Equal("a1 b*", await Ids(new() { Username = "anna" }));
        Assert.Equal("a2 b*", await Ids(new() { Node = "n2" }));
        Assert.Equal("a2", await Ids(new() { Node = "n2", Status = [ConnectivityStatus.Offline] }));
        Assert.Equal("a2", await Ids(new() { Ip = "10.0.0.2" }));
        Assert.Equal("a1 a2", await Ids(new() { Reason = [DisconnectReason.Network, DisconnectReason.Kicked] }));
        Assert.Equal("a2", await Ids(new() { Flapping = true }));
        Assert.Equal("a1 b* null", await Ids(new() { Flapping = false }));
        Assert.Equal("a1 a2", await Ids(new() { LastSeenAfter = Now.AddHours(-3) }));
        Assert.Equal("b*", await Ids(new() { LastSeenBefore = Now.AddHours(-2) }));
        Assert.Equal("a1", await Ids(new() { Tags = new Dictionary<string, string> { ["site"] = "north" } }));
        Assert.Equal("a1", await Ids(new() { Tags = new Dictionary<string, string> { ["odd.\"name"] = "x", ["site"] = "north" } }));
        Assert.Equal("b*", await Ids(new() { Tags = new Dictionary<string, string> { ["site"] = "süd" } }));
        Assert.Equal("a1", await Ids(new() { Text = "SÜD" }));
        Assert.Equal("a1 b*", await Ids(new() { Text = "ANN" }));
        Assert.Equal("a1", await Ids(new() { Text = "pumpe s" }));
        Assert.Equal("", await Ids(new() { Text = "a_" }));
        Assert.Equal("", await Ids(new() { Text = "%" }));
        Assert.Equal("", await Ids(new() { Text = @"\" }));
        Assert.Equal("a1 a2", await Ids(new() { Text = "A", ClientId = ClientIdPattern.Parse("a*") }));
    }

    [Fact]
    public async Task Every_filter_works_in_every_order()
    {
        for (var i = 0; i < 8; i++)
            database.Device(
                $"d{i}", status: i % 3, confidence: i % 2, username: i % 2 == 0 ? "even" : "odd", name: $"n{i}", node: "n1", ip: "::1", lastSeen: Now.AddMinutes(-i), lastMessage: Now, connected: Now.AddMinutes(-i),
                reason: "network", flappingUntil: Now.AddHours(1), tags: """{"k":"v"}""", firstSeen: Now.AddMinutes(i));
        DeviceFilter[] filters =
        [
            new() { Status = [ConnectivityStatus.Online, ConnectivityStatus.Offline, ConnectivityStatus.Unknown] }, new() { Confidence = [Confidence.Confirmed, Confidence.Inferred] },
            new() { ClientId = new("d", true) }, new() { Node = "n1" }, new() { Ip = "::1" }, new() { Reason = [DisconnectReason.Network] }, new() { Flapping = true },
            new() { Tags = new Dictionary<string, string> { ["k"] = "v" } }, new() { Text = "d" }, new() { Activity = [ActivityStatus.Active] },
            new() { LastSeenAfter = Now.AddHours(-1) }, new() { LastSeenBefore = Now.AddHours(1) },
            new() { LastSeenAfter = Now.AddHours(-1), LastSeenBefore = Now.AddHours(1), Node = "n1", ClientId = new("d", true), Status = [ConnectivityStatus.Online, ConnectivityStatus.Offline, ConnectivityStatus.Unknown], Activity = [ActivityStatus.Active] },
        ];

        foreach (var filter in filters)
        {
            foreach (var sort in Enum.GetValues<DeviceSortKey>().SelectMany(key => new DeviceSort[] { new(key, false), new(key, true) }))
            {
                var first = await List(filter, sort, limit: 5, count: true);
                var second = await List(filter, sort, limit: 5, cursor: first.Next);
                Assert.Equal((5, 3, 8L), (first.Items.Count, second.Items.Count, first.Count));
                Assert.Equal(8, first.Items.Concat(second.Items).Select(device => device.ClientId).Distinct().Count());
            }
        }
    }

    [Fact]
    public async Task Activity_counts_the_devices_own_interval_before_the_default()
    {
        database.Device("never");
        database.Device("old", lastMessage: Now.AddDays(-9));
        database.Device("own-silent", interval: 60, lastMessage: Now.AddSeconds(-61));
        database.Device("own-active", interval: 60, lastMessage: Now.AddSeconds(-60));

        Assert.Equal("never", await Ids(new() { Activity = [ActivityStatus.Never] }));
        Assert.Equal("own-silent", await Ids(new() { Activity = [ActivityStatus.Silent] }));
        Assert.Equal("old own-active", await Ids(new() { Activity = [ActivityStatus.Active] }));
        Assert.Equal("old own-silent", await Ids(new() { Activity = [ActivityStatus.Silent] }, expected: TimeSpan.FromDays(1)));
        Assert.Equal("never own-active", await Ids(new() { Activity = [ActivityStatus.Active, ActivityStatus.Never] }, expected: TimeSpan.FromDays(1)));
    }

    public static TheoryData<DeviceSortKey, bool, bool> Orders()
    {
        var orders = new TheoryData<DeviceSortKey, bool, bool>();
        foreach (var key in Enum.GetValues<DeviceSortKey>())
        {
            for (var i = 0; i < 4; i++) orders.Add(key, i % 2 == 0, i / 2 == 0);
        }
        return orders;
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task A_walk_meets_each_device_once_in_order_with_those_without_a_value_last(DeviceSortKey key, bool descending, bool filtered)
    {
        for (var i = 0; i < 60; i++) // equal keys, missing keys, all statuses
            database.Device(
                $"d{i * 7 % 60:00}", status: i % 3, name: i % 4 == 0 ? null : $"n{i % 5}", username: i % 6 == 0 ? null : $"u{i % 3}",
                lastSeen: i % 5 == 0 ? null : Now.AddSeconds(i % 7), connected: i % 9 == 0 ? null : Now.AddSeconds(i % 4), firstSeen: Now.AddSeconds(i % 3));
        var filter = filtered ? new DeviceFilter { Status = [ConnectivityStatus.Online, ConnectivityStatus.Unknown] } : new();

        var walked = new List<DeviceView>();
        string? cursor = null;
        do
        {
            var page = await List(filter, new(key, descending), limit: 7, cursor);
            walked.AddRange(page.Items);
            cursor = page.Next;
        }
        while (cursor is not null);

        Assert.Equal(filtered ? 40 : 60, walked.Count);
        Assert.Equal(walked.Count, walked.Select(device => device.ClientId).Distinct().Count());
        var keys = walked.Select(device => KeyOf(device, key)).ToList();
        var present = keys.Where(one => one is not null).ToList();
        Assert.Equal(present, descending ? present.OrderDescending(StringComparer.Ordinal) : present.Order(StringComparer.Ordinal));
        Assert.All(keys.Skip(present.Count), Assert.Null);
    }

    [Fact]
    public async Task The_last_page_says_so_even_if_it_is_full()
    {
        for (var i = 0; i < 4; i++) database.Device($"d{i}");

        var first = await List(limit: 2);
        var second = await List(limit: 2, cursor: first.Next);

        Assert.NotNull(first.Next);
        Assert.Null(second.Next);
        Assert.Equal(["d2", "d3"], second.Items.Select(device => device.ClientId));
    }

    [Theory]
    [InlineData("nonsense!")]
    [InlineData("e30")]
    [InlineData("bnVsbA")]
    [InlineData("eyJTb3J0IjoiQ2xpZW50SWQifQ")]
    [InlineData("W10")]
    public async Task A_cursor_that_is_none_is_refused(string cursor)
    {
        var refusal = await Assert.ThrowsAsync<DomainException>(() => List(cursor: cursor));

        Assert.Equal("cursor", refusal.Parameter);
    }

    [Fact]
    public async Task A_cursor_of_another_order_is_refused()
    {
        for (var i = 0; i < 3; i++) database.Device($"d{i}", lastSeen: Now);
        var page = await List(sort: new(DeviceSortKey.LastSeenAt, true), limit: 1);

        await Assert.ThrowsAsync<DomainException>(() => List(sort: new(DeviceSortKey.LastSeenAt, false), cursor: page.Next));
        await Assert.ThrowsAsync<DomainException>(() => List(cursor: page.Next));
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("a\uD7FF", "a\uE000")]
    [InlineData("a\U0010FFFF", "b")]
    [InlineData("\U0010FFFF", null)]
    public void A_prefix_ends_where_the_next_text_begins(string prefix, string? end) => Assert.Equal(end, Infrastructure.Persistence.TextPrefix.End(prefix));

    private static string? KeyOf(DeviceView device, DeviceSortKey key) => key switch
    {
        DeviceSortKey.ClientId => device.ClientId,
        DeviceSortKey.LastSeenAt => device.LastSeenAt?.ToString("O"),
        DeviceSortKey.ConnectedAt => device.ConnectedAt?.ToString("O"),
        DeviceSortKey.FirstSeenAt => device.FirstSeenAt.ToString("O"),
        DeviceSortKey.Name => device.Name,
        _ => device.Username,
    };
}
