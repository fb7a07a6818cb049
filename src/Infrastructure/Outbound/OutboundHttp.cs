using System.Net;
using System.Net.Sockets;

namespace WebhookService.Infrastructure.Outbound;

/// <summary>
/// Sends to addresses that somebody configured: follows no redirection, uses no proxy, keeps no cookies, reads no more of an answer than it shows, and
/// connects only to public addresses, which it looks up itself and checks at the very connection, unless private ones are allowed.
/// </summary>
internal sealed class OutboundHttp : IDisposable
{
    private const int MostRead = 16 * 1024;

    private readonly HttpClient guarded = ClientWith(allowPrivate: false);
    private readonly HttpClient open = ClientWith(allowPrivate: true); // of its own, for connections are shared

    /// <summary>Sends once.</summary>
    /// <returns>The status and the beginning of the body.</returns>
    /// <exception cref="HttpRequestException">No answer came; its inner exception is an <see cref="AddressRefusedException"/> where the address is not allowed.</exception>
    public async Task<OutboundAnswer> SendAsync(HttpRequestMessage request, bool allowPrivate, CancellationToken cancellation)
    {
        using var response = await (allowPrivate ? open : guarded).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        var (body, read) = (new byte[MostRead], 0);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        while (read < body.Length && await stream.ReadAsync(body.AsMemory(read), cancellation) is > 0 and var some) read += some;
        var wait = response.Headers.RetryAfter;
        return new(response.StatusCode, body.AsMemory(0, read), wait?.Delta, wait?.Date);
    }

    public void Dispose()
    {
        guarded.Dispose();
        open.Dispose();
    }

    private static HttpClient ClientWith(bool allowPrivate)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2), // so that a name that moves is looked up again
            ConnectTimeout = TimeSpan.FromSeconds(10),
            MaxConnectionsPerServer = 16,
            ConnectCallback = (context, cancellation) => ConnectAsync(context.DnsEndPoint, allowPrivate, cancellation),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, // the caller's token ends it
        };
        client.DefaultRequestHeaders.UserAgent.Add(new("WebhookService", null));
        return client;
    }

    /// <exception cref="AddressRefusedException">None of its addresses is public.</exception>
    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint end, bool allowPrivate, CancellationToken cancellation)
    {
        var addresses = await Dns.GetHostAddressesAsync(end.Host, cancellation);
        var allowed = allowPrivate ? addresses : [.. addresses.Where(address => AddressGuard.WhyRefused(address) is null)];
        if (allowed.Length == 0 && addresses.Length > 0)
            throw new AddressRefusedException($"the address of its host is one {AddressGuard.WhyRefused(addresses[0])}");

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, end.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>What was answered.</summary>
/// <param name="Body">Its beginning.</param>
/// <param name="RetryAfter">How long to wait, where the answer says so.</param>
/// <param name="RetryAt">Until when to wait, where the answer says so.</param>
internal sealed record OutboundAnswer(HttpStatusCode Status, ReadOnlyMemory<byte> Body, TimeSpan? RetryAfter, DateTimeOffset? RetryAt);
