using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// A read that is waited for, told as what <paramref name="see"/> makes of it. One object serves all reads of a connection, which come one after
/// another; an async method would make a new one for each as soon as many connections wait.
/// </summary>
internal sealed class ReadUnderWay(Func<ReadResult, ReadResult> see) : IValueTaskSource<ReadResult>
{
    private ValueTaskAwaiter<ReadResult> read;
    private Action<object?> go = static _ => { };
    private object? state;
    private Action? whenRead;

    public ValueTask<ReadResult> Of(ValueTask<ReadResult> waitedFor)
    {
        read = waitedFor.GetAwaiter();
        return new(this, token: 0);
    }

    public ReadResult GetResult(short token) => see(read.GetResult());

    public ValueTaskSourceStatus GetStatus(short token) => read.IsCompleted ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        (go, this.state) = (continuation, state);
        read.UnsafeOnCompleted(whenRead ??= () => go(this.state));
    }
}
