using MediatR;
using WebhookService.Domain;

namespace WebhookService.Application.Brokers;

/// <summary>No configured broker can be told to do it. The message says what to do.</summary>
/// <param name="isAmbiguous">There are several, and none has the client.</param>
public sealed class NoBrokerException(string message, bool isAmbiguous) : Exception(message)
{
    public bool IsAmbiguous { get; } = isAmbiguous;
}

/// <summary>Finds the broker of a client: by the node of its session, and where that tells not, by asking.</summary>
public sealed class BrokerChoice(BrokerWatch watch, IMediator mediator)
{
    /// <summary>The broker through which a client is reached.</summary>
    /// <exception cref="NoBrokerException">There is none, or no telling which.</exception>
    /// <exception cref="BrokerException">One that may have the client could not be asked, and no other has it.</exception>
    public async Task<IBroker> OfAsync(ClientId client, CancellationToken cancellation)
    {
        var brokers = await CandidatesAsync(client, cancellation);
        if (brokers.Count == 1) return brokers[0];

        IBroker? waiting = null;
        BrokerException? unasked = null;
        foreach (var broker in brokers)
        {
            try
            {
                if (await broker.FindAsync(client, cancellation) is not { } found) continue;
                if (found.Connected) return broker;
                waiting ??= broker;
            }
            catch (BrokerException failed)
            {
                unasked ??= failed;
            }
        }
        return waiting ?? throw (Exception?)unasked ?? new NoBrokerException(
            $"None of the brokers {string.Join(", ", brokers.Select(broker => broker.Name))} has a session of '{client}', so there is no telling through which to reach it.", isAmbiguous: true);
    }

    /// <summary>The brokers that may have the client.</summary>
    /// <exception cref="NoBrokerException">There is none.</exception>
    public async Task<IReadOnlyList<IBroker>> CandidatesAsync(ClientId client, CancellationToken cancellation)
    {
        if (watch.Brokers.Count == 0) throw new NoBrokerException("No broker is configured that could be told.", isAmbiguous: false);
        if (watch.Brokers.Count == 1) return watch.Brokers;

        var known = await mediator.Send(new GetKnownConnections([client]), cancellation);
        var owners = watch.OwnersOf(known.GetValueOrDefault(client.Value)?.Node).ToList();
        return owners.Count > 0 ? owners : watch.Brokers;
    }
}
