using WebhookService.Application.Common;
using WebhookService.Application.History;
using WebhookService.Application.Sessions;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.History;
using static WebhookService.Infrastructure.Tests.History.InventedFleet;

namespace WebhookService.Infrastructure.Tests.History;

public sealed class DevicesAtQueriesTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_fleet_at_a_time_is_what_each_timeline_says_of_it(int seed)
    {
        var fleet = new InventedFleet(database, seed, 300);

        for (var minute = -1; minute < 60; minute++)
        {
            foreach (var at in new[] { Minute(minute), Minute(minute).AddSeconds(30) })
            {
                var read = (await List(at)).Items.ToDictionary(device => device.ClientId);
                foreach (var device in fleet.Devices)
                {
                    var seen = device.FirstSeen <= at || device.Ledger.Sessions.Any(session => session.Start <= at) || device.Ledger.Farewells.Any(farewell => farewell.At <= at);
                    Assert.Equal(seen, read.ContainsKey(device.ClientId));
                    if (!seen) continue;
                    var (then, shown) = (device.Timeline.Single(stretch => stretch.From <= at && at < stretch.To), read[device.ClientId]);
                    DateTimeOffset? since = then.From == DateTimeOffset.MinValue ? null : then.From;
                    Assert.Equal((device.ClientId, then.Status, then.Confidence, then.Evidence, since), (device.ClientId, shown.Status, shown.Confidence, shown.Evidence, shown.Since));
                    var newest = device.Ledger.Sessions.Where(session => session.Start <= at).Select(session => (DateTimeOffset?)session.Start).Max();
                    Assert.Equal((newest, newest), (shown.ConnectedAt, shown.LastOnlineAt));
                    if (then.Status is ConnectivityStatus.Offline) Assert.Equal((Words.Of(then.Reason!.Value), since), (shown.LastReason, shown.LastOfflineAt));
                }
            }
        }
    }

    [Fact]
    public async Task Pages_bring_every_device_once_whatever_passes()
    {
        var fleet = new InventedFleet(database, 3, 250);
        var at = Minute(40);
        var all = (await List(at)).Items;

        foreach (var status in Enum.GetValues<ConnectivityStatus>())
        {
            var paged = new List<string>();
            string? cursor = null;
            do
            {
                var page = await List(at, new() { Status = [status] }, limit: 7, cursor);
                paged.AddRange(page.Items.Select(device => device.ClientId));
                Assert.True(page.Items.Count == 7 || page.Next is null);
                cursor = page.Next;
            }
            while (cursor is not null);
            Assert.Equal(all.Where(device => device.Status == status).Select(device => device.ClientId), paged);
        }
        Assert.Equal(all.Select(device => device.ClientId).Order(StringComparer.Ordinal), all.Select(device => device.ClientId));
        Assert.NotEmpty(fleet.Devices);
    }

    [Fact]
    public async Task Few_that_pass_are_found_behind_many_that_do_not()
    {
        database.InOneTransaction(() =>
        {
            for (var i = 0; i < 2_500; i++) database.Device($"d{i:0000}", firstSeen: Start);
            database.Session(2_400, Minute(10), node: "n7");
        });

        var page = await List(Minute(20), new() { Status = [ConnectivityStatus.Online] }, limit: 5);

        Assert.Equal(["d2399"], page.Items.Select(device => device.ClientId));
        Assert.Null(page.Next);
    }

    [Fact]
    public async Task A_device_shows_the_session_it_had_and_the_end_before_it()
    {
        var number = database.Device("a/b", username: "now", name: "Pump", tags: """{"site":"north"}""", connected: Minute(50), firstSeen: Start);
        database.Session(number, Minute(10), Minute(20), node: "n1", peer: "10.0.0.1:5", ip: "10.0.0.1", reason: "network", rawReason: "tcp_closed", username: "then");
        database.Session(number, Minute(30), Minute(40), node: "n2", peer: "10.0.0.2:5", ip: "10.0.0.2", reason: "takeover");
        database.Session(number, Minute(50), node: "n3", ip: "10.0.0.3");

        var first = Assert.Single((await List(Minute(15))).Items);
        var between = Assert.Single((await List(Minute(25))).Items);
        var second = Assert.Single((await List(Minute(35))).Items);
        var taken = Assert.Single((await List(Minute(45))).Items);

        Assert.Equal(("then", "Pump", """{"site":"north"}""", "n1", "10.0.0.1", Minute(10)), (first.Username, first.Name, first.Tags, first.Node, first.Ip, first.ConnectedAt));
        Assert.Equal((SessionId.Of("a/b", "n1", Minute(10).ToUnixTimeMilliseconds(), "10.0.0.1:5"), null), (first.SessionId, first.LastReason));
        Assert.Equal(
            (ConnectivityStatus.Offline, Minute(20), "network", "tcp_closed", Minute(20), first.SessionId),
            (between.Status, between.Since, between.LastReason, between.LastRawReason, between.LastOfflineAt, between.SessionId));
        Assert.Equal((ConnectivityStatus.Online, Minute(30), "network", Minute(20), "now"), (second.Status, second.Since, second.LastReason, second.LastOfflineAt, second.Username));
        Assert.Equal((ConnectivityStatus.Unknown, Minute(40), "takeover", "network"), (taken.Status, taken.Since, taken.Evidence, taken.LastReason));
    }

    [Fact]
    public async Task Each_filter_asks_for_what_was()
    {
        var one = database.Device("a1", username: "anna", node: "n9", reason: "kicked", tags: """{"k":"v"}""", firstSeen: Start, connected: Minute(50));
        database.Session(one, Minute(10), Minute(20), node: "n1", ip: "10.0.0.1", reason: "network", username: "berta");
        database.Session(one, Minute(50), node: "n9", ip: "10.0.0.9", username: "anna");
        var other = database.Device("b2", firstSeen: Start, connected: Minute(5));
        database.Session(other, Minute(5), node: "n2", ip: "10.0.0.2", username: "anna");

        Assert.Equal("a1", await Ids(15, new() { Node = "n1" }));
        Assert.Equal("", await Ids(15, new() { Node = "n9" }));
        Assert.Equal("a1", await Ids(15, new() { Ip = "10.0.0.1" }));
        Assert.Equal("a1", await Ids(15, new() { Username = "berta" }));
        Assert.Equal("b2", await Ids(15, new() { Username = "anna" }));
        Assert.Equal("a1 b2", await Ids(55, new() { Username = "anna" }));
        Assert.Equal("", await Ids(15, new() { Reason = [DisconnectReason.Network, DisconnectReason.Kicked] }));
        Assert.Equal("a1", await Ids(25, new() { Reason = [DisconnectReason.Network] }));
        Assert.Equal("a1", await Ids(55, new() { Reason = [DisconnectReason.Network] }));
        Assert.Equal("b2", await Ids(25, new() { Status = [ConnectivityStatus.Online] }));
        Assert.Equal("a1", await Ids(25, new() { Tags = new Dictionary<string, string> { ["k"] = "v" } }));
        Assert.Equal("b2", await Ids(25, new() { ClientId = new("b", IsPrefix: true) }));
        Assert.Equal("a1", await Ids(25, new() { ClientId = new("a1", IsPrefix: false) }));
        Assert.Equal("a1", await Ids(25, new() { Text = "NNA" }));
    }

    private async Task<Page<DeviceViewAt>> List(DateTimeOffset at, DeviceFilterAt? filter = null, int limit = 1_000, string? cursor = null) =>
        await new DevicesAtQueries(database.Database, database.Time).Handle(new ListDevicesAt(at, filter ?? new(), new(limit, cursor)), default);

    private async Task<string> Ids(int minute, DeviceFilterAt filter) => string.Join(' ', (await List(Minute(minute), filter)).Items.Select(device => device.ClientId));
}
