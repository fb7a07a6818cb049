using System.Buffers.Binary;
using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Tests.Retention;

/// <summary>A store whose clock the test moves, with the words of these tests.</summary>
internal sealed class ARetention : IAsyncDisposable
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private int peers;

    private ARetention(AStore store, AClock clock) => (Store, Clock) = (store, clock);

    public AStore Store { get; private set; }

    public AClock Clock { get; }

    public DateTimeOffset Now => Clock.GetUtcNow();

    public static async Task<ARetention> OpenAsync(params (string Key, string Value)[] settings)
    {
        var clock = new AClock(Noon);
        return new(await AStore.OpenAsync(clock, Named(settings)), clock);
    }

    public async Task RestartAsync(Action? meanwhile = null, params (string Key, string Value)[] settings) => Store = await Store.RestartAsync(meanwhile, Named(settings));

    /// <summary>Lets the worker do all there is to do.</summary>
    public Task RoundAsync() => Store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);

    /// <summary>What was sent so far is known to be here at this time.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        await RoundAsync();
        Clock.Advance(time);
        await RoundAsync();
    }

    public Task<Outcome> PublishAsync(int id, string client = "c", string topic = "t", DateTimeOffset? at = null, int bytes = 1) =>
        Store.SendAsync(new RecordMessagePublished(Content(id, client, topic, at ?? Now, bytes), null, true, Now));

    public Task<Outcome> DeliverAsync(int id, string receiver, string client = "c", string topic = "t", DateTimeOffset? at = null) =>
        Store.SendAsync(new RecordMessageDelivered(Content(id, client, topic, at ?? Now, 1), new ClientId(receiver), Now, null, false, Now));

    public Task<Outcome> ReportAsync(DateTimeOffset? at = null) => Store.SendAsync(new RecordReport("shop.paid", null, null, false, at ?? Now, "{}", Now));

    /// <summary>A session from now until so much later, which is then now.</summary>
    public async Task SessionAsync(string client, TimeSpan length)
    {
        await ConnectAsync(client);
        Clock.Advance(length);
        await Store.SendAsync(new RecordClientDisconnected(new ClientId(client), "n1", Now - length, $"10.0.0.1:{peers}", Now, "tcp_closed", null, Now));
    }

    public Task<Outcome> ConnectAsync(string client) => Store.SendAsync(new RecordClientConnected(
        new ClientId(client), "n1", Now, $"10.0.0.1:{++peers}", new ConnectionDetails { Ip = "10.0.0.1", Port = peers }, Now));

    /// <summary>The ids of those that are kept, in the order in which they came.</summary>
    public IReadOnlyList<int> Messages =>
        [.. Store.Query<byte[]>("SELECT id FROM messages ORDER BY message_no").Select(id => (int)BinaryPrimitives.ReadUInt128BigEndian(id))];

    public long Count(string table) => Store.Query<long>($"SELECT count(*) FROM {table}").Single();

    public ValueTask DisposeAsync() => Store.DisposeAsync();

    private static MessageContent Content(int id, string client, string topic, DateTimeOffset at, int bytes) =>
        new(new MessageId((UInt128)id), new ClientId(client), true, null, topic, 0, false, at, Payload.OfText(new byte[bytes]), null);

    private static (string, string)[] Named((string Key, string Value)[] settings) =>
        [.. settings.Select(one => (one.Key.Split(':')[0] is "Presence" or "Notices" or "Handlers" ? one.Key : $"Retention:{one.Key}", one.Value))];
}
