using System.Buffers;
using System.IO.Pipelines;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// A pipe's reading side that can be passed from one reader to the next: what one has seen but left, another sees again. (A pipe gives what was
/// examined only together with news, and takes no examination back.)
/// </summary>
internal sealed class Incoming(PipeReader pipe)
{
    private ReadResult current;
    private ReadUnderWay? underWay;
    private bool isOpen;
    private long examined;

    /// <summary>Of an interruption that came too late for its read: the next read ends by it, and shall not tell.</summary>
    private bool isStray;

    public ValueTask<ReadResult> ReadAsync(CancellationToken cancellation)
    {
        if (isOpen) return new(current);

        var read = pipe.ReadAsync(cancellation);
        return read.IsCompletedSuccessfully ? new(Open(read.Result)) : (underWay ??= new(Open)).Of(read);
    }

    public bool TryRead(out ReadResult result)
    {
        if (!isOpen && pipe.TryRead(out var read)) Open(read);
        result = isOpen ? current : default;
        return isOpen;
    }

    /// <summary>Ends a read as <see cref="PipeReader.AdvanceTo(SequencePosition, SequencePosition)"/> does.</summary>
    /// <returns>The bytes consumed.</returns>
    public long AdvanceTo(SequencePosition consumed, SequencePosition seen)
    {
        var (taken, looked) = (Length(consumed), Length(seen));
        if (looked < examined)
        {
            LeaveOpen(current.Buffer.Slice(consumed), taken);
            return taken;
        }

        (examined, isOpen) = (looked - taken, false);
        pipe.AdvanceTo(consumed, seen);
        return taken;
    }

    /// <summary>Ends a read of which <paramref name="rest"/> is left to whoever reads next, who gets it at once.</summary>
    public void Leave(in ReadOnlySequence<byte> rest)
    {
        if (rest.IsEmpty && !current.IsCompleted) AdvanceTo(rest.End, rest.End);
        else LeaveOpen(rest, current.Buffer.Length - rest.Length);
    }

    /// <summary>Makes a read that is under way end now, with what is there.</summary>
    public async ValueTask<ReadResult> InterruptAsync(Task<ReadResult> reading)
    {
        pipe.CancelPendingRead();
        var result = await reading;
        isStray = !result.IsCanceled;
        return Open(new(result.Buffer, isCanceled: false, result.IsCompleted));
    }

    public void Cancel() => pipe.CancelPendingRead();

    private void LeaveOpen(in ReadOnlySequence<byte> rest, long taken) =>
        (current, examined, isOpen) = (new(rest, isCanceled: false, current.IsCompleted), Math.Max(0, examined - taken), true);

    private long Length(SequencePosition until) => current.Buffer.IsEmpty ? 0 : current.Buffer.Slice(0, until).Length;

    private ReadResult Open(ReadResult result)
    {
        if (isStray && result.IsCanceled) (result, isStray) = (new(result.Buffer, isCanceled: false, result.IsCompleted), false);
        (current, isOpen) = (result, true);
        return result;
    }
}
