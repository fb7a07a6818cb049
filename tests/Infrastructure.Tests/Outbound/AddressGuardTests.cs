using System.Net;
using WebhookService.Infrastructure.Outbound;

namespace WebhookService.Infrastructure.Tests.Outbound;

public sealed class AddressGuardTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.8.9.1")]
    [InlineData("0.0.0.0")]
    [InlineData("10.0.0.1")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.1.1")]
    [InlineData("169.254.169.254")] // metadata of clouds
    [InlineData("100.64.0.1")]
    [InlineData("100.100.100.200")] // and of one that uses a provider's range
    [InlineData("192.0.0.192")]     // and of another
    [InlineData("198.18.0.1")]
    [InlineData("203.0.113.7")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("240.0.0.1")]
    [InlineData("::1")]
    [InlineData("::")]
    [InlineData("fe80::1")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2001::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("1::1")]
    [InlineData("4000::1")]
    [InlineData("3fff:fff::1")]
    public void Addresses_that_are_not_public_are_refused(string address) => Assert.NotNull(AddressGuard.WhyRefused(IPAddress.Parse(address)));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("9.255.255.255")]
    [InlineData("11.0.0.0")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.0")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.0")]
    [InlineData("192.167.255.255")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001::1")]
    public void Public_addresses_are_not(string address) => Assert.Null(AddressGuard.WhyRefused(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://127.0.0.1/", true)]
    [InlineData("http://127.1/", true)]
    [InlineData("http://0x7f000001/", true)]
    [InlineData("http://2130706433/", true)]
    [InlineData("http://[::1]:8080/", true)]
    [InlineData("http://[::ffff:169.254.169.254]/", true)]
    [InlineData("http://localhost/", true)]
    [InlineData("http://metadata.localhost/", true)]
    [InlineData("https://hooks.example.com/", false)]
    [InlineData("https://8.8.8.8/", false)]
    [InlineData("https://127.0.0.1.example.com/", false)]
    public void An_address_in_a_url_is_known_however_it_is_written(string url, bool isRefused) => Assert.Equal(isRefused, AddressGuard.WhyRefused(new Uri(url)) is not null);
}
