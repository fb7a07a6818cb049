using System.Text.Json;
using Dapper;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Brokers;

internal sealed class BrokerQueries(Database database, ActivityLog activity) :
    IQueryHandler<GetKnownConnections, IReadOnlyDictionary<string, KnownConnection>>,
    IQueryHandler<ListOnline, IReadOnlyList<KnownConnection>>,
    IQueryHandler<ListReconciliations, Page<ReconciliationView>>,
    IQueryHandler<GetReconciliation, ReconciliationView?>,
    IQueryHandler<ListBrokerNodes, IReadOnlyList<BrokerNode>>
{
    private const string Known =
        "SELECT d.client_id, d.status, d.confidence, nullif(d.node, '') AS node, d.connected_at, a.sign_at FROM devices d JOIN device_activity a ON a.client_no = d.client_no";

    public Task<IReadOnlyDictionary<string, KnownConnection>> Handle(GetKnownConnections request, CancellationToken cancellationToken)
    {
        var asked = JsonSerializer.Serialize(request.Clients.Select(client => client.Value));
        return Task.FromResult<IReadOnlyDictionary<string, KnownConnection>>(
            Read("WHERE d.client_id IN (SELECT value FROM json_each(@asked))", new { asked }).ToDictionary(known => known.ClientId, StringComparer.Ordinal));
    }

    public Task<IReadOnlyList<KnownConnection>> Handle(ListOnline request, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<KnownConnection>>(
        Read(
            $"WHERE d.status = {(int)ConnectivityStatus.Online} AND d.client_id > @after ORDER BY d.client_id LIMIT @limit",
            new { after = request.After ?? "", limit = request.Limit }));

    public Task<Page<ReconciliationView>> Handle(ListReconciliations request, CancellationToken cancellationToken)
    {
        var before = Cursor.Read<Place>(request.Page.Cursor)?.No ?? long.MaxValue;
        using var connection = database.OpenForReading();
        var rows = connection.Query<ReconciliationRow>(
            $"""
            SELECT {ReconciliationRow.Columns} FROM reconciliations
            WHERE reconciliation_no < @before AND (@Broker IS NULL OR broker = @Broker)
            ORDER BY reconciliation_no DESC LIMIT @limit
            """,
            new { before, request.Broker, limit = request.Page.Limit + 1 }).AsList();
        var items = rows.Take(request.Page.Limit).Select(row => row.ToView()).ToList();
        return Task.FromResult(new Page<ReconciliationView>(items, rows.Count > items.Count ? Cursor.Of(new Place(items[^1].Id)) : null));
    }

    public Task<ReconciliationView?> Handle(GetReconciliation request, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult(connection.QuerySingleOrDefault<ReconciliationRow>(
            $"SELECT {ReconciliationRow.Columns} FROM reconciliations WHERE reconciliation_no = @Id", request)?.ToView());
    }

    public Task<IReadOnlyList<BrokerNode>> Handle(ListBrokerNodes request, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult<IReadOnlyList<BrokerNode>>([.. connection.Query<BrokerNodeRow>(BrokerNodeRow.Select).Select(row => row.ToNode())]);
    }

    private List<KnownConnection> Read(string where, object parameters) => activity.ReadTogether<List<KnownConnection>>(() =>
    {
        using var connection = database.OpenForReading();
        return [.. connection.Query<KnownRow>($"{Known} {where}", parameters).Select(row => row.ToConnection(activity.Find(row.ClientId)?.SignAt))];
    });

    private sealed record Place(long No);

    private sealed class KnownRow
    {
        public string ClientId { get; init; } = "";
        public long Status { get; init; }
        public long Confidence { get; init; }
        public string? Node { get; init; }
        public long? ConnectedAt { get; init; }
        public long? SignAt { get; init; }

        /// <param name="newerSign">What is not in the table yet.</param>
        public KnownConnection ToConnection(long? newerSign) => new(
            ClientId, (ConnectivityStatus)Status, (Confidence)Confidence, Node, ConnectedAt.ToTime(), (newerSign > (SignAt ?? long.MinValue) ? newerSign : SignAt).ToTime());
    }
}
