using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

/// <summary>What rules of EMQX 4.x to 6.x send: bodies with <c>event</c>.</summary>
public sealed class EmqxRuleEventTests
{
    private const string Id = "000659C3A1B2C3D4F445000010E4000C";

    [Fact]
    public void Client_connected_tells_the_session_and_all_that_is_known_of_it()
    {
        const string body = """
            {"username":"alice","timestamp":1767225600010,"sockname":"10.0.0.1:1883","receive_maximum":32,"proto_ver":5,"proto_name":"MQTT",
             "peername":"10.1.2.3:50123","node":"emqx@10.0.0.1","mountpoint":"undefined","metadata":{"rule_id":"all_WH_D"},"keepalive":30,
             "is_bridge":false,"expiry_interval":7200,"event":"client.connected","connected_at":1767225600001,
             "conn_props":{"User-Property":{},"Receive-Maximum":20},"clientid":"pump-1","clean_start":false,"client_attrs":{}}
            """;

        var command = Emqx<RecordClientConnected>(body);

        Assert.Equal(
            new RecordClientConnected(
                new("pump-1"), "emqx@10.0.0.1", Ms(1_767_225_600_001), "10.1.2.3:50123",
                new ConnectionDetails
                {
                    Username = "alice",
                    Ip = "10.1.2.3",
                    Port = 50_123,
                    Protocol = "MQTT",
                    ProtocolVersion = "5",
                    KeepAliveSeconds = 30,
                    CleanStart = false,
                    ExpirySeconds = 7200,
                    More = """{"sockname":"10.0.0.1:1883","receive_maximum":32,"is_bridge":false,"conn_props":{"Receive-Maximum":20}}""",
                },
                Arrival),
            command);
    }

    [Fact]
    public void Client_connected_of_a_gateway_may_leave_out_nearly_everything()
    {
        var command = Emqx<RecordClientConnected>("""{"event":"client.connected","clientid":"s1","proto_name":"MQTT-SN","proto_ver":"1.2","username":"undefined","peername":"undefined"}""");

        Assert.Equal(("", null, null, "MQTT-SN", "1.2", null), (command.Node, command.ConnectedAt, command.Peer, command.Details.Protocol, command.Details.ProtocolVersion, command.Details.Username));
        Assert.Null(command.Details.More);
    }

    [Fact]
    public void Client_disconnected_names_its_session_from_5_8_6_on()
    {
        const string body = """
            {"event":"client.disconnected","clientid":"pump-1","node":"n1","peername":"10.1.2.3:50123","connected_at":1767225600001,
             "disconnected_at":1767225601001,"timestamp":1767225601003,"reason":"keepalive_timeout","disconn_props":{"User-Property":{},"Session-Expiry-Interval":4294967295}}
            """;

        var command = Emqx<RecordClientDisconnected>(body);

        Assert.Equal(
            new RecordClientDisconnected(
                new("pump-1"), "n1", Ms(1_767_225_600_001), "10.1.2.3:50123", Ms(1_767_225_601_001), "keepalive_timeout", 4_294_967_295, Arrival),
            command);
    }

    [Fact]
    public void Client_disconnected_before_5_8_6_has_only_its_peer_and_empty_lists_for_empty_objects()
    {
        var command = Emqx<RecordClientDisconnected>(
            """{"event":"client.disconnected","clientid":"c","peername":"10.0.0.9:1","disconnected_at":1767225601001,"reason":"normal","disconn_props":[]}""");

        Assert.Equal((null, "10.0.0.9:1", null), (command.ConnectedAt, command.Peer, command.ExpirySeconds));
    }

    [Fact]
    public void Client_ping_is_a_sign_of_life()
    {
        var command = Emqx<RecordSignOfLife>("""{"event":"client.ping","clientid":"c","timestamp":1767225600000,"peername":"10.0.0.9:1","expiry_interval":7200000}""");

        Assert.Equal(new RecordSignOfLife(new("c"), Ms(1_767_225_600_000), "10.0.0.9:1", Arrival), command);
    }

