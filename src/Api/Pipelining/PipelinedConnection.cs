using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// A client's connection. Kestrel serves it one by one, which costs nothing, until webhooks are pipelined; then side by side, until none is
/// under way or something else comes. So whatever waits (for a head, a body, the next request) waits in Kestrel, under its timeouts.
/// </summary>
internal sealed class PipelinedConnection(ConnectionContext outer, ConnectionDelegate http, int most, LaneShare share, KestrelServerLimits limits)
{
    private readonly Incoming incoming = new(outer.Transport.Input);
    private volatile Action? tickOneByOne;
    private volatile SideBySide? sideBySide;

    public async Task RunAsync()
    {
        outer.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static connection => ((PipelinedConnection)connection).Tick(), this);
        try
        {
            for (var round = 0; ; round++)
            {
                var oneByOne = new OneByOne(outer, round == 0 ? outer.ConnectionId : $"{outer.ConnectionId}.{round}", incoming);
                tickOneByOne = oneByOne.Tick;
                if (!await oneByOne.ServeUntilPipelinedAsync(http)) return;

                tickOneByOne = null;
                sideBySide ??= new SideBySide(outer, http, incoming, most, share, limits);
                if (!await sideBySide.ServeAsync()) return;
            }
        }
        finally
        {
            if (sideBySide is not null) await sideBySide.DisposeAsync();
        }
    }

    private void Tick()
    {
        tickOneByOne?.Invoke();
        sideBySide?.Tick();
    }
}
