using WebhookService.Domain.Messages;
using WebhookService.Domain.Tests.Sessions;

namespace WebhookService.Domain.Tests.Messages;

public sealed class MessageTests
{
    private static readonly ClientId Other = new("panel-2");

    [Fact]
    public void A_publish_is_told_once()
    {
        var message = AMessage.Unheard();

        Assert.Equal(Outcome.Applied, message.Published(AMessage.Content()));
        Assert.Equal(Outcome.Repeated, message.Published(AMessage.Content()));
        Assert.Equal(new MessagePublished(message.Id, AHistory.Client, AHistory.At(1)), Assert.Single(message.TakeEvents()));
        Assert.Equal((true, MessageStatus.Published), (message.PublishSeen, message.Status));
    }

    [Fact]
    public void A_delivery_that_overtakes_its_publish_makes_the_message_and_the_publish_corrects_QoS_and_retain()
    {
        var message = Message.Of(AMessage.Content(qos: 0), AHistory.Now);

        message.Delivered(AMessage.Receiver, AHistory.At(2), duplicate: false);
        Assert.False(message.PublishSeen);

        Assert.Equal(Outcome.Applied, message.Published(AMessage.Content(qos: 2, retain: true)));
        Assert.Equal((2, true, MessageStatus.Delivered), (message.Content.Qos, message.Content.Retain, message.Status));
    }

    [Fact]
    public void A_publish_corrects_the_payload_and_takes_none_away()
    {
        var (part, whole) = (Payload.OfText("21"u8.ToArray()), Payload.OfText("21.5"u8.ToArray()));

        Assert.Equal(whole, PublishedAfterDelivery(part, whole));
        Assert.Equal(part, PublishedAfterDelivery(part, Payload.OfText(default)));
        Assert.Equal(whole, PublishedAfterDelivery(whole, Payload.OfText("21.5"u8.ToArray()))); // the array that is there stays

        static Payload PublishedAfterDelivery(Payload ofDelivery, Payload ofPublish)
        {
            var message = Message.Of(AMessage.Content() with { Payload = ofDelivery }, AHistory.Now);
            message.Delivered(AMessage.Receiver, AHistory.At(2), duplicate: false);
            message.Published(AMessage.Content() with { Payload = ofPublish });
            return message.Content.Payload;
        }
    }

    [Fact]
    public void It_reaches_each_receiver_once()
    {
        var message = AMessage.Published();

        Assert.Equal(Outcome.Applied, message.Delivered(AMessage.Receiver, AHistory.At(2), false));
        Assert.Equal(Outcome.Repeated, message.Delivered(AMessage.Receiver, AHistory.At(2), false));
        Assert.Equal(Outcome.Applied, message.Delivered(Other, AHistory.At(3), false));
        Assert.Equal(2, message.Deliveries.Count);
        Assert.Equal(2, message.TakeEvents().Count);
    }

    [Fact]
    public void A_redelivery_adds_to_the_record_but_is_no_second_delivery()
    {
        var message = AMessage.Published();
        message.Delivered(AMessage.Receiver, AHistory.At(5), false);

        Assert.Equal(Outcome.Overtaken, message.Delivered(AMessage.Receiver, AHistory.At(9), duplicate: true));
        Assert.Equal(Outcome.Repeated, message.Delivered(AMessage.Receiver, AHistory.At(9), duplicate: true));
        Assert.Equal(Outcome.Overtaken, message.Delivered(AMessage.Receiver, AHistory.At(3), false));

        var delivery = Assert.Single(message.Deliveries);
        Assert.Equal((AHistory.At(3), true), (delivery.DeliveredAt, delivery.Redelivered));
        Assert.Single(message.TakeEvents());
    }

    [Fact]
    public void An_acknowledgement_that_overtakes_the_delivery_keeps_both_times()
    {
        var message = AMessage.Published();

        Assert.Equal(Outcome.Applied, message.Acked(AMessage.Receiver, AHistory.At(3)));
        Assert.Equal(Outcome.Applied, message.Delivered(AMessage.Receiver, AHistory.At(2), false));
        Assert.Equal(Outcome.Repeated, message.Acked(AMessage.Receiver, AHistory.At(3)));

        var delivery = Assert.Single(message.Deliveries);
        Assert.Equal((AHistory.At(2), AHistory.At(3), MessageStatus.Acked), (delivery.DeliveredAt, delivery.AckedAt, message.Status));
    }

    [Fact]
    public void A_drop_is_told_once_with_its_reason()
    {
        var message = AMessage.Published();

        Assert.Equal(Outcome.Applied, message.Dropped(AHistory.At(2), "no_subscribers"));
        Assert.Equal(Outcome.Repeated, message.Dropped(AHistory.At(2), "no_subscribers"));
        Assert.Equal(("no_subscribers", MessageStatus.Dropped), (message.DropReason, message.Status));
        Assert.Single(message.TakeEvents());
    }

    [Fact]
    public void A_drop_for_one_receiver_concerns_that_one()
    {
        var message = AMessage.Published();
        message.Delivered(Other, AHistory.At(2), false);

        Assert.Equal(Outcome.Applied, message.DroppedFor(AMessage.Receiver, AHistory.At(2), "queue_full"));
        Assert.Equal(Outcome.Repeated, message.DroppedFor(AMessage.Receiver, AHistory.At(2), "queue_full"));
        Assert.Equal((null, MessageStatus.Delivered), (message.DroppedAt, message.Status));
        Assert.Equal("queue_full", message.Deliveries.Single(one => one.Receiver == AMessage.Receiver).DropReason);
    }

    [Fact]
    public void The_status_is_the_furthest_step_in_every_order()
    {
        Func<Message, Outcome>[] reports =
        [
            message => message.Published(AMessage.Content()),
            message => message.Delivered(AMessage.Receiver, AHistory.At(2), false),
            message => message.Acked(AMessage.Receiver, AHistory.At(3)),
            message => message.DroppedFor(Other, AHistory.At(2), "expired"),
        ];

        foreach (var order in Permutations(reports))
        {
            var message = AMessage.Unheard();
            foreach (var report in order) Assert.Equal(Outcome.Applied, report(message));

            Assert.Equal((MessageStatus.Acked, true, 2), (message.Status, message.PublishSeen, message.Deliveries.Count));
        }
    }

    [Fact]
    public void A_recalled_delivery_never_replaces_what_is_known()
    {
        var message = AMessage.Published();
        message.Recall(new Delivery(AMessage.Receiver) { DeliveredAt = AHistory.At(2) });
        message.Recall(new Delivery(AMessage.Receiver));

        Assert.Equal(Outcome.Repeated, message.Delivered(AMessage.Receiver, AHistory.At(2), false));
    }

    private static IEnumerable<T[]> Permutations<T>(T[] all) => all.Length == 0
        ? [[]]
        : all.SelectMany((one, i) => Permutations([.. all[..i], .. all[(i + 1)..]]).Select(rest => (T[])[one, .. rest]));
}
