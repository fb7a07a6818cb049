using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Threading.Channels;
using MediatR;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>`Ingest:Queue`: the commands that wait for the writer.</summary>
public sealed class QueueOptions
{
    /// <summary>Commands that may wait. More senders than that are held back.</summary>
    [Range(1, 1_000_000)]
    public int Capacity { get; init; } = 8_192;

    /// <summary>How long a sender is held back before it is answered 429.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:30")]
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Commands that may share a transaction.</summary>
    [Range(1, 100_000)]
    public int MaxBatch { get; init; } = 1_024;

    /// <summary>What a sender that got 429 is told to wait.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>
/// Sends a command through the writer instead of handling it here. The pipeline ends in the command's handler, so handlers stay load, tell,
/// save and know nothing of transactions.
/// </summary>
internal sealed class GroupCommit<TCommand, TResult>(Writer writer) : IPipelineBehavior<TCommand, TResult>
    where TCommand : ICommand<TResult>
{
    public Task<TResult> Handle(TCommand request, CancellationToken cancellationToken, RequestHandlerDelegate<TResult> next) => writer.SendAsync(next);
}

/// <summary>
/// The one writer. Commands wait in a bounded queue; it takes what is there, runs their handlers one after another in one transaction, commits
/// (the data is on disk), and only then answers them all. A command that fails takes nothing with it: the transaction is rolled back and
/// every command of it is run again, each behind a savepoint of its own.
/// </summary>
internal sealed partial class Writer : IHostedService, IHealthCheck, IIngestGauge, IDisposable
{
    /// <summary>So many senders are answered by one thread: waking one up for each costs more than the answer does.</summary>
    private const int AnsweredTogether = 32;

    /// <summary>A disk may let the writer wait for ever. It keeps the database to the end of the process then.</summary>
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(20);

    private readonly UnitOfWork work;
    private readonly QueueOptions options;
    private readonly ServiceMetrics metrics;
    private readonly ILogger<Writer> logger;
    private readonly Channel<Pending> queue;
    private readonly Thread thread;
    private readonly Lazy<bool> ended;
    private long written;

    public Writer(UnitOfWork work, IOptions<QueueOptions> options, ServiceMetrics metrics, ILogger<Writer> logger)
    {
        (this.work, this.options, this.metrics, this.logger) = (work, options.Value, metrics, logger);
        queue = Channel.CreateBounded<Pending>(new BoundedChannelOptions(this.options.Capacity)
        {
            SingleReader = true,
            AllowSynchronousContinuations = true, // a sender wakes the writer itself: a thread of the pool would come to it when it has given all answers
        });
        thread = new Thread(Run) { Name = "writer", IsBackground = true };
        ended = new(() => thread.Join(LongestEnd));
        metrics.Watch("store.queue.depth", "{command}", "Commands that wait for the writer.", () => QueueDepth);
    }

    /// <summary>Commands that were written since the start.</summary>
    public long Written => Volatile.Read(ref written);

    public int QueueDepth => queue.Reader.Count;

    public int QueueCapacity => options.Capacity;

    /// <summary>
    /// Runs a command's handler in the next transaction and answers when that is on disk. What awaits it goes on on the thread that tells all of a commit, and
    /// may not block: others wait behind it.
    /// </summary>
    /// <param name="handler">Runs on the writer's thread.</param>
    /// <exception cref="OverloadedException">The queue stayed full, the database can't be written, or the service is stopping.</exception>
    public Task<TResult> SendAsync<TResult>(RequestHandlerDelegate<TResult> handler)
    {
        var pending = new Pending<TResult>(handler, TaskCreationOptions.None);
        return queue.Writer.TryWrite(pending) ? pending.Task : HoldAsync(pending);
    }

    /// <summary>The same for work on rows and indexes that nobody sent, which waits while the queue is full: refused like senders, it would hardly have a turn among so many.</summary>
    /// <param name="work">Runs on the writer's thread.</param>
    /// <param name="cancellation">Ends the waiting for a place in the queue, not the work.</param>
    /// <exception cref="OverloadedException">The database can't be written, the service is stopping, or <paramref name="cancellation"/> ended the waiting.</exception>
    public async Task<TResult> RunAsync<TResult>(RequestHandlerDelegate<TResult> work, CancellationToken cancellation = default)
    {
        var pending = new Pending<TResult>(work, TaskCreationOptions.RunContinuationsAsynchronously);
        return await IsTakenAsync(pending, cancellation) ? await pending.Task : throw new OverloadedException(options.RetryAfter);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        work.Open();
        thread.Start();
        return Task.CompletedTask;
    }

    /// <summary>Takes no more, and writes what waits.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.Run(End, CancellationToken.None);

    /// <summary>Ready while the writer runs and senders are not held back.</summary>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        !thread.IsAlive ? HealthCheckResult.Unhealthy("The writer does not run.")
        : QueueDepth >= QueueCapacity ? HealthCheckResult.Unhealthy("The queue of the writer is full.")
        : HealthCheckResult.Healthy());

    /// <summary>Of a service that could not start, which nobody stops, the writer may be in the midst of a transaction.</summary>
    public void Dispose() => End();

    private void End()
    {
        queue.Writer.TryComplete();
        if (thread.ThreadState.HasFlag(System.Threading.ThreadState.Unstarted)) work.Close();
        else _ = ended.Value; // who asks again does not wait again
    }