    [Fact]
    public void Session_subscribed_tells_filter_qos_and_time()
    {
        var command = Emqx<RecordSubscribed>(
            """{"event":"session.subscribed","clientid":"c","topic":"$share/g/a/+","qos":1,"timestamp":1767225600000,"sub_props":{"User-Property":{}},"peerhost":"10.0.0.9"}""");

        Assert.Equal(new RecordSubscribed(new("c"), "$share/g/a/+", new SubscriptionOptions(1, null, null, null), Ms(1_767_225_600_000), null, Arrival), command);
    }

    [Fact]
    public void Session_unsubscribed_tells_filter_and_time()
    {
        var command = Emqx<RecordUnsubscribed>("""{"event":"session.unsubscribed","clientid":"c","topic":"a/#","qos":0,"timestamp":1767225600000}""");

        Assert.Equal(new RecordUnsubscribed(new("c"), "a/#", Ms(1_767_225_600_000), Arrival), command);
    }

    [Fact]
    public void Message_publish_tells_the_message_and_is_evidence_of_its_client()
    {
        var command = Emqx<RecordMessagePublished>($$$"""
            {"event":"message.publish","id":"{{{Id}}}","clientid":"pump-1","username":"undefined","payload":"{\"t\":21}","peerhost":"10.1.2.3",
             "peername":"10.1.2.3:50123","topic":"t/1","qos":2,"flags":{"retain":true,"dup":false},"publish_received_at":1767225600000,
             "timestamp":1767225600002,"pub_props":{"User-Property":{},"Content-Type":"json"}}
            """);

        var content = command.Content;
        Assert.Equal(MessageId.Parse(Id), content.Id);
        Assert.Equal(
            (new ClientId("pump-1"), true, null, "t/1", 2, true, Ms(1_767_225_600_000)),
            (content.Publisher, content.FromDevice, content.Username, content.Topic, content.Qos, content.Retain, content.PublishedAt));
        Assert.Equal(("{\"t\":21}", PayloadKind.Text), (TextOf(content.Payload), content.Payload.Kind));
        Assert.Equal("""{"Content-Type":"json"}""", content.Properties);
        Assert.Equal(("10.1.2.3:50123", true), (command.Peer, command.IsEvidence));
    }

    [Fact]
    public void A_will_is_no_evidence_and_not_sent_by_its_device()
    {
        var command = Emqx<RecordMessagePublished>(
            $$$"""{"event":"message.publish","id":"{{{Id}}}","clientid":"pump-1","payload":"gone","peerhost":"undefined","peername":"undefined","topic":"w","qos":0,"flags":{},"publish_received_at":1767225600000}""");

        Assert.Equal((false, false, null), (command.IsEvidence, command.Content.FromDevice, command.Peer));
    }

    [Theory]
    [InlineData("http_api")]
    [InlineData("$delayed")]
    [InlineData("rule:7")]
    [InlineData("republisher")]
    public void Messages_of_the_API_and_of_rules_come_from_no_device(string publisher)
    {
        var command = Emqx<RecordMessagePublished>(
            $$$"""{"event":"message.publish","id":"{{{Id}}}","clientid":"{{{publisher}}}","peerhost":"10.0.0.1","topic":"t","qos":0,"metadata":{"rule_id":"republisher"},"timestamp":1767225600000}""");

        Assert.Equal((false, false), (command.Content.FromDevice, command.IsEvidence));
    }

    [Fact]
    public void A_publish_whose_rule_leaves_out_the_peer_is_the_devices_but_no_evidence()
    {
        var command = Emqx<RecordMessagePublished>($$$"""{"event":"message.publish","id":"{{{Id}}}","clientid":"c","topic":"t","timestamp":1767225600000}""");

        Assert.Equal((true, false), (command.Content.FromDevice, command.IsEvidence));
        Assert.Equal(0, command.Content.Payload.Bytes.Length);
    }

