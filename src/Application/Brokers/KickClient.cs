using MediatR;
using WebhookService.Domain;

namespace WebhookService.Application.Brokers;

/// <summary>
/// Has the client's broker end its connection, and its session with it: what waits for the client in the session is lost. Presence follows from the
/// broker's reports, as always.
/// </summary>
/// <returns>False if no broker knows the client.</returns>
/// <exception cref="NoBrokerException">There is no broker to tell.</exception>
/// <exception cref="BrokerException">A broker that may have the client could not be told.</exception>
public sealed record KickClient(ClientId Client) : IRequest<bool>;

internal sealed class KickClientHandler(BrokerChoice choice) : IRequestHandler<KickClient, bool>
{
    public async Task<bool> Handle(KickClient request, CancellationToken cancellationToken)
    {
        var kicked = false;
        BrokerException? untold = null;
        foreach (var broker in await choice.CandidatesAsync(request.Client, cancellationToken))
        {
            try
            {
                kicked |= await broker.KickAsync(request.Client, cancellationToken);
            }
            catch (BrokerException failed)
            {
                untold ??= failed;
            }
        }
        return kicked || (untold is null ? false : throw untold);
    }
}
