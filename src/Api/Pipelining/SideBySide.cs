using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace WebhookService.Api.Pipelining;

/// <summary>
/// Webhooks of one connection, each in a <see cref="Lane"/>: begun in their order, handled at the same time, answered in their order. What is taken
/// from the socket is bounded by number and bytes; a client that doesn't read its answers is not read either.
/// </summary>
internal sealed class SideBySide(ConnectionContext outer, ConnectionDelegate http, Incoming incoming, int most, LaneShare share, KestrelServerLimits limits) : IAsyncDisposable
{
    /// <summary>In bytes, of requests under way.</summary>
    private const int MostBytes = 1024 * 1024;

    /// <summary>In bytes: so much of answers is sent together, and a larger answer is sent in parts.</summary>
    private const int Together = 32 * 1024;

    /// <summary>Heartbeats, one a second, without a request under way. Going back at once would handle the first request after each pause alone.</summary>
    private const int CalmTicks = 2;

    private readonly Lock guard = new();
    private readonly List<Lane> lanes = [];
    private readonly ConcurrentQueue<Lane> free = new();
    private readonly CancellationTokenSource closed = new();
    private readonly CancellationToken stopping = outer.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
    private readonly MemoryPool<byte> memory = outer.Features.Get<IMemoryPoolFeature>()?.MemoryPool ?? MemoryPool<byte>.Shared;
    private readonly PipeWriter output = outer.Transport.Output;

    private readonly LaneShare share = share.Join();

    private int named;
    private int underWay;
    private long bytes;
    private int calmTicks;
    private bool isOver;

    /// <summary>Set when less is under way.</summary>
    private TaskCompletionSource less = NewSignal();

    /// <summary>Set when waiting for the client's bytes shall end.</summary>
    private TaskCompletionSource wake = NewSignal();

    /// <returns>Whether the connection goes on, one by one.</returns>
    public async Task<bool> ServeAsync()
    {
        var order = Channel.CreateUnbounded<Lane>(new() { SingleReader = true, SingleWriter = true });
        using var told = stopping.Register(static state => ((SideBySide)state!).Wake(), this);
        var answering = AnswerAsync(order.Reader);
        try
        {
            await BeginAsync(order.Writer);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            await EndAsync(); // the client's, or the server's will: nobody is there to be told
        }
        finally
        {
            order.Writer.Complete();
            await answering;
        }

        return !isOver;
    }

