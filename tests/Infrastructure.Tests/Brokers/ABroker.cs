using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Infrastructure.Brokers;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>The product's side of a <see cref="FakeEmqx"/>.</summary>
internal static class ABroker
{
    public static readonly DateTimeOffset T1 = new(2026, 3, 1, 12, 0, 0, 123, TimeSpan.Zero);

    public static EmqxBroker Of(FakeEmqx emqx, Action<BrokerOptions>? change = null, TimeProvider? time = null, int? maxPages = null)
    {
        var options = new BrokerOptions { Url = emqx.Address.AbsoluteUri, ApiKey = FakeEmqx.ApiKey, ApiSecret = FakeEmqx.ApiSecret, Timeout = TimeSpan.FromMinutes(1) };
        change?.Invoke(options);
        return maxPages is null ? new(options, time ?? TimeProvider.System) : new(options, time ?? TimeProvider.System) { MaxPages = maxPages.Value };
    }

    public static FakeEmqxVersion Version(string number) =>
        new[] { FakeEmqx.V4, FakeEmqx.V51, FakeEmqx.V53, FakeEmqx.V5, FakeEmqx.V6 }.Single(version => version.Number == number);

    public static async Task<List<ListedClient>> ClientsAsync(this IBroker broker)
    {
        var clients = new List<ListedClient>();
        await foreach (var page in broker.ConnectedAsync(CancellationToken.None)) clients.AddRange(page.Clients);
        return clients;
    }

    public static async Task<List<string>> IdsAsync(this IBroker broker) => [.. (await broker.ClientsAsync()).Select(client => client.Id.Value)];

    public static Task<ListedClient?> FindAsync(this IBroker broker, string id) => broker.FindAsync(new ClientId(id), CancellationToken.None);

    public static Task<BrokerCondition> ConditionAsync(this IBroker broker) => broker.ConditionAsync(CancellationToken.None);
}
