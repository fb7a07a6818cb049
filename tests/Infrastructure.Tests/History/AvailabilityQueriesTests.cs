using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Domain;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.History;
using static WebhookService.Infrastructure.Tests.ADatabase;
using static WebhookService.Infrastructure.Tests.History.InventedFleet;

namespace WebhookService.Infrastructure.Tests.History;

public sealed class AvailabilityQueriesTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    private AvailabilityQueries Queries => new(database.Database, database.ActivityMover, Options.Create(new ActivityOptions()), database.Time);

    public static TheoryData<int, int, int> Spans() => new() { { 1, 0, 60 }, { 2, 13, 29 }, { 3, 30, 31 }, { 4, 30, 90 }, { 5, -600, 60 }, { 6, -600, -300 } };

    [Theory]
    [MemberData(nameof(Spans))]
    public async Task The_part_of_the_ledger_that_is_read_says_what_all_of_it_says(int seed, int from, int to)
    {
        var fleet = new InventedFleet(database, seed, 400);
        var asked = new HistorySpan(Minute(from), Minute(to));
        var span = asked.Until(Now);
        var all = new Availability(span.From, span.To);

        foreach (var device in fleet.Devices)
        {
            var expected = new Availability(span.From, span.To);
            expected.Add(device.Timeline);
            all.Add(expected);
            var read = await Queries.Handle(new GetAvailability(new ClientId(device.ClientId), asked, Stretches: true), default);
            Assert.Equal(Said(new AvailabilityView(span, expected)), Said(read!));
            Assert.Equal((expected.OnlineSeconds, expected.OfflineSeconds), (read!.Stretches!.Sum(InState(ConnectivityStatus.Online)), read.Stretches!.Sum(InState(ConnectivityStatus.Offline))));
        }

        Assert.Equal(Said(new AvailabilityView(span, all)), Said(await Queries.Handle(new GetFleetAvailability(new(), asked, 10), default)));

        static Func<StretchView, double> InState(ConnectivityStatus status) => stretch => stretch.Status == status ? (stretch.To - stretch.From).TotalSeconds : 0;
    }

    [Theory]
    [MemberData(nameof(Spans))]
    public async Task Buckets_hold_what_the_whole_ledgers_say(int seed, int from, int to)
    {
        var fleet = new InventedFleet(database, seed, 400);
        var span = new HistorySpan(Minute(from), Minute(to)).Until(Now);
        var expected = new PresenceBuckets(span.From, span.To, TimeSpan.FromMinutes(7));
        foreach (var device in fleet.Devices) expected.Add(device.Ledger.Sessions, device.Timeline);

        var read = await Queries.Handle(new GetPresenceHistory(new(), new(Minute(from), Minute(to)), TimeSpan.FromMinutes(7)), default);

        Assert.Equal((400, span.To), (read.Devices, read.To));
        Assert.Equal(
            expected.Read().Select(bucket => $"{bucket.At:O} {bucket.Online:0.0} {bucket.Offline:0.0} {bucket.Connects} {string.Join(' ', bucket.Disconnects.Select(one => $"{Words.Of(one.Key)} {one.Value}"))}"),
            read.Buckets.Select(bucket => $"{bucket.At:O} {bucket.Online:0.0} {bucket.Offline:0.0} {bucket.Connects} {string.Join(' ', bucket.DisconnectsByReason.Select(one => $"{one.Key} {one.Value}"))}"));
        Assert.All(read.Buckets, bucket => Assert.Equal(bucket.DisconnectsByReason.Values.Sum(), bucket.Disconnects));
        Assert.All(read.Buckets, bucket => Assert.Equal(400, bucket.Online + bucket.Offline + bucket.Unknown, 0.16));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(1_000)]
    public async Task The_worst_are_named_worst_first(int wanted)
    {
        var fleet = new InventedFleet(database, 7, 300);
        var span = new HistorySpan(Minute(0), Minute(60));
        var expected = fleet.Devices
            .Select(device =>
            {
                var figures = new Availability(span.From, span.To);
                figures.Add(device.Timeline);
                return (device.ClientId, figures.Ratio, figures.OfflineSeconds);
            })
            .Where(device => device.Ratio < 1)
            .OrderBy(device => device.Ratio).ThenByDescending(device => device.OfflineSeconds).ThenBy(device => device.ClientId, StringComparer.Ordinal)
            .Take(wanted).Select(device => device.ClientId);

        var read = await Queries.Handle(new GetFleetAvailability(new(), span, wanted), default);

        Assert.Equal(expected, read.Worst.Select(device => device.ClientId));
    }

    [Fact]
    public async Task Only_devices_that_pass_the_filters_count()
    {
        var number = database.Device("a1", username: "anna", lastMessage: Now.AddMinutes(-1), connected: Now.AddHours(-2), lastSeen: Now, tags: """{"site":"north"}""");
        database.Session(number, Now.AddHours(-2));
        database.Device("a2", status: 2);
        database.Device("b");
        DeviceFilter[] filters =
        [
            new() { Username = "anna" }, new() { Activity = [ActivityStatus.Active] }, new() { ClientId = new("a1", IsPrefix: false) },
            new() { ClientId = new("a", IsPrefix: true), Status = [ConnectivityStatus.Online] }, new() { LastSeenAfter = Now.AddMinutes(-1) },
            new() { Tags = new Dictionary<string, string> { ["site"] = "north" } }, new() { Text = "NNA" },
        ];

        foreach (var filter in filters)
        {
            var read = await Queries.Handle(new GetFleetAvailability(filter, new(Now.AddHours(-1), Now), 10), default);
            Assert.Equal((filter, 1, 3_600, 1), (filter, read.Devices, read.OnlineSeconds, read.Ratio));
            Assert.Equal(1, (await Queries.Handle(new GetPresenceHistory(filter, new(Now.AddHours(-1), Now), TimeSpan.FromHours(1)), default)).Buckets.Single().Online);
        }
        Assert.Equal(3, (await Queries.Handle(new GetFleetAvailability(new(), new(Now.AddHours(-1), Now), 10), default)).Devices);
    }

    [Fact]
    public async Task Without_devices_there_are_no_figures()
    {
        var read = await Queries.Handle(new GetFleetAvailability(new(), new(Now.AddHours(-1), Now), 10), default);

        Assert.Equal((0, 0, 0, null, null, null), (read.Devices, read.OnlineSeconds, read.UnknownSeconds, read.Ratio, read.MtbfSeconds, read.MttrSeconds));
        Assert.Null(await Queries.Handle(new GetAvailability(new ClientId("stranger"), new(Now.AddHours(-1), Now), false), default));
        Assert.Equal(4, (await Queries.Handle(new GetPresenceHistory(new(), new(Now.AddHours(-1), Now), TimeSpan.FromMinutes(15)), default)).Buckets.Count);
    }

    [Fact]
    public async Task Stretches_in_which_nothing_changes_are_one_and_the_newest_thousand_are_shown()
    {
        var number = database.Device("flapping", connected: Now);
        database.InOneTransaction(() =>
        {
            for (var i = 1_500; i > 0; i--) database.Session(number, Now.AddSeconds(-2 * i), Now.AddSeconds((-2 * i) + 1), reason: "network");
            for (var i = 10; i > 0; i--) database.Session(number, Now.AddHours(-2).AddMinutes(-i), Now.AddHours(-2).AddMinutes(1 - i), reason: "takeover");
        });

        var all = await Queries.Handle(new GetAvailability(new ClientId("flapping"), new(Now.AddHours(-1), Now), Stretches: true), default);
        var calm = await Queries.Handle(new GetAvailability(new ClientId("flapping"), new(Now.AddHours(-3), Now.AddHours(-2)), Stretches: true), default);

        Assert.Equal((1_000, Now, 1_500), (all!.Stretches!.Count, all.Stretches[^1].To, all.Outages));
        Assert.Equal(
            [(Now.AddHours(-3), ConnectivityStatus.Unknown), (Now.AddHours(-2).AddMinutes(-10), ConnectivityStatus.Online)],
            calm!.Stretches!.Select(stretch => (stretch.From, stretch.Status)));
    }

    [Fact]
    public async Task A_caller_who_leaves_ends_the_reading()
    {
        _ = new InventedFleet(database, 1, 3);
        using var left = new CancellationTokenSource();
        await left.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Queries.Handle(new GetFleetAvailability(new(), new(Now.AddHours(-1), Now), 10), left.Token));
    }

    private static string Said(AvailabilityView view) =>
        $"{view.From:O} {view.To:O} {view.OnlineSeconds} {view.OfflineSeconds} {view.UnknownSeconds} {view.Ratio} {view.Outages} {view.LongestOutageSeconds} {view.MtbfSeconds} {view.MttrSeconds} {string.Join(';', view.ByReason)}";
}