    public void Tick()
    {
        Lane[] all;
        lock (guard)
        {
            all = [.. lanes];
            if (underWay > 0) calmTicks = 0;
            else if (++calmTicks >= CalmTicks) Wake();
        }

        foreach (var lane in all) lane.Tick();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await closed.CancelAsync();
            await Task.WhenAll(lanes.Select(lane => lane.EndAsync()));
        }
        finally
        {
            share.Leave();
            closed.Dispose();
        }
    }

    // ---- requests ----------------------------------------------------------------------------------------------------

    private async Task BeginAsync(ChannelWriter<Lane> order)
    {
        while (true)
        {
            var read = await ReadAsync();
            var rest = read.Buffer;
            RequestHead head;
            while ((head = stopping.IsCancellationRequested ? default : RequestHead.Read(rest)).Kind is RequestKind.Webhook && head.Length <= rest.Length)
            {
                if (await LaneAsync(head.Length) is not { } lane) return;

                order.TryWrite(lane);
                await lane.SendAsync(rest.Slice(0, head.Length));
                rest = rest.Slice(head.Length);
            }

            // What comes next is for Kestrel alone, after everything before it.
            var isBarrier = stopping.IsCancellationRequested || read.IsCompleted || head.Kind is RequestKind.Strange or RequestKind.Measured;
            if (isBarrier) await UntilAsync(() => underWay == 0);
            if (isBarrier || IsOverOrCalm)
            {
                incoming.Leave(rest);
                return;
            }

            incoming.AdvanceTo(rest.Start, rest.End);
        }
    }

    private bool IsOverOrCalm
    {
        get
        {
            lock (guard) return isOver || (underWay == 0 && calmTicks >= CalmTicks);
        }
    }

    /// <summary>What the client sent; at the latest when nothing was under way for a while, the connection is over or the service stops.</summary>
    private async ValueTask<ReadResult> ReadAsync()
    {
        var read = incoming.ReadAsync(CancellationToken.None);
        if (read.IsCompleted) return await read;

        var (reading, woken) = (read.AsTask(), Task.CompletedTask);
        lock (guard)
        {
            if (!IsOverOrCalm && !stopping.IsCancellationRequested)
            {
                if (wake.Task.IsCompleted) wake = NewSignal();
                woken = wake.Task;
            }
        }

        return await Task.WhenAny(reading, woken) == reading ? await reading : await incoming.InterruptAsync(reading);
    }

    /// <summary>A lane for the next request, as soon as there is room; null when the connection is over.</summary>
    private async ValueTask<Lane?> LaneAsync(long size)
    {
        while (true)
        {
            if (!HasRoom(size)) await UntilAsync(() => HasRoom(size));
            if (isOver) return null;

            if (!free.TryDequeue(out var lane))
            {
                lane = new Lane(outer, $"{outer.ConnectionId}.lane-{++named}", http, memory, closed.Token);
                lock (guard) lanes.Add(lane);
            }

            if (lane.TryTake(size))
            {
                lock (guard)
                {
                    underWay++;
                    bytes += size;
                    calmTicks = 0;
                }

                return lane;
            }

            await lane.EndAsync();
            lock (guard) lanes.Remove(lane);
        }
    }

    private bool HasRoom(long size)
    {
        lock (guard) return underWay == 0 || (underWay < Math.Min(most, share.Each) && bytes + size <= MostBytes);
    }

    // ---- answers -----------------------------------------------------------------------------------------------------

    private async Task AnswerAsync(ChannelReader<Lane> order)
    {
        try
        {
            while (await order.WaitToReadAsync())
            {
                while (order.TryRead(out var lane))
                {
                    if (!isOver && !await RelayAsync(lane.Answer)) await EndAsync();
                    if (lane.HasClosed) await EndAsync();
                    if (await KeepsAsync(lane)) free.Enqueue(lane);
                    lock (guard)
                    {
                        underWay--;
                        bytes -= lane.Size;
                        less.TrySetResult();
                    }
                }

                if (!isOver && !await FlushAsync()) await EndAsync();
            }
        }
        catch (Exception failure)
        {
            await EndAsync(); // else requests would wait for room for ever
            if (failure is not (IOException or OperationCanceledException)) throw;
        }
    }

    /// <summary>Ends a lane that this connection may not have any more, because others pipeline too.</summary>
    private async ValueTask<bool> KeepsAsync(Lane lane)
    {
        lock (guard)
        {
            if (lanes.Count <= share.Each) return true;
            lanes.Remove(lane);
        }

        await lane.EndAsync();
        return false;
    }

    /// <summary>Copies an answer to the client's connection.</summary>
    /// <returns>Whether somebody is still there.</returns>
    private async ValueTask<bool> RelayAsync(PipeReader answer)
    {
        while (true)
        {
            var read = answer.ReadAtLeastAsync(Together);
            if (!read.IsCompleted && !await FlushAsync()) return false;

            var part = await read;
            foreach (var segment in part.Buffer) output.Write(segment.Span);
            answer.AdvanceTo(part.Buffer.End);
            if (output.UnflushedBytes >= Together && !await FlushAsync()) return false;
            if (!part.IsCompleted) continue;

            await answer.CompleteAsync();
            return true;
        }
    }

    /// <summary>Sends what was written; ends the connection of a client that reads slower than Kestrel's MinResponseDataRate.</summary>
    private async ValueTask<bool> FlushAsync()
    {
        if (output.UnflushedBytes == 0) return true;

        var flush = output.FlushAsync(CancellationToken.None);
        if (flush.IsCompleted || limits.MinResponseDataRate is not { } rate) return !(await flush).IsCompleted;

        var flushing = flush.AsTask();
        var patience = rate.GracePeriod + TimeSpan.FromSeconds(((limits.MaxResponseBufferSize ?? 0) + Together) / rate.BytesPerSecond);
        try
        {
            return !(await flushing.WaitAsync(patience)).IsCompleted;
        }
        catch (TimeoutException)
        {
            outer.Abort(new ConnectionAbortedException("The client reads its answers too slowly."));
            await flushing;
            return false;
        }
    }

    // ---- both --------------------------------------------------------------------------------------------------------

    private async Task EndAsync()
    {
        lock (guard)
        {
            if (isOver) return;
            isOver = true;
            less.TrySetResult();
            wake.TrySetResult();
        }

        await closed.CancelAsync();
    }

    /// <summary>Waits until something is so, or the connection is over.</summary>
    private async Task UntilAsync(Func<bool> isSo)
    {
        while (true)
        {
            Task next;
            lock (guard)
            {
                if (isOver || isSo()) return;
                if (less.Task.IsCompleted) less = NewSignal();
                next = less.Task;
            }

            await next;
        }
    }

    private void Wake()
    {
        lock (guard) wake.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
