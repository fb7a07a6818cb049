using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using static WebhookService.Application.Tests.Ports;

namespace WebhookService.Application.Tests;

public sealed class MessageHandlerTests
{
    private readonly Ports ports = new();

    private RecordMessageHandler Handler => new(ports.Messages, ports.Devices, ports.Follower, PresenceRules.Default);

    [Fact]
    public async Task A_publish_saves_the_message_and_counts_for_its_device()
    {
        var outcome = await PublishAsync(Content());

        var device = ports.Known[Client];
        Assert.Equal((Outcome.Applied, 1L, "a/b", Noon), (outcome, device.Traffic.Published, device.LastTopic, device.LastMessageAt));
        Assert.True(Assert.Single(ports.Stored).Value.PublishSeen);
    }

    [Fact]
    public async Task A_repeated_publish_saves_nothing()
    {
        await PublishAsync(Content());
        var saves = ports.Saves;

        Assert.Equal(Outcome.Repeated, await PublishAsync(Content()));
        Assert.Equal((saves, 1L), (ports.Saves, ports.Known[Client].Traffic.Published));
    }

    [Fact]
    public async Task What_no_device_published_makes_no_device()
    {
        await PublishAsync(Content(fromDevice: false));
        await Handler.Handle(new RecordMessageDropped(Content(fromDevice: false), Noon, "no_subscribers", Noon), default);

        Assert.Empty(ports.Known);
        Assert.Single(ports.Stored);
    }

    [Theory]
    [InlineData(true, ConnectivityStatus.Online)]
    [InlineData(false, ConnectivityStatus.Unknown)]
    public async Task Only_a_publish_that_is_evidence_tells_that_the_device_is_connected(bool isEvidence, ConnectivityStatus status)
    {
        await PublishAsync(Content(), isEvidence);

        Assert.Equal(status, ports.Known[Client].Connectivity.Status);
    }

    [Fact]
    public async Task A_delivery_counts_once_for_its_receiver_and_shows_it_alive()
    {
        Assert.Equal(Outcome.Applied, await DeliverAsync(duplicate: false));
        Assert.Equal(Outcome.Overtaken, await DeliverAsync(duplicate: true));
        var saves = ports.Saves;
        Assert.Equal(Outcome.Repeated, await DeliverAsync(duplicate: true));

        Assert.Equal((1L, ConnectivityStatus.Online), (ports.Known[Receiver].Traffic.Delivered, ports.Known[Receiver].Connectivity.Status));
        Assert.Equal(saves, ports.Saves);
        Assert.True(Assert.Single(ports.Stored[Content().Id].Deliveries).Redelivered);
        Assert.DoesNotContain(Client, ports.Known.Keys);
    }

    [Fact]
    public async Task A_delivery_without_time_is_no_evidence()
    {
        await Handler.Handle(new RecordMessageDelivered(Content(), Receiver, At: null, null, false, Noon), default);

        Assert.Equal(ConnectivityStatus.Unknown, ports.Known[Receiver].Connectivity.Status);
    }

    [Fact]
    public async Task An_acknowledgement_shows_its_receiver_alive_and_a_repeated_one_saves_nothing()
    {
        var acked = new RecordMessageAcked(Content(), Receiver, Noon, "10.0.0.2:1", Noon);
        Assert.Equal(Outcome.Applied, await Handler.Handle(acked, default));
        var saves = ports.Saves;

        Assert.Equal(Outcome.Repeated, await Handler.Handle(acked, default));
        Assert.Equal((saves, ConnectivityStatus.Online), (ports.Saves, ports.Known[Receiver].Connectivity.Status));
    }

    [Fact]
    public async Task Drops_count_for_the_publisher_or_for_the_one_receiver_they_concern()
    {
        await Handler.Handle(new RecordMessageDropped(Content(), Noon, "no_subscribers", Noon), default);
        await Handler.Handle(new RecordDeliveryDropped(Content(), Receiver, Noon, "queue_full", Noon), default);
        await Handler.Handle(new RecordDeliveryDropped(Content(), Receiver, Noon, "queue_full", Noon), default);

        Assert.Equal((1L, 1L), (ports.Known[Client].Traffic.Dropped, ports.Known[Receiver].Traffic.Dropped));
    }

    private Task<Outcome> PublishAsync(MessageContent content, bool isEvidence = true) =>
        Handler.Handle(new RecordMessagePublished(content, "10.0.0.1:1", isEvidence, Noon), default);

    private Task<Outcome> DeliverAsync(bool duplicate) =>
        Handler.Handle(new RecordMessageDelivered(Content(), Receiver, Noon, "10.0.0.2:1", duplicate, Noon), default);

    private static MessageContent Content(bool fromDevice = true) =>
        new(new MessageId(7), Client, fromDevice, null, "a/b", 1, false, Noon, Payload.OfText("21.5"u8.ToArray()), null);
}
