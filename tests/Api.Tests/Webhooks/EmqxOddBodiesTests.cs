using System.Text;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Messages;
using WebhookService.Application.Sessions;
using WebhookService.Domain.Messages;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class EmqxOddBodiesTests
{
    private const string Id = "000659C3A1B2C3D4F445000010E4000C";

    [Theory]
    [InlineData("undefined")]
    [InlineData("null")]
    [InlineData("0")]
    [InlineData(" a b ")]
    [InlineData("line\\nbreak")]
    [InlineData("\\\"quoted\\\"\\\\\\/")]
    [InlineData("\\ud83d\\ude00 \\u00e9")]
    [InlineData("温度/é")]
    public void Clients_may_be_called_anything(string escaped)
    {
        var expected = System.Text.Json.JsonSerializer.Deserialize<string>($"\"{escaped}\"");

        var command = Emqx<RecordClientConnected>($$"""{"event":"client.connected","clientid":"{{escaped}}"}""");

        Assert.Equal(expected, command.Client.Value);
    }

    [Fact]
    public void A_client_id_that_became_a_number_is_its_digits()
    {
        Assert.Equal("0042", Emqx<RecordClientConnected>("""{"clientid":"0042","event":"client.connected"}""").Client.Value);
        Assert.Equal("42", Emqx<RecordClientConnected>("""{"clientid":42,"event":"client.connected"}""").Client.Value);
    }

    [Fact]
    public void Escaped_names_are_the_names_they_stand_for_and_the_last_of_equal_ones_counts()
    {
        Assert.Equal("b", Emqx<RecordClientConnected>("""{"clientid":"a","client\u0069d":"b","event":"client.connected"}""").Client.Value);
    }

    [Theory]
    [InlineData("10.1.2.3:50123", "10.1.2.3:50123", "10.1.2.3", 50_123)]
    [InlineData("::1:52918", "[::1]:52918", "::1", 52_918)]
    [InlineData("[::1]:52918", "[::1]:52918", "::1", 52_918)]
    [InlineData("fd00:0:0:0:1:2:3:4:1883", "[fd00::1:2:3:4]:1883", "fd00::1:2:3:4", 1883)]
    [InlineData("::ffff:10.1.2.3:1883", "10.1.2.3:1883", "10.1.2.3", 1883)]
    [InlineData("local:socket", "local:socket", null, null)]
    [InlineData("undefined", null, null, null)]
    public void Peers_are_split_at_the_last_colon(string peername, string? peer, string? ip, int? port)
    {
        var command = Emqx<RecordClientConnected>($$"""{"event":"client.connected","clientid":"c","peername":"{{peername}}"}""");

        Assert.Equal((peer, ip, port), (command.Peer, command.Details.Ip, command.Details.Port));
    }

    [Theory]
    [InlineData("1767225600", 1_767_225_600_000)]
    [InlineData("1767225600001", 1_767_225_600_001)]
    [InlineData("1767225600001999", 1_767_225_600_001)]
    [InlineData("\"1767225600001\"", 1_767_225_600_001)]
    [InlineData("1767225600001.0", 1_767_225_600_001)]
    [InlineData("1.767225600001e12", 1_767_225_600_001)]
    public void A_time_says_its_unit_by_its_size(string time, long ms)
    {
        Assert.Equal(Ms(ms), Emqx<RecordClientConnected>($$"""{"event":"client.connected","clientid":"c","connected_at":{{time}}}""").ConnectedAt);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"undefined\"")]
    [InlineData("\"\"")]
    public void A_time_may_be_missing(string time)
    {
        Assert.Null(Emqx<RecordClientConnected>($$"""{"event":"client.connected","clientid":"c","connected_at":{{time}}}""").ConnectedAt);
    }

    [Theory]
    [InlineData(4_088, false)] // {"x":""} and so many letters
    [InlineData(4_089, true)]
    public void What_else_is_said_of_a_connection_is_kept_up_to_a_bound(int letters, bool truncated)
    {
        var details = Emqx<RecordClientConnected>($$"""{"event":"client.connected","clientid":"c","x":"{{new string('a', letters)}}"}""").Details;

        Assert.Equal(truncated ? """{"truncated":true}""" : $$"""{"x":"{{new string('a', letters)}}"}""", details.More);
    }

    [Theory]
    [InlineData(""" "event":"client.connected" """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":"" """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":null """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":{} """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":"\ud800" """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":"a\u0000b" """, "clientid")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":true """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":"yesterday" """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":5 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":-1 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":7258118400000 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":1e400 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":-7.9e28 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","connected_at":7.9e28 """, "connected_at")]
    [InlineData(""" "event":"client.connected","clientid":"c","keepalive":65536 """, "keepalive")]
    [InlineData(""" "event":"client.connected","clientid":"c","keepalive":{} """, "keepalive")]
    [InlineData(""" "event":"client.connected","clientid":"c","peername":"1.2.3.4:99999" """, "peername")]
    [InlineData(""" "event":"client.connected","clientid":"c","peername":7 """, "peername")]
    [InlineData(""" "event":"client.disconnected","clientid":"c","disconnected_at":[] """, "disconnected_at")]
    [InlineData(""" "event":"session.subscribed","clientid":"c","topic":"","qos":0 """, "topic")]
    [InlineData(""" "event":"session.subscribed","clientid":"c","qos":0 """, "topic")]
    [InlineData(""" "event":"session.subscribed","clientid":"c","topic":"t","qos":3 """, "qos")]
    [InlineData(""" "event":"session.subscribed","clientid":"c","topic":"t","qos":1.5 """, "qos")]
    [InlineData(""" "event":"message.publish","clientid":"c","topic":7 """, "topic")]
    [InlineData(""" "event":"message.publish","clientid":"c","topic":"t","id":{} """, "id")]
    [InlineData(""" "event":"message.publish","clientid":"c","topic":"t","payload_base64":"***" """, "payload_base64")]
    [InlineData(""" "event":"message.delivered","clientid":"c","topic":"t" """, "from_clientid")]
    [InlineData(""" "action":"message_publish","topic":"t","ts":1767225600000 """, "from_clientid")]
    public void What_is_needed_and_wrong_is_named(string body, string parameter)
    {
        Assert.Equal(parameter, MistakeIn($"{{{body}}}"));
    }

    [Fact]
    public void What_only_describes_never_refuses_a_body()
    {
        const string body = """
            {"event":"client.connected","clientid":"c","username":{"a":1},"proto_name":7,"proto_ver":[5],"node":false,"clean_start":"perhaps",
             "expiry_interval":"soon","mountpoint":"\ud800","conn_props":"none","ipaddress":"nowhere","metadata":0}
            """;

        var details = Emqx<RecordClientConnected>(body).Details;

        Assert.Equal((null, "7", null, null, null), (details.Username, details.Protocol, details.ProtocolVersion, details.CleanStart, details.ExpirySeconds));
        Assert.Equal("""{"mountpoint":"\ud800","conn_props":"none"}""", details.More);
    }

    [Fact]
    public void An_id_that_is_not_the_brokers_counts_as_none()
    {
        var content = Emqx<RecordMessagePublished>("""{"event":"message.publish","id":"order #7","clientid":"c","topic":"t","payload":"x","timestamp":1767225600000}""").Content;

        Assert.Equal(MessageId.OfContent("c", Ms(1_767_225_600_000), "t", "x"u8), content.Id);
    }

    [Theory]
    [InlineData("\"\"", "", PayloadKind.Text)]
    [InlineData("\"a\\u0000b\\n\"", "a\0b\n", PayloadKind.Text)]
    [InlineData("\"a\uFFFDb\"", "a\uFFFDb", PayloadKind.Lossy)]
    [InlineData("\"\\uFFFD\"", "\uFFFD", PayloadKind.Lossy)]
    [InlineData("\"\\ud800!\"", "\uFFFD!", PayloadKind.Lossy)]
    [InlineData("\"undefined\"", "undefined", PayloadKind.Text)]
    [InlineData("{\"a\": [1, 2]}", "{\"a\": [1, 2]}", PayloadKind.Text)]
    [InlineData("21.50", "21.50", PayloadKind.Text)]
    [InlineData("true", "true", PayloadKind.Text)]
    [InlineData("null", "", PayloadKind.Text)]
    public void Payloads_are_kept_as_their_bytes(string json, string text, PayloadKind kind)
    {
        var payload = PayloadOf($""" "payload":{json} """);

        Assert.Equal((text, kind), (Encoding.UTF8.GetString(payload.Bytes.Span), payload.Kind));
    }

    [Theory]
    [InlineData(PayloadEncoding.Base64, "/wD+", "FF00FE", PayloadKind.Binary)]
    [InlineData(PayloadEncoding.Base64, "\\/wD+", "FF00FE", PayloadKind.Binary)]
    [InlineData(PayloadEncoding.Base64, "77+9", "EFBFBD", PayloadKind.Text)]
    [InlineData(PayloadEncoding.Base62, "9C9C4AAB", "FFFE0001", PayloadKind.Binary)]
    [InlineData(PayloadEncoding.Base62, "aGVsbGP", "68656C6C6F", PayloadKind.Text)]
    public void Encoded_payloads_are_decoded_as_the_source_is_configured(string encoding, string text, string hex, PayloadKind kind)
    {
        var payload = PayloadOf($""" "payload":"{text}" """, encoding);

        Assert.Equal((hex, kind), (Convert.ToHexString(payload.Bytes.Span), payload.Kind));
    }

    [Theory]
    [InlineData(PayloadEncoding.Plain)]
    [InlineData(PayloadEncoding.Base62)]
    public void A_payload_in_base64_goes_before_the_other(string encoding)
    {
        Assert.Equal("FF", Convert.ToHexString(PayloadOf(""" "payload_base64":"/w==","payload":"\ufffd" """, encoding).Bytes.Span));
        Assert.Equal(0, PayloadOf(""" "payload":"kept?","payload_base64":"" """, encoding).Bytes.Length);
    }

    [Fact]
    public void A_payload_that_is_not_of_the_configured_encoding_is_a_mistake()
    {
        Assert.Equal("payload", MistakeIn("""{"event":"message.publish","clientid":"c","topic":"t","payload":"hello!"}""", PayloadEncoding.Base64));
    }

    [Fact]
    public void What_is_translated_does_not_hold_on_to_the_lent_body()
    {
        var body = Encoding.UTF8.GetBytes($$"""{"event":"message.publish","id":"{{Id}}","clientid":"c","topic":"t","payload":"hello"}""");
        var content = Assert.IsType<RecordMessagePublished>(Elements(Emqx(body))[0].Command).Content;

        Array.Clear(body);

        Assert.Equal("hello", Encoding.UTF8.GetString(content.Payload.Bytes.Span));
    }

    [Fact]
    public void Every_element_of_an_array_stands_for_itself()
    {
        var elements = Elements(Emqx("""[ {"event":"client.connected","clientid":"a"}, {"event":"client.connected"}, 7, {} , {"event":"x"}]"""));

        Assert.Equal(["RecordClientConnected", null, null, null, "RecordReport"], elements.Select(element => element.Command?.GetType().Name));
        Assert.Equal([false, true, true, false, false], elements.Select(element => element.Mistake is not null));
        Assert.Equal("""{"event":"client.connected"}""", Encoding.UTF8.GetString(elements[1].Bytes.Span));
    }

    [Fact]
    public void Nothing_is_said_by_empty_ones()
    {
        Assert.Empty(Elements(Emqx("[]")));
        Assert.Equal(default, Assert.Single(Elements(Emqx(" {} "))) is { Command: null, Mistake: null } ? null : "something");
    }

    [Fact]
    public void A_byte_order_mark_does_no_harm()
    {
        Assert.Single(Elements(Emqx("\uFEFF{\"event\":\"client.connected\",\"clientid\":\"a\"}")));
    }

    [Theory]
    [InlineData("", "The body is empty.")]
    [InlineData("undefined", "The body is not valid JSON (line 1, byte 1).")]
    [InlineData("{\"event\":\"client.connected\",\n\"clientid\":\"c}", "The body is not valid JSON: it ends too early (line 2, byte 15).")]
    [InlineData("{\"event\":\"client.connected\",\"clientid\":\"x\"", "The body is not valid JSON: it ends too early (line 1, byte 43).")]
    [InlineData("{\"event\":", "The body is not valid JSON: it ends too early (line 1, byte 10).")]
    [InlineData("{\"a\":{\"b\":1}", "The body is not valid JSON: it ends too early (line 1, byte 13).")]
    [InlineData("{\"p\":\"un\"escaped\"}", "The body is not valid JSON (line 1, byte 10).")]
    [InlineData("{} {}", "The body is not valid JSON (line 1, byte 4).")]
    [InlineData("[{\"event\":\"client.connected\",\"clientid\":\"a\"},", "The body is not valid JSON: it ends too early (line 1, byte 45).")]
    [InlineData("[1] x", "The body is not valid JSON (line 1, byte 5).")]
    [InlineData("\"text\"", "The body is JSON, but neither an object nor an array of objects, as EMQX sends them.")]
    [InlineData("42", "The body is JSON, but neither an object nor an array of objects, as EMQX sends them.")]
    public void What_is_no_JSON_of_EMQX_is_refused_as_a_whole(string body, string reason)
    {
        Assert.Equal(reason, Whole(Emqx(body)));
    }

    [Fact]
    public void Invalid_UTF8_is_refused_as_a_whole()
    {
        byte[] body = [.. "{\"event\":\"client.connected\",\"clientid\":\""u8, 0xFF, .. "\"}"u8];

        Assert.Equal("The body is not valid UTF-8, so it is no JSON.", Whole(Emqx(body)));
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    [InlineData(100_000, false)]
    public void Nesting_ends_at_64_levels(int arrays, bool taken)
    {
        var translation = Emqx($$"""{"event":"x","deep":{{new string('[', arrays)}}{{new string(']', arrays)}}}""");

        if (taken) Assert.Single(Elements(translation));
        else Assert.Equal("The body is nested deeper than 64 levels.", Whole(translation));
    }

    private static Payload PayloadOf(string field, string encoding = PayloadEncoding.Plain) =>
        Emqx<RecordMessagePublished>($$"""{"event":"message.publish","id":"{{Id}}","clientid":"c","topic":"t",{{field}}}""", encoding).Content.Payload;
}
