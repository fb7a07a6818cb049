using System.Text;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Downlinks;
using WebhookService.Application.Journal;
using WebhookService.Application.Messages;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Retention;
using WebhookService.Infrastructure.Tests.Brokers;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Downlinks;

/// <summary>Messages to devices on a real store, with a broker that does what a test says.</summary>
public sealed class DownlinkTests
{
    private static readonly ClientId Device = new("pump-7");
    private static readonly DateTimeOffset T0 = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly AClock clock = new(T0);
    private readonly ScriptedBroker broker = new();

    [Fact]
    public async Task If_the_service_stops_before_the_answer_is_written_down_it_is_uncertain_and_not_sent_again_and_reports_tell()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        broker.Takes = _ => new TaskCompletionSource<PublishAnswer>().Task;
        _ = store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd", Key = "k" });
        await Eventually.IsAsync(async () => (await FindAsync(store, 1)) is { Status: DownlinkStatus.Accepted } && broker.Published.Count == 1);

        await using var next = await store.RestartAsync();

        await Eventually.IsAsync(async () => (await FindAsync(next, 1))!.Status is DownlinkStatus.Uncertain);
        var repeated = await next.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd", Key = "k" });
        Assert.Equal((1, DownlinkStatus.Uncertain, true), (repeated.Id, repeated.Status, repeated.IsRepetition));
        Assert.Single(broker.Published);
        var content = Content(new MessageId(77), T0.AddSeconds(1));
        await next.SendAsync(new RecordMessageDelivered(content, Device, T0.AddSeconds(2), null, false, T0));
        await next.SendAsync(new RecordMessageAcked(content, Device, T0.AddSeconds(3), null, T0));
        var told = (await FindAsync(next, 1))!;
        Assert.Equal((DownlinkStatus.Acked, DownlinkMatch.Content, T0.AddSeconds(2), T0.AddSeconds(3)), (told.Status, told.Match, told.DeliveredAt, told.AckedAt));
        Assert.Equal(["downlink.accepted", "downlink.uncertain", "downlink.delivered", "downlink.acked"], await EventsAsync(next));
    }

    [Fact]
    public async Task Finished_ones_go_by_age_and_by_number_and_those_that_wait_stay()
    {
        await using var store = await AStore.OpenAsync(clock, [broker], ("Retention:Downlinks:MaxAge", "2.00:00:00"), ("Retention:Downlinks:MaxCount", "3"));
        var retention = store.Get<RetentionWorker>();
        broker.Takes = _ => Task.FromResult(new PublishAnswer(PublishResult.Refused));
        for (var i = 0; i < 5; i++) await Assert.ThrowsAsync<NotPublishedException>(() => store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd" }));
        await retention.RoundAsync(default);
        Assert.Equal([3L, 4L, 5L], Kept());

        broker.Takes = _ => new TaskCompletionSource<PublishAnswer>().Task;
        _ = store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd" });
        await Eventually.IsAsync(() => Task.FromResult(Kept().Contains(6)));
        using (var writing = store.Database.OpenForWriting()) Dapper.SqlMapper.Execute(writing, "UPDATE downlinks SET accepted_at = 0 WHERE downlink_no IN (4, 6)");
        await retention.RoundAsync(default);

        Assert.Equal([5L, 6L], Kept()); // 3 is beyond the number, 4 too old, and 6 too but it waits

        IReadOnlyList<long> Kept() => store.Query<long>("SELECT downlink_no FROM downlinks ORDER BY downlink_no");
    }

    [Fact]
    public async Task Reports_may_overtake_the_brokers_answer()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        var content = Content(new MessageId(77), T0);
        broker.Takes = async _ =>
        {
            await store.SendAsync(new RecordMessageAcked(content, Device, T0, null, T0));
            await store.SendAsync(new RecordMessageDelivered(content, Device, T0, null, false, T0));
            await store.SendAsync(new RecordMessagePublished(content, null, false, T0));
            return new(PublishResult.Taken, content.Id);
        };

        var published = await store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd" });

        var told = (await FindAsync(store, published.Id))!;
        Assert.Equal((DownlinkStatus.Acked, DownlinkStatus.Acked, DownlinkMatch.Id), (published.Status, told.Status, told.Match));
        Assert.Equal(["downlink.accepted", "downlink.sent", "downlink.delivered", "downlink.acked"], await EventsAsync(store));
        Assert.Equal(MessageStatus.Acked, (await store.SendAsync(new GetMessage(MessageId.Parse(told.MessageId!))))!.Status);
    }

    [Fact]
    public async Task Where_neither_the_answer_nor_reports_have_ids_it_is_found_before_and_after_the_answer()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        broker.Takes = async order =>
        {
            if (Encoding.UTF8.GetString(order.Payload.Bytes.Span) == "early") await store.SendAsync(new RecordMessageAcked(Content(null, T0, "early"), Device, null, null, T0));
            return new(PublishResult.Taken);
        };

        var early = await store.SendAsync(PublishToDevice.Text(Device, "early") with { Topic = "cmd" });
        var late = await store.SendAsync(PublishToDevice.Text(Device, "late") with { Topic = "cmd" });
        await store.SendAsync(new RecordMessageAcked(Content(null, T0, "late"), Device, null, null, T0));
        await store.SendAsync(new RecordMessageAcked(Content(null, T0.AddMinutes(1), "late"), Device, null, null, T0)); // another one, long after

        Assert.Equal(DownlinkStatus.Acked, early.Status);
        Assert.Equal((DownlinkStatus.Acked, DownlinkMatch.Content), ((await FindAsync(store, late.Id))!.Status, (await FindAsync(store, late.Id))!.Match));
    }

    [Fact]
    public async Task Its_deadline_outlives_a_restart_and_waits_for_the_brokers_backlog()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        var published = await store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd", Timeout = TimeSpan.FromSeconds(5) });
        Assert.Equal(DownlinkStatus.Sent, published.Status);

        await using var next = await store.RestartAsync(() => clock.Advance(TimeSpan.FromSeconds(10)));
        Assert.Equal(DownlinkStatus.Sent, (await FindAsync(next, published.Id))!.Status);
        await Eventually.IsAsync(async () =>
        {
            clock.Advance(TimeSpan.FromSeconds(5));
            return (await FindAsync(next, published.Id))!.Status is DownlinkStatus.TimedOut;
        });

        var told = (await FindAsync(next, published.Id))!;
        Assert.Equal((true, true, T0.AddSeconds(5)), (told.Late, told.Finished, told.Deadline));
        Assert.True(clock.GetUtcNow() >= T0.AddSeconds(40)); // the grace of the start
    }

    [Fact]
    public async Task What_surely_was_not_sent_may_be_sent_under_the_same_key_and_nothing_else_may()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        var order = PublishToDevice.Text(Device, "on") with { Topic = "cmd", Key = "k" };
        broker.Takes = _ => throw new BrokerException("It is not there.") { Fault = BrokerFault.NotReached };

        var failed = await Assert.ThrowsAsync<NotPublishedException>(() => store.SendAsync(order));
        Assert.Equal((1, DownlinkStatus.Failed, "It is not there."), (failed.Downlink, failed.Status, failed.Message));
        broker.Takes = _ => Task.FromResult(new PublishAnswer(PublishResult.Taken));
        var sent = await store.SendAsync(order);
        var repeated = await store.SendAsync(order);

        Assert.Equal((1, DownlinkStatus.Sent, false), (sent.Id, sent.Status, sent.IsRepetition));
        Assert.Equal((1, DownlinkStatus.Sent, true), (repeated.Id, repeated.Status, repeated.IsRepetition));
        Assert.Equal(2, broker.Published.Count);
        await Assert.ThrowsAsync<KeyTakenException>(() => store.SendAsync(PublishToDevice.Text(Device, "off") with { Topic = "cmd", Key = "k" }));
    }

    [Fact]
    public async Task A_message_goes_through_the_broker_that_has_the_devices_session()
    {
        var (east, west) = (new ScriptedBroker("east", "e"), new ScriptedBroker("west", "w"));
        await using var store = await AStore.OpenAsync(clock, [east, west]);
        await store.SendAsync(new RecordClientConnected(Device, "w1", T0, "1.2.3.4:5", new ConnectionDetails(), T0));
        west.Connect("unheard", T0);
        east.Suspend(east.Connect("waiting", T0).Id.Value, T0);

        await store.SendAsync(PublishToDevice.Text(Device, "1") with { Topic = "cmd" });
        await store.SendAsync(PublishToDevice.Text(new ClientId("unheard"), "2") with { Topic = "cmd" });
        await store.SendAsync(PublishToDevice.Text(new ClientId("waiting"), "3") with { Topic = "cmd" });

        Assert.Equal([Device.Value, "unheard"], west.Published.Select(order => order.Client.Value));
        Assert.Equal("waiting", Assert.Single(east.Published).Client.Value);
        Assert.DoesNotContain(Device.Value, west.Asked); // its node tells
        Assert.True((await Assert.ThrowsAsync<NoBrokerException>(() => store.SendAsync(PublishToDevice.Text(new ClientId("nobody"), "4") with { Topic = "cmd" }))).IsAmbiguous);
        east.IsDown = true;
        await Assert.ThrowsAsync<BrokerException>(() => store.SendAsync(PublishToDevice.Text(new ClientId("nobody"), "5") with { Topic = "cmd" }));
        Assert.True(await store.SendAsync(new KickClient(new ClientId("unheard"))));
        await Assert.ThrowsAsync<BrokerException>(() => store.SendAsync(new KickClient(new ClientId("nobody"))));
    }

    [Fact]
    public async Task A_forgotten_devices_downlinks_are_forgotten_too()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        await store.SendAsync(new RecordClientConnected(Device, "n1", T0, "1.2.3.4:5", new ConnectionDetails(), T0));
        var published = await store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd" });

        while (await store.SendAsync(new ForgetDevice(Device)) is Forgotten.InPart) { }

        Assert.Null(await FindAsync(store, published.Id));
        Assert.Equal(published.Id + 1, (await store.SendAsync(PublishToDevice.Text(Device, "on") with { Topic = "cmd" })).Id);
    }

    [Fact]
    public async Task All_of_a_message_is_read_as_it_was_written()
    {
        await using var store = await AStore.OpenAsync(clock, [broker]);
        var order = new PublishToDevice(Device, new byte[] { 0, 255 })
        {
            Topic = "cmd/{clientId}",
            Qos = 2,
            Retain = true,
            Expiry = TimeSpan.FromSeconds(90),
            Timeout = TimeSpan.FromSeconds(7),
            Properties = new() { ContentType = "c", ResponseTopic = "r", CorrelationData = "d", UserProperties = new Dictionary<string, string> { ["u"] = "v" } },
            Key = "k",
        };

        var published = await store.SendAsync(order);
        Assert.True((await store.SendAsync(order)).IsRepetition);

        var view = (await FindAsync(store, published.Id))!;
        Assert.Equal(("cmd/pump-7", 2, true, 90L, T0.AddSeconds(7), "k", "emqx"), (view.Topic, view.Qos, view.Retain, view.ExpirySeconds, view.Deadline, view.IdempotencyKey, view.Broker));
        Assert.Equal(new PayloadView("base64", "AP8=", 2), view.Payload);
        Assert.True(order.Properties.IsSameAs(view.Properties!));
    }

    private static MessageContent Content(MessageId? id, DateTimeOffset at, string payload = "on")
    {
        var bytes = Encoding.UTF8.GetBytes(payload);
        return new(id ?? MessageId.OfContent("http_api", at, "cmd", bytes), new ClientId("http_api"), FromDevice: false, null, "cmd", 1, false, at, Payload.OfText(bytes), null);
    }

    private static Task<DownlinkView?> FindAsync(AStore store, long id) => store.SendAsync(new GetDownlink(id));

    private static async Task<IEnumerable<string>> EventsAsync(AStore store) =>
        (await store.SendAsync(new ListDeviceEvents(Device, new PageRequest(100, null)) { Types = EventTypes.Parse("downlink.*") })).Items.Reverse().Select(happened => happened.Type);

}
