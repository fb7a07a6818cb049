using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using WebhookService.Api.Webhooks;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// Webhooks that one connection pipelines are handled side by side, which Kestrel by itself does one after another; see
/// docs/decisions/0013-pipelined-webhooks.md.
/// </summary>
internal static class PipeliningRoom
{
    /// <summary>Bytes of a connection that are read before anybody looks at them: the largest webhook that is handled beside others, and some of the next one.</summary>
    private const int ReadAhead = RequestHead.LargestWebhook + (4 * 1024);

    /// <summary>
    /// A client that pipelines sends more than can be handled at a time; the rest waits in the system's buffers and not here. With Kestrel's own bound (1 MiB)
    /// 256 connections with 100 webhooks each on their way took 40 MB more, and were no faster.
    /// </summary>
    public static void ReadLittleAhead(SocketTransportOptions sockets) => sockets.MaxReadBufferSize = ReadAhead;

    /// <summary>
    /// Endpoint defaults are applied before an endpoint's own TLS, so what is seen here of a TLS connection is ciphertext: it is let through
    /// as it is, like everything that isn't plain HTTP/1.1.
    /// </summary>
    public static void UsePipelining(this KestrelServerOptions kestrel)
    {
        var share = new LaneShare();
        kestrel.ConfigureEndpointDefaults(endpoint =>
        {
            var most = endpoint.ApplicationServices.GetRequiredService<IOptions<IngestOptions>>().Value.Pipelining;
            if (most > 1) endpoint.Use(http => connection => new PipelinedConnection(connection, http, most, share, kestrel.Limits).RunAsync());
        });
    }
}
