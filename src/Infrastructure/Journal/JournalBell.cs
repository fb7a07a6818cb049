using Dapper;
using WebhookService.Application.Journal;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>
/// Wakes who waits for the journal to grow. All who wait share one call. Ringing costs the writer two stores, and a place in the thread pool's
/// queue if somebody waits, however many they are.
/// </summary>
/// <remarks>
/// No wake-up is lost: the writer stores the head and then takes the call; who waits makes the call and then looks at the head. Whichever comes
/// second sees the other, since both are full fences.
/// </remarks>
internal sealed class JournalBell(Database database) : IJournalBell
{
    private const long NotRead = -1;

    private long head = NotRead;
    private Call? waiting;

    public long Head => Volatile.Read(ref head) is not NotRead and var known ? known : ReadHead();

    public async ValueTask WaitBeyondAsync(long seq, CancellationToken cancellation)
    {
        while (Head <= seq)
        {
            var call = Volatile.Read(ref waiting);
            if (call is null)
            {
                var mine = new Call();
                call = Interlocked.CompareExchange(ref waiting, mine, null) ?? mine;
            }
            if (Head > seq) return;
            await call.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>The journal was committed up to here.</summary>
    public void Ring(long newHead)
    {
        Interlocked.Exchange(ref head, newHead);
        if (Interlocked.Exchange(ref waiting, null) is { } call) ThreadPool.UnsafeQueueUserWorkItem(call, preferLocal: false);
    }

    /// <summary>Before the first commit of this run only the database knows. A ring in the meantime knows better.</summary>
    private long ReadHead()
    {
        using var connection = database.OpenForReading();
        Interlocked.CompareExchange(ref head, connection.ExecuteScalar<long>(Journal.ReadHead), NotRead);
        return Volatile.Read(ref head);
    }

    private sealed class Call() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), IThreadPoolWorkItem
    {
        public void Execute() => SetResult();
    }
}
