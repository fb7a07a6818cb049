namespace WebhookService.Application.Consumers;

/// <summary>Where one event at a time is handled. One that is given up while its handler still runs is left to it, and replaced.</summary>
internal sealed class Lane(IConsumer consumer, TimeProvider time, Action<Handled> tell) : IThreadPoolWorkItem, IDisposable
{
    private CancellationTokenSource? late;
    private CancellationTokenRegistration ending;
    private Work work = null!;
    private JournalEntry entry = null!;
    private volatile bool isHurried;
    private int isEnded;

    /// <summary>Whether an event is under way, as far as the consumer's loop knows.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Begins to handle an event, on a thread of the pool.</summary>
    public void Begin(Work next, JournalEntry what)
    {
        (work, entry, IsBusy, isHurried, isEnded) = (next, what, true, false, 0);
        if (late?.TryReset() == true) late.CancelAfter(consumer.Options.Timeout);
        else
        {
            late?.Dispose();
            late = new(consumer.Options.Timeout, time);
        }
        ending = late.Token.UnsafeRegister(static lane => ((Lane)lane!).End(null, isLate: true), this);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>The loop has heard how the event went: the next one may come.</summary>
    public void Free() => IsBusy = false;

    /// <summary>The service stops: what is not done by now comes again.</summary>
    public void Hurry()
    {
        isHurried = true;
        late?.Cancel();
    }

    public void Execute()
    {
        try
        {
            var handling = consumer.HandleAsync(entry, new Handling(work.Seq, work.Attempts + 1, work.IsReplay), late!.Token);
            if (handling.IsCompletedSuccessfully) End(null, isLate: false);
            else _ = AwaitAsync(handling);
        }
        catch (Exception fault)
        {
            End(fault, isLate: false);
        }
    }

    public void Dispose() => late?.Dispose();

    private async Task AwaitAsync(Task handling)
    {
        Exception? failure = null;
        try
        {
            await handling;
        }
        catch (Exception fault)
        {
            failure = fault; // whatever it is: it is told, and tried again
        }
        End(failure, isLate: false);
    }

    /// <param name="failure">What the handler threw.</param>
    /// <param name="isLate">Its time is over: it is left behind if it does not listen.</param>
    private void End(Exception? failure, bool isLate)
    {
        if (Interlocked.Exchange(ref isEnded, 1) == 1) return;
        if (!isLate) ending.Dispose(); // waits for a call that is under way: it would end the next event
        if (isLate || (failure is OperationCanceledException && late!.IsCancellationRequested))
            failure = new TimeoutException($"It took longer than {consumer.Options.Timeout}.", failure);
        tell(new(this, work, failure, entry, WasInterrupted: failure is not null && isHurried, IsLeftBehind: isLate));
    }
}

/// <summary>How an event went.</summary>
/// <param name="Failure">Null if it is handled.</param>
/// <param name="WasInterrupted">By the end of the service, not by a fault of its own.</param>
/// <param name="IsLeftBehind">Its handler may still run.</param>
internal sealed record Handled(Lane Lane, Work Work, Exception? Failure, JournalEntry Entry, bool WasInterrupted, bool IsLeftBehind);
