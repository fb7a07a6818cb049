using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// What Kestrel's HTTP takes for a connection, inside of a real one: addresses and all other features are the real one's, and so is its end.
/// Kestrel's timeouts run by its heartbeat, which would go on for an inner connection that has long ended; here it stops with it.
/// </summary>
internal abstract class InnerConnection : ConnectionContext, IConnectionIdFeature, IConnectionTransportFeature, IConnectionLifetimeFeature,
    IConnectionHeartbeatFeature, IDuplexPipe
{
    private volatile Action? heartbeat;
    private volatile bool hasEnded;

    protected InnerConnection(ConnectionContext outer, string id, PipeReader input, PipeWriter output)
    {
        (Outer, ConnectionId, Input, Output) = (outer, id, input, new OpenWriter(output));
        (ConnectionClosed, Transport) = (outer.ConnectionClosed, this);
        Features = new FeatureCollection(outer.Features);
        Features.Set<IConnectionIdFeature>(this);
        Features.Set<IConnectionTransportFeature>(this);
        Features.Set<IConnectionLifetimeFeature>(this);
        Features.Set<IConnectionHeartbeatFeature>(this);
    }

    protected ConnectionContext Outer { get; }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public sealed override string ConnectionId { get; set; }

    public sealed override IFeatureCollection Features { get; }

    public sealed override IDictionary<object, object?> Items { get => Outer.Items; set => Outer.Items = value; }

    public sealed override IDuplexPipe Transport { get; set; }

    public sealed override System.Net.EndPoint? LocalEndPoint { get => Outer.LocalEndPoint; set => Outer.LocalEndPoint = value; }

    public sealed override System.Net.EndPoint? RemoteEndPoint { get => Outer.RemoteEndPoint; set => Outer.RemoteEndPoint = value; }

    public sealed override CancellationToken ConnectionClosed { get; set; }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        if (!hasEnded) Outer.Abort(abortReason);
    }

    public void OnHeartbeat(Action<object> action, object state) => heartbeat += () => action(state);

    /// <summary>To be called once a second.</summary>
    public void Tick()
    {
        if (!hasEnded) heartbeat?.Invoke();
    }

    /// <summary>Kestrel's HTTP, until it has done with this connection.</summary>
    protected async Task ServeAsync(ConnectionDelegate http)
    {
        try
        {
            await http(this);
        }
        finally
        {
            (hasEnded, heartbeat) = (true, null);
        }
    }

    /// <summary>A writer that isn't completed from here, because others write to the same pipe later.</summary>
    private sealed class OpenWriter(PipeWriter output) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => output.CanGetUnflushedBytes;

        public override long UnflushedBytes => output.UnflushedBytes;

        public override void Advance(int bytes) => output.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => output.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => output.GetSpan(sizeHint);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => output.FlushAsync(cancellationToken);

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
            output.WriteAsync(source, cancellationToken);

        public override void CancelPendingFlush() => output.CancelPendingFlush();

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
