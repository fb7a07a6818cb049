using System.Collections.Concurrent;
using System.Threading.Channels;
using MediatR;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;

namespace WebhookService.Application.Brokers;

/// <summary>A sweep that somebody asked for and the broker's worker has to do.</summary>
public sealed record PlannedSweep(long Id, string Broker, SweepCause Cause);

/// <summary>Where sweeps, and looks at single devices, are asked for. The workers take them from here.</summary>
public sealed class SweepDesk(IMediator mediator)
{
    /// <summary>So many devices are asked for one by one; of more a sweep knows sooner.</summary>
    private const int MostVerifications = 1_000;

    private readonly ConcurrentDictionary<string, Channel<PlannedSweep>> planned = new();
    private readonly Channel<ClientId> doubtful = Channel.CreateBounded<ClientId>(MostVerifications);

    /// <summary>Asks for a sweep. One that was asked for and has not begun serves both.</summary>
    public async Task<PlannedSweep> AskAsync(string broker, SweepCause cause, CancellationToken cancellation)
    {
        var queue = QueueOf(broker);
        if (queue.Reader.TryPeek(out var waiting)) return waiting;

        var sweep = new PlannedSweep(await mediator.Send(new BeginReconciliation(broker, cause), cancellation), broker, cause);
        await queue.Writer.WriteAsync(sweep, cancellation);
        return sweep;
    }

    public ChannelReader<PlannedSweep> PlannedFor(string broker) => QueueOf(broker).Reader;

    /// <summary>Asks for looks at single devices.</summary>
    /// <returns>False if there are too many already: a sweep is due.</returns>
    public bool TryAsk(IReadOnlyList<ClientId> clients)
    {
        foreach (var client in clients)
            if (!doubtful.Writer.TryWrite(client)) return false;
        return true;
    }

    public ChannelReader<ClientId> Doubtful => doubtful.Reader;

    private Channel<PlannedSweep> QueueOf(string broker) => planned.GetOrAdd(broker, _ => Channel.CreateUnbounded<PlannedSweep>());
}
