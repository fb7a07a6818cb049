using System.Net;

namespace WebhookService.Infrastructure.Outbound;

/// <summary>
/// Tells addresses that anybody may be sent to from those that only somebody inside the network could reach: whoever can choose where the service
/// posts to must not be able to make it speak to its neighbours. After the IANA registries of special-purpose addresses (RFC 6890).
/// </summary>
internal static class AddressGuard
{
    private static readonly (IPNetwork Network, string What)[] Refused =
    [
        .. Of("of this machine", "127.0.0.0/8", "::1/128"),
        .. Of("of no machine", "0.0.0.0/8", "::/128"),
        .. Of("of a private network", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
        .. Of("of the local link, where clouds keep their metadata", "169.254.0.0/16", "fe80::/10"),
        .. Of("behind a provider's NAT", "100.64.0.0/10"),
        .. Of("for many at a time", "224.0.0.0/4", "ff00::/8"),
        .. Of("reserved", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
            "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"),
        .. Of("that wraps another one", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"),
        .. Of("that is not given to anybody", "::/3", "4000::/2", "8000::/1"), // all that is no global unicast
    ];

    /// <returns>Null for a public address; else what kind of address it is.</returns>
    public static string? WhyRefused(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        foreach (var (network, what) in Refused)
            if (network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address)) return what;
        return null;
    }

    /// <summary>The kind of the address that a host name is by itself; null if it is public, or a name.</summary>
    public static string? WhyRefused(Uri url) =>
        url.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6 && IPAddress.TryParse(url.DnsSafeHost, out var address) ? WhyRefused(address)
        : url.Host is "localhost" || url.Host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) ? "of this machine"
        : null;

    private static IEnumerable<(IPNetwork, string)> Of(string what, params string[] networks) => networks.Select(network => (IPNetwork.Parse(network), what));
}

/// <summary>A name led to no address that the service may send to.</summary>
internal sealed class AddressRefusedException(string why) : IOException(why);
