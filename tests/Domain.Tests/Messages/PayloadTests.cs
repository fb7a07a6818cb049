using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Tests.Messages;

public sealed class PayloadTests
{
    [Fact]
    public void Text_is_text_also_when_it_is_empty()
    {
        Assert.Equal(PayloadKind.Text, Payload.OfText("21.5 °C"u8.ToArray()).Kind);
        Assert.Equal(PayloadKind.Text, Payload.OfText(ReadOnlyMemory<byte>.Empty).Kind);
    }

    [Fact]
    public void Text_with_a_replacement_character_has_lost_bytes()
    {
        Assert.Equal(PayloadKind.Lossy, Payload.OfText("a\uFFFDb"u8.ToArray()).Kind);
    }

    [Fact]
    public void Encoded_bytes_are_text_or_binary_but_never_lossy()
    {
        Assert.Equal(PayloadKind.Binary, Payload.OfBytes(new byte[] { 0xFF, 0x00 }).Kind);
        Assert.Equal(PayloadKind.Text, Payload.OfBytes("a\uFFFDb"u8.ToArray()).Kind);
    }
}