    [Fact]
    public void The_first_rules_give_the_time_as_timestamp_and_properties_in_headers()
    {
        var content = Emqx<RecordMessagePublished>(
            """{"event":"message.publish","id":"659C3A1B2C3D4F445000010E4000C","clientid":"c","topic":"t","qos":1,"timestamp":1767225600000,"peerhost":"1.2.3.4","headers":{"properties":{"Content-Type":"x","User-Property":[]}},"flags":"undefined"}""").Content;

        Assert.Equal(MessageId.Parse(Id), content.Id);
        Assert.Equal((Ms(1_767_225_600_000), """{"Content-Type":"x"}""", false), (content.PublishedAt, content.Properties, content.Retain));
    }

    [Fact]
    public void Message_delivered_names_receiver_and_publisher()
    {
        var command = Emqx<RecordMessageDelivered>(Receipt("message.delivered", """ "flags":{"dup":true,"retain":false} """));

        Assert.Equal(
            (new ClientId("sub"), new ClientId("pub"), "puser", Ms(1_767_225_600_009), "10.0.0.2:9", true),
            (command.Receiver, command.Content.Publisher, command.Content.Username, command.At, command.Peer, command.Duplicate));
        Assert.Equal((Ms(1_767_225_600_000), true), (command.Content.PublishedAt, command.Content.FromDevice));
    }

    [Fact]
    public void Message_acked_names_receiver_and_publisher()
    {
        var command = Emqx<RecordMessageAcked>(Receipt("message.acked", """ "puback_props":{"User-Property":{}} """));

        Assert.Equal((new ClientId("sub"), new ClientId("pub"), Ms(1_767_225_600_009)), (command.Receiver, command.Content.Publisher, command.At));
    }

    [Fact]
    public void Delivery_dropped_names_the_receiver_and_why()
    {
        var command = Emqx<RecordDeliveryDropped>(Receipt("delivery.dropped", """ "reason":"queue_full" """));

        Assert.Equal((new ClientId("sub"), "queue_full", Ms(1_767_225_600_009)), (command.Receiver, command.Reason, command.At));
    }

    [Fact]
    public void Message_dropped_names_the_publisher_and_why()
    {
        var command = Emqx<RecordMessageDropped>(
            $$$"""{"event":"message.dropped","id":"{{{Id}}}","clientid":"pub","topic":"t","qos":0,"payload":"","peerhost":"1.2.3.4","reason":"no_subscribers","publish_received_at":1767225600000,"timestamp":1767225600001}""");

        Assert.Equal((new ClientId("pub"), "no_subscribers", Ms(1_767_225_600_001)), (command.Content.Publisher, command.Reason, command.At));
    }

    [Fact]
    public void A_message_without_any_time_takes_that_in_its_id_or_else_the_arrival()
    {
        var byId = Emqx<RecordMessagePublished>($$$"""{"event":"message.publish","id":"{{{Id}}}","clientid":"c","topic":"t"}""").Content;
        var byArrival = Emqx<RecordMessageDropped>("""{"event":"message.dropped","clientid":"c","topic":"t","reason":"no_subscribers"}""").Content;

        Assert.Equal(Ms(0x000659C3A1B2C3D4 / 1000), byId.PublishedAt);
        Assert.Equal(Arrival, byArrival.PublishedAt);
    }

