using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// A connection as Kestrel serves it by itself, straight from the socket's buffers. It ends, as if the client had no more to say, between two
/// requests when a whole webhook is there and something behind it.
/// </summary>
internal sealed class OneByOne(ConnectionContext outer, string id, Incoming incoming)
    : InnerConnection(outer, id, new Watch(incoming, Stopping(outer)), outer.Transport.Output)
{
    /// <returns>Whether there is more to serve than one by one.</returns>
    public async Task<bool> ServeUntilPipelinedAsync(ConnectionDelegate http)
    {
        await ServeAsync(http);
        return ((Watch)Input).SawPipelining;
    }

    private static CancellationToken Stopping(ConnectionContext outer) =>
        outer.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

    private sealed class Watch(Incoming incoming, CancellationToken stopping) : PipeReader
    {
        private ReadUnderWay? underWay;
        private ReadOnlySequence<byte> shown;

        /// <summary>Where the read ends whose beginning is shown, while the head isn't here as a whole.</summary>
        private SequencePosition? withheld;

        /// <summary>Kestrel knows of the request that comes next: the end of the input would now be that request's mistake.</summary>
        private bool hasBegun;

        /// <summary>Bytes of the request under way that Kestrel hasn't consumed; 0 between two requests.</summary>
        private long left;

        /// <summary>The length of a request is unknown: from there on everything is let through as it is.</summary>
        private bool isLost;

        public bool SawPipelining { get; private set; }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            var read = incoming.ReadAsync(cancellationToken);
            return read.IsCompletedSuccessfully ? new(Show(read.Result)) : (underWay ??= new(Show)).Of(read);
        }

        public override bool TryRead(out ReadResult result)
        {
            if (!incoming.TryRead(out result)) return false;

            result = Show(result);
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            if (SawPipelining) return;

            var taken = incoming.AdvanceTo(consumed, withheld ?? examined);
            if (withheld is not null)
            {
                withheld = null;
                if (taken > 0) isLost = true;
            }
            else if (!isLost) left -= taken;
        }

        public override void CancelPendingRead()
        {
            if (!SawPipelining) incoming.Cancel();
        }

        /// <summary>The connection's pipe outlives this reader.</summary>
        public override void Complete(Exception? exception = null)
        {
        }

        /// <summary>At most the rest of one request.</summary>
        private ReadResult Show(ReadResult read)
        {
            if (isLost || read.Buffer.IsEmpty) return read;
            if (left == 0)
            {
                var head = RequestHead.Read(read.Buffer);
                if (head.Kind is RequestKind.Incomplete && !read.IsCompleted)
                {
                    // Without the end of its first line Kestrel can consume nothing, but knows that a request has begun, and watches the time.
                    (withheld, hasBegun) = (read.Buffer.End, true);
                    shown = read.Buffer.PositionOf((byte)'\n') is { } line ? read.Buffer.Slice(0, line) : read.Buffer;
                    return new(shown, read.IsCanceled, isCompleted: false);
                }

                if (head.Kind is RequestKind.Incomplete or RequestKind.Strange)
                {
                    isLost = true;
                    return read;
                }

                if (head.Kind is RequestKind.Webhook && read.Buffer.Length > head.Length && !hasBegun && !stopping.IsCancellationRequested)
                {
                    SawPipelining = true;
                    incoming.Leave(read.Buffer);
                    return new(default, isCanceled: false, isCompleted: true);
                }

                (left, hasBegun) = (head.Length, false);
            }

            if (read.Buffer.Length <= left) return read;

            shown = read.Buffer.Slice(0, left);
            return new(shown, read.IsCanceled, isCompleted: false);
        }
    }
}
