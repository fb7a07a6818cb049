using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Sessions;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>A broker whose clients a test connects and disconnects, and whose API lies as it is told. What its own tests cover is left out: HTTP.</summary>
internal sealed class ScriptedBroker(string name = "emqx", string nodes = "n") : IBroker
{
    private readonly ConcurrentDictionary<string, ListedClient> clients = new();

    public string Name => name;
    public int Lists { get; private set; }
    public ConcurrentQueue<string> Asked { get; } = new();

    public int PageSize { get; init; } = 10;

    /// <summary>Clients that the list leaves out though they are connected.</summary>
    public Func<string, bool> Misses { get; set; } = _ => false;

    /// <summary>Clients that a question for them by name does not find either.</summary>
    public Func<string, bool> Denies { get; set; } = _ => false;

    /// <summary>Clients for which a question by name gets no answer.</summary>
    public Func<string, bool> Chokes { get; set; } = _ => false;

    /// <summary>What it makes of a client that it tells of.</summary>
    public Func<ListedClient, ListedClient> Tells { get; set; } = client => client;

    /// <summary>What it says of the length of its list; null for the number of those connected.</summary>
    public long? Total { get; set; }
    public bool IsDown { get; set; }
    public long? Lost { get; set; } = 0;
    public IReadOnlyList<string> Running { get; set; } = [nodes + "1", nodes + "2"];

    public TimeSpan ClockOffset { get; set; }

    /// <summary>Called before it says how it is.</summary>
    public Action BeforeCondition { get; set; } = () => { };

    /// <summary>Called before each page, with its number.</summary>
    public Func<int, Task> BeforePage { get; set; } = _ => Task.CompletedTask;

    public bool Owns(string node) => node.StartsWith(nodes, StringComparison.Ordinal);

    public ListedClient Connect(string id, DateTimeOffset at, string? node = null, string? peer = null) => clients[id] =
        new(new ClientId(id), node ?? nodes + "1", at, TimeSpan.FromMilliseconds(1), peer, new ConnectionDetails { KeepAliveSeconds = 60 }, Connected: true, null);

    public bool Has(string id) => clients.ContainsKey(id);

    public void Disconnect(string id) => clients.TryRemove(id, out _);

    /// <summary>It keeps the session of a client that left.</summary>
    public void Suspend(string id, DateTimeOffset at) => clients[id] = clients[id] with { Connected = false, DisconnectedAt = at };

    public async IAsyncEnumerable<ClientPage> ConnectedAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        Lists++;
        await Task.Yield();
        var number = 0;
        foreach (var page in clients.Values.Where(client => client.Connected && !Misses(client.Id.Value)).OrderBy(client => client.Id.Value).Chunk(PageSize))
        {
            await BeforePage(number++);
            Refuse();
            yield return new([.. page.Select(Tells)], Total);
        }
        Refuse();
    }

    public Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation)
    {
        Refuse();
        Asked.Enqueue(client.Value);
        if (Chokes(client.Value)) throw new BrokerException($"The broker says nothing of {client}.");
        return Task.FromResult(Denies(client.Value) || clients.GetValueOrDefault(client.Value) is not { } known ? null : Tells(known));
    }

    public Task<BrokerCondition> ConditionAsync(CancellationToken cancellation)
    {
        Refuse();
        BeforeCondition();
        return Task.FromResult(new BrokerCondition("5.8.9", [.. Running.Select(node => new BrokerNodeCondition(node, true, "5.8.9", null))], ClockOffset, Lost));
    }

    /// <summary>What was published, in order.</summary>
    public ConcurrentQueue<DownlinkOrder> Published { get; } = new();

    /// <summary>What it answers to a publish.</summary>
    public Func<DownlinkOrder, Task<PublishAnswer>> Takes { get; set; } = _ => Task.FromResult(new PublishAnswer(PublishResult.Taken));

    public Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation)
    {
        Refuse();
        Published.Enqueue(order);
        return Takes(order);
    }

    public Task<bool> KickAsync(ClientId client, CancellationToken cancellation)
    {
        Refuse();
        return Task.FromResult(clients.TryRemove(client.Value, out _));
    }

    private void Refuse()
    {
        if (IsDown) throw new BrokerException("The broker is down. Start it.");
    }
}
