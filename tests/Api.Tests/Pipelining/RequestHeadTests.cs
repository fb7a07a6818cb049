using System.Buffers;
using System.Text;
using WebhookService.Api.Pipelining;

namespace WebhookService.Api.Tests.Pipelining;

public sealed class RequestHeadTests
{
    [Theory]
    [InlineData("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 59)]
    [InlineData("POST /WebHook/emqx?a=b HTTP/1.1\r\ncontent-length:0\r\nConnection: Keep-Alive\r\n\r\n", 77)]
    [InlineData("POST /webhook?x HTTP/1.1\r\nContent-Length: 7 \r\n\r\n", 55)]
    public void A_webhook_is_known_with_its_length(string bytes, long length) => Is(new(RequestKind.Webhook, length), bytes);

    [Theory]
    [InlineData("GET /webhook HTTP/1.1\r\nHost: x\r\n\r\n", 34)]
    [InlineData("GET /webhook HTTP/1.1\r\nContent-Length: 2\r\n\r\n", 46)]
    [InlineData("POST /webhooks HTTP/1.1\r\nContent-Length: 2\r\n\r\n", 48)]
    [InlineData("POST /api/v1/x HTTP/1.1\r\nContent-Length: 2\r\n\r\n", 48)]
    [InlineData("POST /webhook HTTP/1.1\r\nHost: x\r\n\r\n", 35)]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", 65585)]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", 69)]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", 66)]
    public void Others_have_a_length_too(string bytes, long length) => Is(new(RequestKind.Measured, length), bytes);

    [Theory]
    [InlineData("")]
    [InlineData("P")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 5\r\n\r")]
    [InlineData("POST /webhook HTTP/1.0\r\nContent-Length: 5\r\n")]
    public void A_head_that_goes_on_is_waited_for(string bytes) => Is(new(RequestKind.Incomplete, 0), bytes);

    [Theory]
    [InlineData("\u0016\u0003\u0001")]
    [InlineData("post /webhook HTTP/1.1\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("\r\nPOST /webhook HTTP/1.1\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.0\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("POST HTTP/1.1\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /web hook HTTP/1.1\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nA: b\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nA: b\rc\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nA: b\0\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length : 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nA: b\r\n Content-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\n: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length:\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: +5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("POST /webhook HTTP/1.1\r\nContent-Length: 5\r\nUpgrade: websocket\r\n\r\n")]
    public void What_two_readers_could_understand_differently_is_left_to_Kestrel(string bytes)
    {
        // The empty and the unfinished are waited for: only the first letter tells what is no head at all.
        Is(new(RequestKind.Strange, 0), bytes);
    }

    [Fact]
    public void A_head_without_end_is_not_waited_for()
    {
        Is(new(RequestKind.Incomplete, 0), "GET /" + new string('x', 40_000));
        Is(new(RequestKind.Strange, 0), "GET /" + new string('x', 60_000));
    }

    /// <summary>In one piece, and cut at every place.</summary>
    private static void Is(RequestHead expected, string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        Assert.Equal(expected, RequestHead.Read(new ReadOnlySequence<byte>(bytes)));
        for (var cut = 1; cut < Math.Min(bytes.Length, 500); cut++)
        {
            var first = new Segment(bytes.AsMemory(0, cut), null);
            var last = new Segment(bytes.AsMemory(cut), first);
            Assert.Equal(expected, RequestHead.Read(new ReadOnlySequence<byte>(first, 0, last, bytes.Length - cut)));
        }
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before is null) return;

            RunningIndex = before.Memory.Length;
            before.Next = this;
        }
    }
}
