using System.Text;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Tests.Messages;

public class GetMessageTests
{
    private static readonly DateTimeOffset T = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    [Fact]
    public async Task A_message_comes_with_its_payload_and_what_became_of_it_at_each_receiver()
    {
        await using var store = await AStore.OpenAsync();
        var content = Content("c1", "site/7", Payload.OfText("{\"a\":1}"u8.ToArray()), T, 1);
        await store.SendAsync(new RecordMessagePublished(content, null, true, T));
        await store.SendAsync(new RecordMessageDelivered(content, new ClientId("r1"), T.AddSeconds(1), null, false, T));
        await store.SendAsync(new RecordMessageAcked(content, new ClientId("r1"), T.AddSeconds(2), null, T));
        await store.SendAsync(new RecordDeliveryDropped(content, new ClientId("r2"), T.AddSeconds(3), "queue_full", T));

        var message = await store.SendAsync(new GetMessage(content.Id));

        Assert.NotNull(message);
        Assert.Equal((content.Id.ToString(), "c1", "site/7", MessageStatus.Acked), (message.Id, message.ClientId, message.Topic, message.Status));
        Assert.Equal(new PayloadView("utf8", "{\"a\":1}", 7), message.Payload);
        Assert.Equal("""{"User-Property":{"k":"v"}}""", message.Properties?.Text);
        Assert.Equal(
            [new DeliveryView("r1", T.AddSeconds(1), T.AddSeconds(2), null, null, false), new DeliveryView("r2", null, null, T.AddSeconds(3), "queue_full", false)],
            message.Deliveries);
        Assert.Equal(2, message.DeliveryCount);
        Assert.Null(await store.SendAsync(new GetMessage(new MessageId(99))));
    }

    [Fact]
    public async Task Payloads_tell_text_bytes_and_loss_apart()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, Content("c1", "text", Payload.OfText(Encoding.UTF8.GetBytes("ü\0")), T, 1));
        await PublishAsync(store, Content("c1", "bytes", Payload.OfBytes(new byte[] { 0xFF, 0x00 }), T, 2));
        await PublishAsync(store, Content("c1", "lossy", Payload.OfText(Encoding.UTF8.GetBytes("a\uFFFD")), T, 3));

        var page = await store.SendAsync(new ListMessages(new PageRequest(50, null)));

        Assert.Equal(
            [new("lossy", "a\uFFFD", 4), new("base64", "/wA=", 2), new PayloadView("utf8", "ü\0", 3)],
            page.Items.Select(item => item.Payload));
    }

    [Fact]
    public async Task The_latest_state_is_the_newest_message_of_each_topic_however_late_it_came()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, Content("c1", "a", Payload.OfText("new"u8.ToArray()), T.AddSeconds(9), 1));
        await PublishAsync(store, Content("c1", "a", Payload.OfText("old"u8.ToArray()), T, 2));
        await PublishAsync(store, Content("c1", "b", Payload.OfText("only"u8.ToArray()), T.AddSeconds(3), 3));
        await PublishAsync(store, Content("c2", "c", Payload.OfText("other"u8.ToArray()), T.AddSeconds(3), 4));

        var state = await store.SendAsync(new GetLatestState(new ClientId("c1"), new PageRequest(1000, null)));
        var first = await store.SendAsync(new GetLatestState(new ClientId("c1"), new PageRequest(1, null)));
        var second = await store.SendAsync(new GetLatestState(new ClientId("c1"), new PageRequest(1, first!.Next)));

        Assert.Equal([("a", "new", T.AddSeconds(9)), ("b", "only", T.AddSeconds(3))], state!.Items.Select(item => (item.Topic, item.Payload.Data, item.PublishedAt)));
        Assert.Null(state.Next);
        Assert.Equal(["a", "b"], [first.Items.Single().Topic, second!.Items.Single().Topic]);
        Assert.Null(second.Next);
        Assert.Null(await store.SendAsync(new GetLatestState(new ClientId("nobody"), new PageRequest(1, null))));
    }

    private static Task PublishAsync(AStore store, MessageContent content) => store.SendAsync(new RecordMessagePublished(content, null, true, content.PublishedAt));

    private static MessageContent Content(string publisher, string topic, Payload payload, DateTimeOffset at, int id) =>
        new(new MessageId((UInt128)id), new ClientId(publisher), true, null, topic, 1, false, at, payload, """{"User-Property":{"k":"v"}}""");
}
