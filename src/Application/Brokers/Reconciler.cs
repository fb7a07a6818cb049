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

    /// <summary>A Date header counts seconds, so a smaller lead of the broker's clock may be none.</summary>
    private static readonly TimeSpan LeastLead = TimeSpan.FromSeconds(2);

    /// <summary>Compares the whole fleet of a broker. Never throws for what the broker does: that is the result.</summary>
    /// <param name="id">The number of the sweep, which <see cref="BeginReconciliation"/> gave.</param>
    public async Task<(SweepResult Result, string? Problem)> SweepAsync(IBroker broker, long id, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        var (result, problem) = (SweepResult.Failed, "This program failed amidst it; its log says how.");
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
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            problem = "The service stopped amidst it.";
            throw;
        }
        finally
        {
            metrics.Reconciled(result, tally.Findings, time.GetElapsedTime(started));
            await TellAsync(new FinishReconciliation(id, result, tally.Findings, problem), cancellation);
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
            var state = watch.Of(broker);
            DateTimeOffset asOf;
            ListedClient? found;
            if (state.SilentUntil > time.GetUtcNow()) return false; // who waits behind shall not wait for a timeout each
            try
            {
                state.Condition ??= await broker.ConditionAsync(cancellation); // its clock
                asOf = AsOf(state);
                found = await broker.FindAsync(client, cancellation);
            }
            catch (BrokerException failed)
            {
                state.Problem = failed.Message;
                await FallSilentAsync(broker, state, cancellation);
                return false; // one that does not answer may have it
            }
            if (found is { Connected: true })
            {
                metrics.Corrected(await TellAsync(new RecordListed([found], asOf, time.GetUtcNow()), cancellation));
                return true;
            }
            if (state.IsHolding) return true; // what it misses is not believed now: the second sweep decides
            (asked, waiting) = (asked + 1, found ?? waiting);
            if (!(earliest < asOf)) earliest = asOf;
        }
        if (asked == 0) return false;

        metrics.Corrected(await TellAsync(
            new RecordAbsent([(client, waiting)], earliest!.Value, watch.ListedAt(known?.Node), time.GetUtcNow()), cancellation));
        return true;
    }

    /// <summary>A question for one client failed: is it the client, or does the broker not answer at all?</summary>
    private async Task FallSilentAsync(IBroker broker, BrokerState state, CancellationToken cancellation)
    {
        try
        {
            state.Condition = await broker.ConditionAsync(cancellation);
        }
        catch (BrokerException)
        {
            state.SilentUntil = time.GetUtcNow() + options.Value.CheckInterval; // the problem is told already
        }
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

        var (missing, online) = await MissingAsync(broker, state, listed, asOf, cancellation);
        var contradicted = missing.Where(one => one.Node.IsContradicted).Select(one => one.Node.Name).Distinct().Order(StringComparer.Ordinal).ToList();
        missing.RemoveAll(one => one.Node.IsContradicted);
        var unripe = missing.FindAll(one => !one.IsRipe);
        if (unripe.Count > 1 && unripe.Count > options.Value.Brake * online) missing.RemoveAll(one => !one.IsRipe);
        else unripe.Clear();

        state.IsHolding |= unripe.Count > 0 || contradicted.Count > 0;
        state.Held = unripe.Count > 0 ? new HeldClients(unripe.Select(one => (one.Client, one.Since))) : state.Held;
        await DoubtAsync(unripe.Select(one => one.Client), asOf, cancellation);
        var undecided = await SettleAsync(broker, missing, asOf, listedBefore, tally, cancellation);
        await DoubtAsync(undecided, asOf, cancellation);
        tally.Add(new Findings { Held = unripe.Count });
        if (unripe.Count > 0)
            return (SweepResult.Held,
                $"Broker '{broker.Name}' does not list {unripe.Count} of {online} online devices. They are stale until a second sweep agrees; see whether a node or its API is down.");
        if (contradicted.Count > 0)
            return (SweepResult.Held,
                $"Broker '{broker.Name}' counts {string.Join(", ", contradicted)} not among its running nodes, but reports come from there. "
                + "Their devices are left as they are; see whether the API is that of another cluster, or the cluster is split.");
        (state.IsHolding, state.Held, state.ListedAt) = (false, HeldClients.None, asOf);
        return undecided.Count == 0
            ? (SweepResult.Complete, null)
            : (SweepResult.Incomplete, $"Broker '{broker.Name}' gave no answer for {undecided.Count} devices that it does not list. They are stale; the next sweep asks again.");
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
            ZoneCheck.Check(broker, present, known, AsOf(watch.Of(broker)));
            foreach (var chunk in present.Where(client => known.GetValueOrDefault(client.Id.Value)?.Agrees(client) is not true).Chunk(Chunk))
                tally.Add(await TellAsync(new RecordListed(chunk, asOf, time.GetUtcNow()), cancellation));
        }
        return (listed, total);
    }

    /// <summary>The broker's devices that are online as far as is known, not in the list, and not heard of since it was asked for.</summary>
    private async Task<(List<Missed> Missing, long Online)> MissingAsync(
        IBroker broker, BrokerState state, ClientIdSet listed, DateTimeOffset asOf, CancellationToken cancellation)
    {
        var (missing, online) = (new List<Missed>(), 0L);
        var nodes = new Dictionary<string, NodeHeard>();
        var now = time.GetUtcNow();
        for (string? after = null; ;)
        {
            var page = await mediator.Send(new ListOnline(after, PageSize), cancellation);
            foreach (var known in page)
            {
                if (!nodes.TryGetValue(known.Node ?? "", out var node)) nodes.Add(known.Node ?? "", node = Heard(known.Node));
                if (!node.IsJudged) continue;
                online++;
                if (known.LastEvidenceAt > node.HeardAt) node.HeardAt = known.LastEvidenceAt.Value;
                if (listed.Contains(known.ClientId) || known.LastEvidenceAt > asOf) continue;

                var since = known.Confidence is Confidence.Stale ? state.Held.Since(known.ClientId) ?? now : now; // heard since it was held: held anew
                missing.Add(new(new ClientId(known.ClientId), node, since, IsRipe: now - since >= options.Value.BrakeHold));
            }
            if (page.Count < PageSize) return (missing, online);
            after = page[^1].ClientId;
        }

        // Where several brokers may have a device, none can tell alone: each is asked for it by name when it turns stale.
        NodeHeard Heard(string? name) => new(name ?? "", watch.OnlyOwnerOf(name) == broker)
        {
            IsUnnamed = !string.IsNullOrEmpty(name) && state.Condition!.Nodes.All(node => node.Name != name || !node.Running),
            Recent = asOf - options.Value.BrakeHold,
        };
    }

    /// <summary>Asks for the missing one by one.</summary>
    /// <returns>For whom there was no answer, as while a client is just connecting.</returns>
    /// <exception cref="BrokerException">There was none for so many in turn that the broker is down.</exception>
    private async Task<List<ClientId>> SettleAsync(
        IBroker broker, IReadOnlyList<Missed> missing, DateTimeOffset asOf, DateTimeOffset? listedBefore, Tally tally, CancellationToken cancellation)
    {
        var undecided = new List<ClientId>();
        foreach (var chunk in missing.Chunk(Chunk))
        {
            var found = new (ClientId Client, ListedClient? Listed, BrokerException? Failure)[chunk.Length];
            await Parallel.ForAsync(
                0, chunk.Length, new ParallelOptions { MaxDegreeOfParallelism = options.Value.Lookups, CancellationToken = cancellation },
                async (i, stop) => found[i] = await LookUpAsync(broker, chunk[i].Client, stop));
            if (chunk.Length > options.Value.Lookups && Array.TrueForAll(found, one => one.Failure is not null)) throw found[0].Failure!;

            var now = time.GetUtcNow();
            if (found.Where(one => one.Listed is { Connected: true }).Select(one => one.Listed!).ToList() is { Count: > 0 } present)
                tally.Add(await TellAsync(new RecordListed(present, asOf, now), cancellation));
            if (found.Where(one => one is { Failure: null, Listed: not { Connected: true } }).Select(one => (one.Client, one.Listed)).ToList() is { Count: > 0 } absent)
                tally.Add(await TellAsync(new RecordAbsent(absent, asOf, listedBefore, now), cancellation));
            tally.Add(new Findings { Verified = found.Count(one => one.Failure is null) });
            undecided.AddRange(found.Where(one => one.Failure is not null).Select(one => one.Client));
        }
        return undecided;
    }

    private async Task DoubtAsync(IEnumerable<ClientId> clients, DateTimeOffset asOf, CancellationToken cancellation)
    {
        foreach (var chunk in clients.Chunk(Chunk)) await TellAsync(new DoubtDevices(chunk, asOf, time.GetUtcNow()), cancellation);
    }

    private static async Task<(ClientId Client, ListedClient? Listed, BrokerException? Failure)> LookUpAsync(IBroker broker, ClientId client, CancellationToken cancellation)
    {
        try
        {
            return (client, await broker.FindAsync(client, cancellation), null);
        }
        catch (BrokerException failed)
        {
            return (client, null, failed);
        }
    }

    /// <summary>Tells what was found, however long the reports before it take: a sweep does not begin anew because of them.</summary>
    private Task<T> TellAsync<T>(ICommand<T> found, CancellationToken cancellation) =>
        Overload.WaitOutAsync(() => mediator.Send(found, CancellationToken.None), time, cancellation); // once given it is done, also while the service stops

    /// <summary>Now by the broker's clock, and rather too early: what happened after it may or may not be in the answer.</summary>
    private DateTimeOffset AsOf(BrokerState state)
    {
        var offset = state.Condition?.ClockOffset ?? TimeSpan.Zero;
        return time.GetUtcNow() + (offset > TimeSpan.Zero && offset < LeastLead ? TimeSpan.Zero : offset) - rules.ClockTolerance;
    }

    /// <summary>How many clients may leave while the list is read.</summary>
    private static long Slack(long? total) => Math.Max(10, (total ?? 0) / 50);

    /// <param name="Since">When a sweep first missed it together with too many others.</param>
    /// <param name="IsRipe">That is long enough ago.</param>
    private sealed record Missed(ClientId Client, NodeHeard Node, DateTimeOffset Since, bool IsRipe);

    /// <summary>A node of online devices, and what the reports say of it.</summary>
    private sealed class NodeHeard(string name, bool isJudged)
    {
        public string Name => name;

        /// <summary>The sweep's broker, and no other, speaks for it.</summary>
        public bool IsJudged => isJudged;

        /// <summary>The broker does not count it among its running nodes.</summary>
        public bool IsUnnamed { get; init; }

        public DateTimeOffset Recent { get; init; }

        /// <summary>The newest evidence of any of its devices.</summary>
        public DateTimeOffset HeardAt { get; set; }

        /// <summary>A node that reports is alive, whatever the broker's API says of it.</summary>
        public bool IsContradicted => IsUnnamed && HeardAt > Recent;
    }

    /// <summary>What a sweep has found so far, also when it breaks off.</summary>
    private sealed class Tally
    {
        public Findings Findings { get; private set; }

        public void Add(Findings more) => Findings += more;
    }
}
