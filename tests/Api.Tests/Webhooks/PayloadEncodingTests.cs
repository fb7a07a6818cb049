using WebhookService.Api.Webhooks;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class PayloadEncodingTests
{
    /// <summary>Pairs that an EMQX 4.4 broker made.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData("AA", "00")]
    [InlineData("AAAABD", "00000007")]
    [InlineData("aGVsbGP", "68656C6C6F")]
    [InlineData("9C9C4AAB", "FFFE0001")]
    [InlineData("PT49C9BC", "3D3E3FFA")]
    [InlineData("eyJhIjoxfB", "7B2261223A317D")]
    [InlineData("5rip5bqm", "E6B8A9E5BAA6")]
    public void Base62_is_read_as_EMQX_writes_it(string text, string hex)
    {
        Assert.Equal(hex, Convert.ToHexString(PayloadEncoding.Decode(PayloadEncoding.Base62, System.Text.Encoding.ASCII.GetBytes(text))!));
    }

    [Theory]
    [InlineData("9")]
    [InlineData("9D")]
    [InlineData("A")]
    [InlineData("AAAAA")]
    [InlineData("AE")]
    [InlineData("AAQ")]
    [InlineData("aGVsbG8=")]
    [InlineData("AA+A")]
    public void What_is_no_base62_gives_nothing(string text)
    {
        Assert.Null(PayloadEncoding.Decode(PayloadEncoding.Base62, System.Text.Encoding.ASCII.GetBytes(text)));
    }

    [Theory]
    [InlineData("aGVsbG8")]
    [InlineData("aGVs*G8=")]
    [InlineData("é")]
    public void What_is_no_base64_gives_nothing(string text)
    {
        Assert.Null(PayloadEncoding.Decode(PayloadEncoding.Base64, System.Text.Encoding.UTF8.GetBytes(text)));
    }
}
