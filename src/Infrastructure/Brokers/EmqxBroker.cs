using System.IO.Enumeration;
using System.Net;
using System.Runtime.CompilerServices;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>An EMQX broker or cluster, asked through the management API of its generation.</summary>
internal sealed class EmqxBroker : IBroker, IDisposable
{
    private readonly BrokerOptions options;
    private readonly EmqxHttp http;
    private readonly EmqxApi v4;
    private readonly EmqxApi v5;
    private volatile EmqxApi? known;

    public EmqxBroker(BrokerOptions options, TimeProvider time)
    {
        this.options = options;
        http = new(options, time);
        (v4, v5) = (new EmqxApiV4(http, options, time), new EmqxApiV5(http, options));
        known = options.Version switch { "4" => v4, "5" => v5, _ => null };
    }

    public string Name => options.Name;

    /// <summary>A list that is still not at its end then has none.</summary>
    public int MaxPages { get; init; } = 100_000;

    public bool Owns(string node) => node.Length == 0 || FileSystemName.MatchesSimpleExpression(options.Nodes, node, ignoreCase: false);

    public async IAsyncEnumerable<ClientPage> ConnectedAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var number = 1; number <= MaxPages; number++)
        {
            var asked = number;
            var (page, isLast) = await AskAsync(api => api.PageAsync(asked, cancellation), cancellation);
            yield return page;
            if (isLast) yield break;
        }
        throw http.Failure("…/clients", $"was answered {MaxPages} times with a page and the promise of another",
            $"Raise {options.Path}:PageSize; if it is large already, something between us and the broker repeats answers");
    }

    public Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation) => AskAsync(api => api.FindAsync(client, cancellation), cancellation);

    public Task<BrokerCondition> ConditionAsync(CancellationToken cancellation) => AskAsync(api => api.ConditionAsync(cancellation), cancellation);

    public async Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation)
    {
        try
        {
            known ??= await GenerationAsync(cancellation);
        }
        catch (BrokerException failed) when (failed.Fault is BrokerFault.Unclear)
        {
            throw new BrokerException(failed.Message, failed) { Fault = BrokerFault.NotReached }; // it was only asked how it wants to be told
        }
        return await AskAsync(api => api.PublishAsync(order, cancellation), cancellation);
    }

    public Task<bool> KickAsync(ClientId client, CancellationToken cancellation) => AskAsync(api => api.KickAsync(client, cancellation), cancellation);

    public void Dispose() => http.Dispose();

    private async Task<T> AskAsync<T>(Func<EmqxApi, Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            return await ask(known ??= await GenerationAsync(cancellation));
        }
        catch (BrokerException) when (options.Version is BrokerOptions.Auto)
        {
            known = null; // it may have been upgraded
            throw;
        }
    }

    private async Task<EmqxApi> GenerationAsync(CancellationToken cancellation)
    {
        using var five = await http.GetAsync(EmqxApiV5.NodesPath, cancellation);
        if (five.Status is not HttpStatusCode.NotFound)
        {
            _ = five.Json; // any other status is no answer at all
            return v5;
        }
        using var four = await http.GetAsync(EmqxApiV4.NodesPath, cancellation);
        if (four.Status is HttpStatusCode.NotFound)
            throw http.Failure(EmqxApiV5.NodesPath, $"was answered 404, and so was {EmqxApiV4.NodesPath}",
                $"Check that {options.Path}:Url is the address of EMQX's management API (usually port 18083; 8081 in 4.x)");
        _ = four.Json;
        return v4;
    }
}

/// <summary>The configured brokers.</summary>
internal sealed class EmqxBrokers(IEnumerable<BrokerOptions> brokers, TimeProvider time) : IDisposable
{
    public IReadOnlyList<IBroker> All { get; } = [.. brokers.Select(broker => new EmqxBroker(broker, time))];

    public void Dispose()
    {
        foreach (var broker in All.OfType<IDisposable>()) broker.Dispose();
    }
}
