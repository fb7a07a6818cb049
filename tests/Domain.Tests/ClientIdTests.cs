namespace WebhookService.Domain.Tests;

public sealed class ClientIdTests
{
    [Theory]
    [InlineData("undefined")]
    [InlineData("a/b c+#$")]
    [InlineData("😀\"\\'<null>")]
    [InlineData("\u0001\uFEFF")]
    public void Any_text_that_MQTT_can_carry_is_a_client_id(string id)
    {
        Assert.Equal(id, new ClientId(id).Value);
    }

    [Fact]
    public void The_limit_counts_bytes_not_characters()
    {
        Assert.Equal(65_535, new ClientId(new string('x', 65_535)).Value.Length);
        Assert.Equal("clientid", Assert.Throws<DomainException>(() => new ClientId(new string('x', 65_536))).Parameter);
        Assert.Throws<DomainException>(() => new ClientId(new string('ü', 32_768)));
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("a\0b", "U+0000")]
    public void What_MQTT_forbids_is_refused_with_its_reason(string id, string reason)
    {
        Assert.Contains(reason, Assert.Throws<DomainException>(() => new ClientId(id)).Message);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_no_text()
    {
        Assert.Contains("surrogate", Assert.Throws<DomainException>(() => new ClientId("a\uD83D")).Message);
    }

    [Fact]
    public void A_default_client_id_names_nobody()
    {
        Assert.Throws<InvalidOperationException>(() => default(ClientId).Value);
    }
}
