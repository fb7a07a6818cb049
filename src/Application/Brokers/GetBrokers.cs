using MediatR;
using WebhookService.Application.Common;
using WebhookService.Domain.Brokers;

namespace WebhookService.Application.Brokers;

/// <summary>The brokers that are configured, and the nodes that reports came from.</summary>
public sealed record GetBrokers : IQuery<BrokersView>;

/// <summary>The nodes that reports came from, as they were last written.</summary>
public sealed record ListBrokerNodes : IQuery<IReadOnlyList<BrokerNode>>;

public sealed record BrokersView(IReadOnlyList<BrokerView> Brokers, IReadOnlyList<BrokerNodeView> Nodes);

/// <param name="Reachable">Null until it was asked for the first time.</param>
/// <param name="Problem">Why it could not be asked, and what to do.</param>
/// <param name="LostWebhooks">What it counted as failed or dropped since it started; null where it does not tell.</param>
/// <param name="Running">The number of the sweep under way.</param>
public sealed record BrokerView(
    string Name, bool? Reachable, string? Problem, string? Version, double? ClockOffsetSeconds, long? LostWebhooks, DateTimeOffset? CheckedAt,
    DateTimeOffset? ListedAt, DateTimeOffset? NextSweepAt, bool Holding, long? Running, ReconciliationView? Last);

/// <param name="Broker">The configured broker whose node it is; null if none claims it.</param>
/// <param name="Dialect">How its reports name sessions; null while it has not reported an end.</param>
/// <param name="Running">What its broker says of it; null if nobody says.</param>
public sealed record BrokerNodeView(
    string Name, string? Broker, Dialect? Dialect, DateTimeOffset? DialectSince, DateTimeOffset? HeardAt, bool? Running, string? Version, long? Connections);

internal sealed class GetBrokersHandler(BrokerWatch watch, IMediator mediator) : IQueryHandler<GetBrokers, BrokersView>
{
    public async Task<BrokersView> Handle(GetBrokers request, CancellationToken cancellationToken)
    {
        var brokers = new List<BrokerView>();
        var nodes = (await mediator.Send(new ListBrokerNodes(), cancellationToken)).ToDictionary(
            node => node.Name,
            node => new BrokerNodeView(node.Name, null, node.Dialect, node.Since, node.HeardAt, null, null, null));
        foreach (var broker in watch.Brokers)
        {
            var (state, condition) = (watch.Of(broker), watch.Of(broker).Condition);
            var last = (await mediator.Send(new ListReconciliations(broker.Name, new(1, null)), cancellationToken)).Items;
            brokers.Add(new(
                broker.Name, state.CheckedAt is null ? null : state.Problem is null, state.Problem, condition?.Version, condition?.ClockOffset.TotalSeconds,
                condition?.Lost, state.CheckedAt, state.ListedAt, state.NextSweepAt, state.IsHolding, state.Running, last.Count > 0 ? last[0] : null));
            foreach (var name in nodes.Keys.Where(name => nodes[name].Broker is null && name.Length > 0 && broker.Owns(name)).ToList())
                nodes[name] = nodes[name] with { Broker = broker.Name };
            foreach (var said in condition?.Nodes ?? [])
                nodes[said.Name] = (nodes.GetValueOrDefault(said.Name) ?? new(said.Name, broker.Name, null, null, null, null, null, null)) with
                {
                    Running = said.Running,
                    Version = said.Version,
                    Connections = said.Connections,
                };
        }
        return new(brokers, [.. nodes.Values.OrderBy(node => node.Name, StringComparer.Ordinal)]);
    }
}
