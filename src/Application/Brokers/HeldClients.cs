using WebhookService.Domain;

namespace WebhookService.Application.Brokers;

/// <summary>Clients that a sweep missed together with too many others to believe it, each since when.</summary>
public sealed class HeldClients
{
    public static readonly HeldClients None = new([]);

    private readonly Dictionary<ulong, DateTimeOffset> since = [];

    public HeldClients(IEnumerable<(ClientId Client, DateTimeOffset Since)> clients)
    {
        foreach (var (client, held) in clients) since[ClientIdSet.Hash(client.Value)] = held;
    }

    public DateTimeOffset? Since(string client) => since.TryGetValue(ClientIdSet.Hash(client), out var held) ? held : null;
}
