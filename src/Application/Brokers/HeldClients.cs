using WebhookService.Domain;

namespace WebhookService.Application.Brokers;

/// <summary>Clients that a sweep missed together with too many others to believe it, each since when.</summary>
public sealed class HeldClients(IEnumerable<(ClientId Client, DateTimeOffset Since)> clients)
{
    public static readonly HeldClients None = new([]);

    private readonly Dictionary<ulong, DateTimeOffset> since = clients.ToDictionary(one => ClientIdSet.Hash(one.Client.Value), one => one.Since);

    public DateTimeOffset? Since(string client) => since.TryGetValue(ClientIdSet.Hash(client), out var held) ? held : null;
}
