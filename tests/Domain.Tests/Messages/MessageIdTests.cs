using WebhookService.Domain.Messages;
using WebhookService.Domain.Tests.Sessions;

namespace WebhookService.Domain.Tests.Messages;

public sealed class MessageIdTests
{
    [Theory]
    [InlineData("0005F3A1B2C3D4E5F601020304050607")]
    [InlineData("0005f3a1b2c3d4e5f601020304050607")]
    [InlineData("5F3A1B2C3D4E5F601020304050607")]       // 29 digits: EMQX 4.0 – 4.2 leaves out leading zeros
    [InlineData("05F3A1B2C3D4E5F601020304050607")]
    public void The_brokers_hex_is_read_with_or_without_leading_zeros(string hex)
    {
        Assert.Equal("0005F3A1B2C3D4E5F601020304050607", MessageId.Parse(hex).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("undefined")]
    [InlineData(" 5F3")]
    [InlineData("0x5F")]
    [InlineData("-1")]
    [InlineData("10005F3A1B2C3D4E5F601020304050607")]
    public void What_is_no_hex_of_128_bits_is_refused(string text)
    {
        Assert.Null(MessageId.TryParse(text));
        Assert.Equal("id", Assert.Throws<DomainException>(() => MessageId.Parse(text)).Parameter);
    }

    [Fact]
    public void An_id_of_content_is_the_same_for_publish_delivery_and_acknowledgement()
    {
        var id = MessageId.OfContent("pump-7", AHistory.At(1), "a/b", "21.5"u8);

        Assert.Equal(id, MessageId.OfContent("pump-7", AHistory.At(1), "a/b", "21.5"u8));
        Assert.Equal(32, id.ToString().Length);
    }

    [Fact]
    public void An_id_of_content_differs_with_publisher_time_topic_and_payload_and_their_borders()
    {
        MessageId[] ids =
        [
            MessageId.OfContent("ab", AHistory.At(1), "c", "d"u8),
            MessageId.OfContent("a", AHistory.At(1), "bc", "d"u8),
            MessageId.OfContent("ab", AHistory.At(1), "cd", ""u8),
            MessageId.OfContent("ab", AHistory.At(1.001), "c", "d"u8),
            MessageId.OfContent("ab", AHistory.At(1), "c", "e"u8),
        ];

        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Fact]
    public void Ids_of_content_sort_by_time_like_those_of_the_broker()
    {
        var earlier = MessageId.OfContent("z", AHistory.At(1), "z", "z"u8);

        Assert.True(earlier.Value < MessageId.OfContent("a", AHistory.At(1.001), "a", "a"u8).Value);
        Assert.Equal((ulong)AHistory.At(1).ToUnixTimeMilliseconds() * 1000, (ulong)(earlier.Value >> 64));
    }
}
