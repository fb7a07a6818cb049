using System.Globalization;
using System.Net;
using WebhookService.Domain;

namespace WebhookService.Api.Webhooks;

/// <summary>The other end of a socket. <paramref name="Name"/> is "ip:port" in its canonical form, by which sessions are told apart.</summary>
/// <param name="Text">As the broker wrote it.</param>
internal sealed record Peer(string Text, string Name, string? Ip, int? Port)
{
    /// <summary>Reads "ip:port", IPv6 mostly without brackets. Text that is no address is kept as it is.</summary>
    /// <exception cref="DomainException">Its port is above 65535.</exception>
    public static Peer Of(string text)
    {
        var colon = text.LastIndexOf(':');
        if (colon < 1 || !AddressOf(text.AsSpan(0, colon), out var ip)) return new(text, text, null, null);

        return ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? new(text, new IPEndPoint(ip, port).ToString(), ip.ToString(), port)
            : throw new DomainException("'peername' is not \"ip:port\" with a port up to 65535.", "peername");
    }

    public static bool AddressOf(ReadOnlySpan<char> text, out IPAddress ip)
    {
        if (text is ['[', .. var inner, ']']) text = inner;
        var found = IPAddress.TryParse(text, out var parsed) && (text.Contains(':') || text.Count('.') == 3); // "1" is no address here
        ip = parsed is { IsIPv4MappedToIPv6: true } ? parsed.MapToIPv4() : parsed ?? IPAddress.None;
        return found;
    }
}