    private async Task<TResult> HoldAsync<TResult>(Pending<TResult> pending)
    {
        using var patience = new CancellationTokenSource(options.Hold);
        if (await IsTakenAsync(pending, patience.Token)) return await pending.Task;
        metrics.Overloaded();
        throw new OverloadedException(options.RetryAfter);
    }

    /// <summary>Waits for a place in the queue.</summary>
    private async Task<bool> IsTakenAsync(Pending pending, CancellationToken patience)
    {
        try
        {
            await queue.Writer.WriteAsync(pending, patience);
            return true;
        }
        catch (Exception refused) when (refused is OperationCanceledException or ChannelClosedException)
        {
            return !pending.GiveUp();
        }
    }

    private void Run()
    {
        var batch = new List<Pending>(options.MaxBatch);
        while (queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (batch.Count < options.MaxBatch && queue.Reader.TryRead(out var pending))
                if (pending.Take()) batch.Add(pending);
            if (batch.Count == 0) continue;
            Write(batch);
            batch.Clear();
        }
        work.Close();
    }

    private void Write(List<Pending> batch)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            work.Begin();
            foreach (var pending in batch) pending.Handle();
            work.Commit();
            metrics.Committed(batch.Count, Stopwatch.GetElapsedTime(started));
            Volatile.Write(ref written, written + batch.Count);
        }
        catch (Exception fault)
        {
            RollBack();
            if (batch.Count > 1 && !IsStorage(fault)) WriteEachAlone(batch);
            else FailAll(batch, fault);
        }
        foreach (var some in batch.Chunk(AnsweredTogether)) ThreadPool.UnsafeQueueUserWorkItem(new Answers(some), preferLocal: false);
        work.KeepLogShort(); // what was just answered does not wait for it
    }

    private void WriteEachAlone(List<Pending> batch)
    {
        try
        {
            work.Begin();
            foreach (var pending in batch)
            {
                work.Savepoint();
                try
                {
                    pending.Handle();
                    work.Flush();
                    work.ReleaseSavepoint();
                }
                catch (Exception fault) when (!IsStorage(fault))
                {
                    work.BackToSavepoint();
                    Fail(pending, fault);
                }
            }
            work.Commit();
        }
        catch (Exception fault)
        {
            RollBack();
            FailAll(batch, fault);
        }
    }

    private void RollBack()
    {
        try
        {
            work.Rollback();
        }
        catch (SqliteException fault)
        {
            CouldNotRollBack(fault); // the next Begin reports it to its senders
        }
    }

    private void FailAll(List<Pending> batch, Exception fault)
    {
        if (IsStorage(fault)) StorageFailed(fault, batch.Count);
        foreach (var pending in batch) Fail(pending, fault);
    }

    private void Fail(Pending pending, Exception fault)
    {
        metrics.CommandFailed();
        pending.Fault = IsStorage(fault) ? new OverloadedException(options.RetryAfter) : fault; // not taken: the sender has to send again
    }

    /// <summary>The database can't be written at the moment; the command is not to blame.</summary>
    private static bool IsStorage(Exception fault) => fault is SqliteException
    {
        SqliteErrorCode: SQLitePCL.raw.SQLITE_FULL or SQLitePCL.raw.SQLITE_IOERR or SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED
            or SQLitePCL.raw.SQLITE_READONLY or SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_NOMEM or SQLitePCL.raw.SQLITE_PROTOCOL
            or SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB
    };

    [LoggerMessage(LogLevel.Error, "The database could not be written; the senders of {Commands} commands are told to try again. See that the disk has space, nobody locks the file and it is sound (PRAGMA integrity_check)")]
    private partial void StorageFailed(Exception fault, int commands);

    [LoggerMessage(LogLevel.Error, "A failed transaction could not be rolled back")]
    private partial void CouldNotRollBack(Exception fault);

    /// <summary>Goes on with the requests whose commands are on disk. What awaits a command may not block: others wait behind it.</summary>
    private sealed class Answers(Pending[] some) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            foreach (var pending in some) pending.Answer();
        }
    }

    private abstract class Pending
    {
        private bool isDecided;

        /// <summary>
        /// Either the writer takes it or its sender gives it up: the first one has it. The channel alone does not decide that; of some ten thousand
        /// writes that were broken off while it was full, one was read all the same.
        /// </summary>
        public bool Take() => !Interlocked.Exchange(ref isDecided, true);

        /// <inheritdoc cref="Take"/>
        public bool GiveUp() => Take();

        /// <summary>Why its changes were not written.</summary>
        public Exception? Fault { get; set; }

        /// <summary>Runs the handler; its result is kept until the commit.</summary>
        public abstract void Handle();

        /// <summary>Runs what awaits the command, on the calling thread.</summary>
        public abstract void Answer();
    }

    private sealed class Pending<TResult>(RequestHandlerDelegate<TResult> handler, TaskCreationOptions options) : Pending
    {
        private readonly TaskCompletionSource<TResult> answer = new(options);
        private TResult result = default!;

        public Task<TResult> Task => answer.Task;

        // Repositories of one SQLite file never wait, so this does not block; if one did, order would still hold.
        public override void Handle() => result = handler().GetAwaiter().GetResult();

        public override void Answer()
        {
            if (Fault is { } fault) answer.SetException(fault);
            else answer.SetResult(result);
        }
    }
}
