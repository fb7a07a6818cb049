using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// An inner connection that is given one whole request at a time. Its answer is whole when Kestrel, having consumed the request, wants the next
/// one; so answers are framed by him who writes them, and not looked into here.
/// </summary>
internal sealed class Lane : InnerConnection, IConnectionLifetimeNotificationFeature
{
    private readonly Pipe requests;
    private readonly Pipe answers;
    private readonly Lock guard = new();
    private readonly Task serving;
    private State state = State.Idle;
    private bool isUsed;

    private enum State
    {
        Idle,
        Busy,
        Ended,
    }

    public Lane(ConnectionContext outer, string id, ConnectionDelegate http, MemoryPool<byte> memory, CancellationToken closed) : this(
        outer, id,
        // Read in the sender's turn, up to where the request waits for something: so requests reach the writer's queue in their order.
        new Pipe(new PipeOptions(memory, readerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false)),
        new Pipe(new PipeOptions(memory, useSynchronizationContext: false)),
        closed) => serving = RunAsync(http);

    private Lane(ConnectionContext outer, string id, Pipe requests, Pipe answers, CancellationToken closed) : base(outer, id, new Requests(requests.Reader), answers.Writer)
    {
        (this.requests, this.answers, ConnectionClosed, serving) = (requests, answers, closed, Task.CompletedTask);
        ((Requests)Input).Lane = this;
        Features.Set<IConnectionLifetimeNotificationFeature>(this);
    }

    /// <summary>The answer to the request that was sent last: ends with it.</summary>
    public PipeReader Answer => answers.Reader;

    /// <summary>Kestrel ended it with its last answer, or without one: so is to end the real connection.</summary>
    public bool HasClosed { get; private set; }

    /// <summary>The bytes of the request under way.</summary>
    public long Size { get; private set; }

    /// <summary>Never: at a stop what is under way is answered, and the real connection is told once that is done.</summary>
    CancellationToken IConnectionLifetimeNotificationFeature.ConnectionClosedRequested { get; set; }

    void IConnectionLifetimeNotificationFeature.RequestClose() => Outer.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    /// <summary>Reserves a lane whose last answer has been read.</summary>
    /// <returns>False where Kestrel has ended it, or is about to.</returns>
    public bool TryTake(long size)
    {
        lock (guard)
        {
            if (state is not State.Idle) return false;
            state = State.Busy;
        }

        if (isUsed) answers.Reset();
        (isUsed, Size) = (true, size);
        return true;
    }

    /// <summary>Waits for nothing, for this pipe never pauses its writer; but the request is handled in it up to its first wait.</summary>
    public ValueTask<FlushResult> SendAsync(in ReadOnlySequence<byte> request)
    {
        ((Requests)Input).Expect(request.Length);
        foreach (var part in request) requests.Writer.Write(part.Span);
        return requests.Writer.FlushAsync(CancellationToken.None);
    }

    /// <summary>Kestrel aborts what is closed already, too; then the real connection may still have answers to send.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        if (ConnectionClosed.IsCancellationRequested) return;

        requests.Writer.Complete();
        base.Abort(abortReason);
    }

    /// <summary>Waits for the request under way.</summary>
    public async Task EndAsync()
    {
        await requests.Writer.CompleteAsync();
        await answers.Reader.CompleteAsync();
        await serving;
    }

    private async Task RunAsync(ConnectionDelegate http)
    {
        try
        {
            await ServeAsync(http);
        }
        finally
        {
            lock (guard) (HasClosed, state) = (state is State.Busy, State.Ended);
            await requests.Reader.CompleteAsync();
            await answers.Writer.CompleteAsync();
        }
    }

    private void Answered()
    {
        lock (guard)
        {
            if (state is not State.Busy) return;
            state = State.Idle;
        }

        answers.Writer.Complete();
    }

    private sealed class Requests(PipeReader pipe) : PipeReader
    {
        private readonly Incoming incoming = new(pipe);
        private long left;

        public Lane Lane { get; set; } = null!;

        public void Expect(long bytes) => left = bytes;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            if (left == 0) Lane.Answered();
            return incoming.ReadAsync(cancellationToken);
        }

        public override bool TryRead(out ReadResult result) => incoming.TryRead(out result);

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => left -= incoming.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => Lane.Retire(incoming);

        public override void Complete(Exception? exception = null)
        {
        }
    }

    /// <summary>Kestrel wants to end an idle lane (its timeout), or to wake a busy one.</summary>
    private void Retire(Incoming incoming)
    {
        lock (guard)
            if (state is State.Idle)
                state = State.Ended;
        incoming.Cancel();
    }
}
