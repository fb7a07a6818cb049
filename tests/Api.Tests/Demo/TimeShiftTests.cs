using System.Text;
using WebhookService.Api.Demo;
using WebhookService.Api.Tests.Recordings;

namespace WebhookService.Api.Tests.Demo;

public sealed class TimeShiftTests
{
    [Theory]
    [InlineData("""{"timestamp":1795300483513}""", """{"timestamp":1795300484513}""")]
    [InlineData("""{"connected_at":1795300483513,"disconnected_at":1795300483514}""", """{"connected_at":1795300484513,"disconnected_at":1795300484514}""")]
    [InlineData("""{"publish_received_at":1795300483513,"message_received_at":1795300483513,"ts":1795300483513}""",
        """{"publish_received_at":1795300484513,"message_received_at":1795300484513,"ts":1795300484513}""")]
    public void Broker_times_move(string body, string expected)
    {
        Assert.Equal(expected, Move(body, 1000));
    }

    [Fact]
    public void Seconds_and_microseconds_keep_their_unit()
    {
        Assert.Equal("""{"connected_at":1556176751}""", Move("""{"connected_at":1556176748}""", 3000));
        Assert.Equal("""{"activated_at":1795300486513007,"deactivated_at":1795300486513999}""",
            Move("""{"activated_at":1795300483513007,"deactivated_at":1795300483513999}""", 3000));
    }

    [Fact]
    public void The_header_of_a_4x_acknowledgement_moves()
    {
        Assert.Equal("""{"headers":{"deliver_begin_at":1795300896562,"proto_ver":4,"properties":[]},"qos":1}""",
            Move("""{"headers":{"deliver_begin_at":1795300896462,"proto_ver":4,"properties":[]},"qos":1}""", 100));
    }

    [Fact]
    public void A_message_id_moves_by_the_same_microseconds_and_keeps_its_counter()
    {
        Assert.Equal("""{"id":"000660D0F7A5810E2617000002E70002"}""", Move("""{"id":"000660D0F7963ECE2617000002E70002"}""", 1000));
    }

    [Fact]
    public void A_message_id_without_leading_zeros_keeps_its_length()
    {
        Assert.Equal("""{"id":"660D0DC7B72C4B44B000000090001"}""", Move("""{"id":"660D0DC7B72C4B44B000000090001"}""", 0));
        Assert.Equal("""{"id":"660D0DC8AB504B44B000000090001"}""", Move("""{"id":"660D0DC7B72C4B44B000000090001"}""", 1000));
    }

    [Theory]
    [InlineData("""{"connected_at":"undefined","timestamp":null,"ts":"1795300483513"}""")]
    [InlineData("""{"payload":"{\"timestamp\":1795300483513,\"id\":\"000660D0F7963ECE2617000002E70002\"}","topic":"ts"}""")]
    [InlineData("""{"payload":{"timestamp":1795300483513},"details":{"id":"000660D0F7963ECE2617000002E70002"},"id":"r1"}""")]
    [InlineData("""{ "qos" : 1.0 , "a":"caf\u00e9\/\u0000", "clientid":"undefined" }""")]
    public void Everything_else_stays_to_the_byte(string body)
    {
        Assert.Equal(body, Move(body, 1000));
    }

    [Fact]
    public void A_prefix_goes_before_every_client_id_but_an_empty_one()
    {
        var body = """{"clientid":"q\"uote","from_clientid":"","from_client_id":"d1","username":"u"}""";

        var renamed = Encoding.UTF8.GetString(TimeShift.Rewrite(Encoding.UTF8.GetBytes(body), time => time, "v4-"));

        Assert.Equal("""{"clientid":"v4-q\"uote","from_clientid":"","from_client_id":"v4-d1","username":"u"}""", renamed);
    }

    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public void Moving_a_recording_there_and_back_gives_the_same_bytes(string name)
    {
        Assert.All(RecordingFiles.Load(name).Requests, request =>
        {
            var moved = TimeShift.Move(request.Body.Span, 86_400_000);

            Assert.Equal(request.Body.ToArray(), TimeShift.Move(moved, -86_400_000));
        });
    }

    private static string Move(string body, long milliseconds) => Encoding.UTF8.GetString(TimeShift.Move(Encoding.UTF8.GetBytes(body), milliseconds));
}
