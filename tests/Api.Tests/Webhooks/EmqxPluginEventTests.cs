using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

/// <summary>What the 4.x plugin, NanoMQ and EMQX 3.x send: bodies with <c>action</c>.</summary>
public sealed class EmqxPluginEventTests
{
    [Fact]
    public void Client_connected_has_an_address_without_port()
    {
        var command = Emqx<RecordClientConnected>(
            """{"action":"client_connected","clientid":"pump-1","username":null,"ipaddress":"10.1.2.3","keepalive":60,"proto_ver":4,"connected_at":1767225600001,"node":"n1"}""");

        Assert.Equal(
            new RecordClientConnected(
                new("pump-1"), "n1", Ms(1_767_225_600_001), null,
                new ConnectionDetails { Ip = "10.1.2.3", Protocol = "MQTT", ProtocolVersion = "4", KeepAliveSeconds = 60 }, Arrival),
            command);
    }

    [Fact]
    public void Version_4_0_counts_seconds()
    {
        var command = Emqx<RecordClientConnected>("""{"action":"client_connected","clientid":"c","connected_at":1767225600,"username":"undefined"}""");

        Assert.Equal((Ms(1_767_225_600_000), "", null), (command.ConnectedAt!.Value, command.Node, command.Details.Username));
    }

    [Fact]
    public void Client_disconnected_tells_what_its_version_knows()
    {
        var newest = Emqx<RecordClientDisconnected>(
            """{"action":"client_disconnected","clientid":"c","reason":"{shutdown,{frame_error,badflag}}","connected_at":1767225600001,"disconnected_at":1767225601001,"node":"n1"}""");
        var older = Emqx<RecordClientDisconnected>("""{"action":"client_disconnected","clientid":"c","reason":"normal","disconnected_at":1767225601001,"node":"n1"}""");
        var oldest = Emqx<RecordClientDisconnected>("""{"action":"client_disconnected","client_id":"c","username":"undefined","reason":"normal"}""");

        Assert.Equal(
            new RecordClientDisconnected(
                new("c"), "n1", Ms(1_767_225_600_001), null, Ms(1_767_225_601_001), "{shutdown,{frame_error,badflag}}", null, Arrival),
            newest);
        Assert.Equal((null, Ms(1_767_225_601_001)), (older.ConnectedAt, older.At!.Value));
        Assert.Equal((new ClientId("c"), null, null, null), (oldest.Client, oldest.Node, oldest.ConnectedAt, oldest.At));
    }

    [Fact]
    public void Session_terminated_tells_the_reason_alone()
    {
        var command = Emqx<RecordSessionTerminated>("""{"action":"session_terminated","clientid":"c","reason":"expired","username":null,"node":"n1"}""");

        Assert.Equal(new RecordSessionTerminated(new("c"), "n1", "expired", Arrival), command);
    }

    [Theory]
    [InlineData(""" "opts":{"qos":1,"nl":1,"rap":0,"rh":2,"is_new":true} """, "a/+", 1, true, false, 2)]
    [InlineData(""" "opts":{"qos":2,"share":"g"} """, "$share/g/a/+", 2, null, null, null)]
    [InlineData(""" "opts":{"qos":0,"share":"$queue"} """, "$queue/a/+", 0, null, null, null)]
    [InlineData(""" "opts":[] """, "a/+", 0, null, null, null)]
    public void Session_subscribed_keeps_its_options_apart_and_has_no_time(string opts, string filter, int qos, bool? noLocal, bool? retainAsPublished, int? retainHandling)
    {
        var command = Emqx<RecordSubscribed>($$$"""{"action":"session_subscribed","clientid":"c","topic":"a/+",{{{opts}}}}""");

        Assert.Equal(new RecordSubscribed(new("c"), filter, new SubscriptionOptions(qos, noLocal, retainAsPublished, retainHandling), null, null, Arrival), command);
    }

    [Fact]
    public void Session_unsubscribed_has_no_time()
    {
        Assert.Equal(new RecordUnsubscribed(new("c"), "a", null, Arrival), Emqx<RecordUnsubscribed>("""{"action":"session_unsubscribed","clientid":"c","topic":"a"}"""));
    }

    [Fact]
    public void Publish_delivered_and_acked_share_an_id_though_the_plugin_gives_none()
    {
        const string message = """ "from_client_id":"pub","from_username":null,"topic":"t","payload":"x","ts":1767225600000 """;

        var published = Emqx<RecordMessagePublished>($$$"""{"action":"message_publish","qos":1,"retain":true,{{{message}}}}""");
        var delivered = Emqx<RecordMessageDelivered>($$$"""{"action":"message_delivered","clientid":"sub","qos":0,"retain":false,{{{message}}}}""");
        var acked = Emqx<RecordMessageAcked>($$$"""{"action":"message_acked","clientid":"sub","qos":1,"retain":false,{{{message}}}}""");

        Assert.Equal(MessageId.OfContent("pub", Ms(1_767_225_600_000), "t", "x"u8), published.Content.Id);
        Assert.Equal((published.Content.Id, published.Content.Id), (delivered.Content.Id, acked.Content.Id));
        Assert.Equal((true, true, 1), (published.Content.Retain, published.Content.FromDevice, published.Content.Qos));
        Assert.Equal((new ClientId("sub"), null, null, false), (delivered.Receiver, delivered.At, delivered.Peer, delivered.Duplicate));
        Assert.Equal((new ClientId("sub"), null), (acked.Receiver, acked.At));
    }

    [Fact]
    public void A_publish_is_no_evidence_because_a_will_carries_the_time_of_connect()
    {
        Assert.False(Emqx<RecordMessagePublished>("""{"action":"message_publish","from_client_id":"c","topic":"t","qos":0,"retain":false,"payload":"","ts":1767225600000}""").IsEvidence);
    }

    [Fact]
    public void Version_3_says_message_deliver()
    {
        Assert.Equal(new ClientId("s"), Emqx<RecordMessageDelivered>("""{"action":"message_deliver","client_id":"s","from_client_id":"p","topic":"t","qos":0,"payload":"","ts":1767225600}""").Receiver);
    }

    [Theory]
    [InlineData("""{"action":"client_connect","clientid":"c","ipaddress":"1.2.3.4","keepalive":60,"proto_ver":4}""", "emqx.client.connect")]
    [InlineData("""{"action":"client_connack","clientid":"c","conn_ack":"banned"}""", "emqx.client.connack")]
    [InlineData("""{"action":"client_subscribe","clientid":"c","topic":"t","opts":{"qos":1}}""", "emqx.client.subscribe")]
    [InlineData("""{"action":"client_unsubscribe","clientid":"c","topic":"t","opts":[]}""", "emqx.client.unsubscribe")]
    [InlineData("""{"action":"session_created","client_id":"c","username":"u"}""", "emqx.session.created")]
    public void What_has_no_time_has_no_key_because_equal_bodies_are_news(string body, string type)
    {
        var report = Emqx<RecordReport>(body);

        Assert.Equal((type, new ClientId("c"), null, null, body), (report.Type, report.Client!.Value, report.At, report.Key, report.Body));
    }

    [Fact]
    public void A_connect_without_an_id_is_reported_without_a_client()
    {
        Assert.Null(Emqx<RecordReport>("""{"action":"client_connect","clientid":"","ipaddress":"1.2.3.4"}""").Client);
    }
}
