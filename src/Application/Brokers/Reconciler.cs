using MediatR;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>
/// Compares what is known with what the broker's API says. The list is no snapshot: clients come and go while it is read. So who is in it was
/// connected, but who is missing is asked for by name, and what has newer reports is never touched.
/// </summary>
public sealed class Reconciler(
    IMediator mediator, BrokerWatch watch, IOptions<ReconciliationOptions> options, PresenceRules rules, ServiceMetrics metrics, TimeProvider time)
{
    private const int PageSize = 1_000;

    /// <summary>Few enough that a command does not hold up the reports that wait behind it.</summary>
    private const int Chunk = 32;

    /// <summary>A Date header counts seconds, so a smaller offset may be none.</summary>
    private static readonly TimeSpan LeastOffset = TimeSpan.FromSeconds(2);

    /// <summary>Compares the whole fleet of a broker. Never throws for what the broker does: that is the result.</summary>
    /// <param name="id">The number of the sweep, which <see cref="BeginReconciliation"/> gave.</param>
    public async Task<(SweepResult Result, string? Problem)> SweepAsync(IBroker broker, long id, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        var (result, problem) = (SweepResult.Failed, "The service stopped amidst it.");
        var (state, tally) = (watch.Of(broker), new Tally());
        try
        {
            (result, problem) = await CompareAsync(broker, state, tally, cancellation);
            state.Problem = null;
        }
        catch (BrokerException failed)
        {
            state.Problem = problem = failed.Message;
        }
        finally
        {
            metrics.Reconciled(result, tally.Findings, time.GetElapsedTime(started));
            await mediator.Send(new FinishReconciliation(id, result, tally.Findings, problem), CancellationToken.None);
        }
        return (result, problem);
    }

    /// <summary>Asks the broker for one device whose state is doubtful, and takes its word.</summary>
    /// <returns>False if it could not be asked.</returns>
    public async Task<bool> VerifyAsync(ClientId client, CancellationToken cancellation)
    {
        var known = (await mediator.Send(new GetKnownConnections([client]), cancellation)).GetValueOrDefault(client.Value);
        var asked = 0;
        DateTimeOffset? earliest = null;
        ListedClient? waiting = null;
        foreach (var broker in watch.OwnersOf(known?.Node))
        {
            var asOf = AsOf(watch.Of(broker));
            ListedClient? found;
            try
            {
                found = await broker.FindAsync(client, cancellation);
            }
            catch (BrokerException failed)
            {
                watch.Of(broker).Problem = failed.Message;
                return false; // one that does not answer may have it
            }
            if (found is { Connected: true })
            {
                metrics.Corrected(await mediator.Send(new RecordListed([found], asOf, time.GetUtcNow()), cancellation));
                return true;
            }
            (asked, waiting) = (asked + 1, found ?? waiting);
            if (!(earliest < asOf)) earliest = asOf;
        }
        if (asked == 0) return false;

        metrics.Corrected(await mediator.Send(
            new RecordAbsent([(client, waiting)], earliest!.Value, watch.ListedAt(known?.Node), time.GetUtcNow()), cancellation));
        return true;
    }

    private async Task<(SweepResult, string?)> CompareAsync(IBroker broker, BrokerState state, Tally tally, CancellationToken cancellation)
    {
        var listedBefore = state.ListedAt;
        state.Condition = await broker.ConditionAsync(cancellation);
        var asOf = AsOf(state);

        var (listed, total) = await TakeListAsync(broker, asOf, tally, cancellation);
        if (listed.Count + Slack(total) < total)
            return (SweepResult.Incomplete,
                $"Broker '{broker.Name}' says it has {total} connected clients and listed {listed.Count}. Nobody was taken offline; the next sweep looks again.");

        var (missing, online) = await MissingAsync(broker, listed, asOf, cancellation);
        if (missing.Count > 1 && missing.Count > options.Value.Brake * online && !state.IsHolding)
        {
            foreach (var chunk in missing.Chunk(Chunk)) await mediator.Send(new DoubtDevices(chunk, time.GetUtcNow()), cancellation);
            state.IsHolding = true;
            tally.Add(new Findings { Held = missing.Count });
            return (SweepResult.Held,
                $"Broker '{broker.Name}' does not list {missing.Count} of {online} online devices. They are stale until a second sweep agrees; see whether a node or its API is down.");
        }
        await SettleAsync(broker, missing, asOf, listedBefore, tally, cancellation);
        (state.IsHolding, state.ListedAt) = (false, asOf);
        return (SweepResult.Complete, null);
    }

    /// <summary>Reads the list and corrects whoever is in it and was not known so.</summary>
    private async Task<(ClientIdSet Listed, long? Total)> TakeListAsync(IBroker broker, DateTimeOffset asOf, Tally tally, CancellationToken cancellation)
    {
        var (listed, total) = (new ClientIdSet(), (long?)null);
        await foreach (var page in broker.ConnectedAsync(cancellation))
        {
            total = page.Total ?? total;
            var present = page.Clients.Where(client => client.Connected && broker.Owns(client.Node)).ToList();
            foreach (var client in page.Clients)
                if (listed.Add(client.Id)) tally.Add(new Findings { Scanned = 1 });
            var known = await mediator.Send(new GetKnownConnections([.. present.Select(client => client.Id)]), cancellation);
            foreach (var chunk in present.Where(client => known.GetValueOrDefault(client.Id.Value)?.Agrees(client) is not true).Chunk(Chunk))
                tally.Add(await mediator.Send(new RecordListed(chunk, asOf, time.GetUtcNow()), cancellation));
        }
        return (listed, total);
    }

    /// <summary>The broker's devices that are online as far as is known, not in the list, and not heard of since it was asked for.</summary>
    private async Task<(List<ClientId> Missing, long Online)> MissingAsync(IBroker broker, ClientIdSet listed, DateTimeOffset asOf, CancellationToken cancellation)
    {
        var (missing, online) = (new List<ClientId>(), 0L);
        for (string? after = null; ;)
        {
            var page = await mediator.Send(new ListOnline(after, PageSize), cancellation);
            foreach (var known in page)
            {
                if (known.Node is null ? watch.Brokers.Count > 1 : !broker.Owns(known.Node)) continue; // several could have it: each is asked for by name elsewhere
                online++;
                if (!listed.Contains(known.ClientId) && !(known.ConnectedAt > asOf) && !(known.LastSeenAt > asOf)) missing.Add(new ClientId(known.ClientId));
            }
            if (page.Count < PageSize) return (missing, online);
            after = page[^1].ClientId;
        }
    }

    /// <summary>Asks for the missing one by one.</summary>
    private async Task SettleAsync(
        IBroker broker, IReadOnlyList<ClientId> missing, DateTimeOffset asOf, DateTimeOffset? listedBefore, Tally tally, CancellationToken cancellation)
    {
        foreach (var chunk in missing.Chunk(Chunk))
        {
            var found = new (ClientId Client, ListedClient? Listed)[chunk.Length];
            await Parallel.ForAsync(
                0, chunk.Length, new ParallelOptions { MaxDegreeOfParallelism = options.Value.Lookups, CancellationToken = cancellation },
                async (i, stop) => found[i] = (chunk[i], await broker.FindAsync(chunk[i], stop)));
            var now = time.GetUtcNow();
            if (found.Where(one => one.Listed is { Connected: true }).Select(one => one.Listed!).ToList() is { Count: > 0 } present)
                tally.Add(await mediator.Send(new RecordListed(present, asOf, now), cancellation));
            if (found.Where(one => one.Listed is not { Connected: true }).ToList() is { Count: > 0 } absent)
                tally.Add(await mediator.Send(new RecordAbsent(absent, asOf, listedBefore, now), cancellation));
            tally.Add(new Findings { Verified = chunk.Length });
        }
    }

    /// <summary>Now by the broker's clock, and rather too early: what happened after it may or may not be in the answer.</summary>
    private DateTimeOffset AsOf(BrokerState state)
    {
        var offset = state.Condition?.ClockOffset ?? TimeSpan.Zero;
        return time.GetUtcNow() + (offset.Duration() < LeastOffset ? TimeSpan.Zero : offset) - rules.ClockTolerance;
    }

    /// <summary>How many clients may leave while the list is read.</summary>
    private static long Slack(long? total) => Math.Max(10, (total ?? 0) / 50);

    /// <summary>What a sweep has found so far, also when it breaks off.</summary>
    private sealed class Tally
    {
        public Findings Findings { get; private set; }

        public void Add(Findings more) => Findings += more;
    }
}
