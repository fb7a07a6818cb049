using Dapper;
using WebhookService.Application.Common;
using WebhookService.Domain.Brokers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>A handful of nodes, all kept in memory: they are looked up with every end of a connection.</summary>
internal sealed class BrokerNodeRepository : IBrokerNodeRepository, IUnitOfWorkPart
{
    private const string Save = """
        INSERT INTO broker_nodes (node, dialect, since, heard_at) VALUES (@Node, @Dialect, @Since, @HeardAt)
        ON CONFLICT (node) DO UPDATE SET dialect = excluded.dialect, since = excluded.since, heard_at = excluded.heard_at
        """;

    /// <summary>Nodes come and go in clusters that scale; of so many nobody can want to see them.</summary>
    private const int Most = 10_000;

    private readonly UnitOfWork work;
    private Dictionary<string, BrokerNode>? nodes;

    public BrokerNodeRepository(UnitOfWork work)
    {
        this.work = work;
        work.Enlist(this);
    }

    public ValueTask<BrokerNode> OfAsync(string name, CancellationToken cancellation)
    {
        nodes ??= work.Connection.Query<BrokerNodeRow>(BrokerNodeRow.Select).ToDictionary(row => row.Node, row => row.ToNode());
        return ValueTask.FromResult(nodes.GetValueOrDefault(name) ?? new BrokerNode(name));
    }

    public ValueTask SaveAsync(BrokerNode node, CancellationToken cancellation)
    {
        if (!nodes!.ContainsKey(node.Name) && nodes.Count >= Most) return ValueTask.CompletedTask;
        nodes[node.Name] = node;
        work.Connection.Execute(Save, new BrokerNodeRow { Node = node.Name, Dialect = Words.Of(node.Dialect), Since = node.Since.ToMs(), HeardAt = node.HeardAt!.Value.ToMs() });
        return ValueTask.CompletedTask;
    }

    public void Flush() { } // written as they come, which is seldom

    public void Forget() => nodes = null;

    public void Committed() { }
}

internal sealed record BrokerNodeRow
{
    public const string Select = "SELECT node, dialect, since, heard_at FROM broker_nodes ORDER BY node";

    public string Node { get; init; } = "";
    public string Dialect { get; init; } = "";
    public long Since { get; init; }
    public long HeardAt { get; init; }

    public BrokerNode ToNode() => BrokerNode.Restore(Node, Words.Read<Dialect>(Dialect), Since.ToTime(), HeardAt.ToTime());
}