    [Theory]
    [InlineData("""{"event":"client.connack","clientid":"c","reason_code":"success","timestamp":1767225600000}""", "emqx.client.connack")]
    [InlineData("""{"event":"client.check_authn_complete","clientid":"c","reason_code":"not_authorized","timestamp":1767225600000}""", "emqx.client.check_authn_complete")]
    [InlineData("""{"event":"client.check_authz_complete","action":"publish","clientid":"c","topic":"t","result":"deny","timestamp":1767225600000}""", "emqx.client.check_authz_complete")]
    [InlineData("""{"event":"client.check_acl_complete","action":"subscribe","clientid":"c","is_cache":"false","timestamp":1767225600000}""", "emqx.client.check_acl_complete")]
    [InlineData("""{"event":"schema.validation_failed","clientid":"c","validation":"v","timestamp":1767225600000}""", "emqx.schema.validation_failed")]
    [InlineData("""{"event":"message.transformation_failed","clientid":"c","timestamp":1767225600000}""", "emqx.message.transformation_failed")]
    [InlineData("""{"event":"a.future_event","clientid":"c","timestamp":1767225600000,"qos":"seven"}""", "emqx.a.future_event")]
    [InlineData("""{"clientid":"c","timestamp":1767225600000}""", "emqx.unrecognised")]
    [InlineData("""{"action":"publish","clientid":"c","result":"allow","timestamp":1767225600000}""", "emqx.unrecognised")]
    [InlineData("""{"event":"so odd, it cannot be a name","clientid":"c","timestamp":1767225600000}""", "emqx.unrecognised")]
    public void What_changes_no_state_is_reported_as_it_came(string body, string type)
    {
        var report = Emqx<RecordReport>(body);

        Assert.Equal((type, new ClientId("c"), true, Ms(1_767_225_600_000), body), (report.Type, report.Client!.Value, report.IsDevice, report.At!.Value, report.Body));
    }

    [Theory]
    [InlineData("""{"event":"alarm.activated","name":"high_cpu_usage","activated_at":1767225600000000,"details":{}}""")]
    [InlineData("""{"event":"alarm.deactivated","name":"high_cpu_usage","activated_at":1767225500000000,"deactivated_at":1767225600000000}""")]
    [InlineData("""{"event":"$bridges/mqtt:other","server":"x","message_received_at":1767225600000}""")]
    [InlineData("""{"event":"$sources/kafka:k","payload":{"a":1},"timestamp":1767225600000}""")]
    public void Reports_of_the_broker_itself_name_no_client(string body)
    {
        var report = Emqx<RecordReport>(body);

        Assert.Equal((null, false, Ms(1_767_225_600_000)), (report.Client, report.IsDevice, report.At!.Value));
        Assert.NotNull(report.Key);
    }

    [Fact]
    public void A_report_repeats_its_key_exactly_when_its_bytes_repeat()
    {
        const string connack = """{"event":"client.connack","clientid":"c","timestamp":1767225600000}""";

        var (first, again, other) = (Emqx<RecordReport>(connack), Emqx<RecordReport>(connack), Emqx<RecordReport>(connack.Replace("\"c\"", "\"d\"", StringComparison.Ordinal)));

        Assert.Equal(first.Key, again.Key);
        Assert.NotEqual(first.Key, other.Key);
        Assert.Equal((UInt128)1_767_225_600_000, first.Key!.Value.Value >> 80);
    }

    [Fact]
    public void A_refused_client_without_an_id_is_reported_without_one()
    {
        var report = Emqx<RecordReport>("""{"event":"client.connack","clientid":"","reason_code":"client_identifier_not_valid","connected_at":"undefined","timestamp":1767225600000}""");

        Assert.Equal((null, false), (report.Client, report.IsDevice));
    }

    [Fact]
    public void Reports_with_odd_fields_are_kept_all_the_same()
    {
        var report = Emqx<RecordReport>("""{"event":"client.connack","clientid":["c"],"timestamp":"2026-01-01","keepalive":-1}""");

        Assert.Equal((null, null, null), (report.Client, report.At, report.Key));
    }

    private static string Receipt(string @event, string more) => $$$"""
        {"event":"{{{@event}}}","id":"{{{Id}}}","from_clientid":"pub","from_username":"puser","clientid":"sub","username":"suser","payload":"x",
         "peerhost":"10.0.0.2","peername":"10.0.0.2:9","topic":"t","qos":1,"publish_received_at":1767225600000,"timestamp":1767225600009,{{{more}}}}
        """;

    private static string TextOf(Payload payload) => System.Text.Encoding.UTF8.GetString(payload.Bytes.Span);
}
