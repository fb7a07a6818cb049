using System.Buffers.Binary;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Answers what is asked about messages.</summary>
internal sealed class MessageQueries(Database database, StreamMessages streamMessages) :
    IQueryHandler<ListMessages, Page<MessageView>>,
    IQueryHandler<GetMessage, MessageDetailsView?>
{
    /// <summary>A page ends before its payloads are larger than this, whatever its limit: 1,000 payloads of a megabyte are no page.</summary>
    private const long MostPayloadBytes = 8 * 1024 * 1024;

    /// <summary>So many messages one page looks at where qos or status decide on each: some tens of milliseconds.</summary>
    private const int MostLookedUp = 5_000;

    public Task<Page<MessageView>> Handle(ListMessages query, CancellationToken cancellationToken)
    {
        using var index = streamMessages.Reader();
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true); // retention removes what was found but not yet read
        var scan = new MessageScan(connection, index, query, Cursor.Read<Place>(query.Page.Cursor));
        return Task.FromResult(Read(connection, query, scan, cancellationToken));
    }

    internal static Page<MessageView> Read(SqliteConnection connection, ListMessages query, MessageScan scan, CancellationToken cancellation)
    {
        var (items, last, bytes, lookedUp) = (new List<MessageView>(), (Place?)null, 0L, 0);
        var picky = query.Qos.Count + query.Status.Count > 0;
        foreach (var places in scan.Places().Chunk(picky ? 500 : Math.Min(query.Page.Limit + 1, 1000)))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var row in Rows(connection, query, places))
            {
                if (items.Count == query.Page.Limit || (bytes + row.Payload.Length > MostPayloadBytes && items.Count > 0))
                    return new(items, Cursor.Of(last!));
                items.Add(row.ToView());
                last = row.Place;
                bytes += row.Payload.Length;
            }
            lookedUp += places.Length;
            if (lookedUp >= MostLookedUp) return new(items, Cursor.Of(places[^1]));
        }
        return new(items, scan.StoppedAt is { } stop ? Cursor.Of(stop) : null);
    }

    private static IEnumerable<MessageRow> Rows(SqliteConnection connection, ListMessages query, Place[] places)
    {
        var qos = query.Qos.Count > 0 ? $"AND m.qos IN ({string.Join(',', query.Qos)})" : "";
        var status = query.Status.Count > 0 ? $"AND m.status IN ({string.Join(',', query.Status.Select(MessageRow.StatusCode))})" : "";
        return connection.Query<MessageRow>(
            $"""
            SELECT {MessageRow.Columns}
            FROM json_each(@places) p CROSS JOIN messages m ON m.message_no = p.value
            CROSS JOIN clients c ON c.client_no = m.client_no CROSS JOIN topics t ON t.topic_no = m.topic_no
            WHERE TRUE {qos} {status}
            """,
            new { places = "[" + string.Join(',', places.Select(place => place.No)) + "]" },
            buffered: false);
    }

    public Task<MessageDetailsView?> Handle(GetMessage query, CancellationToken cancellationToken)
    {
        const string Find = $"""
            SELECT {MessageRow.Columns}, m.username, m.properties, m.dropped_at, m.drop_reason
            FROM messages m CROSS JOIN clients c ON c.client_no = m.client_no CROSS JOIN topics t ON t.topic_no = m.topic_no
            WHERE m.message_no = ({MessageIndexes.NumberOf})
            """;
        const string Deliveries = """
            SELECT c.client_id, d.delivered_at, d.acked_at, d.dropped_at, d.drop_reason, d.redelivered
            FROM deliveries d CROSS JOIN clients c ON c.client_no = d.client_no
            WHERE d.message_no = @MessageNo ORDER BY d.client_no LIMIT @most
            """;
        const string Count = "SELECT count(*) FROM deliveries WHERE message_no = @MessageNo";

        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var id = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(id, query.Id.Value);
        if (connection.QuerySingleOrDefault<MessageRow>(Find, new { id }, snapshot) is not { } row) return Task.FromResult<MessageDetailsView?>(null);

        var deliveries = connection.Query<DeliveryRow>(Deliveries, new { row.MessageNo, most = GetMessage.MostDeliveries }, snapshot).Select(delivery => delivery.ToView()).ToList();
        var count = deliveries.Count < GetMessage.MostDeliveries ? deliveries.Count : connection.ExecuteScalar<long>(Count, new { row.MessageNo }, snapshot);
        return Task.FromResult<MessageDetailsView?>(row.ToDetails(count, deliveries));
    }

    private sealed class DeliveryRow
    {
        public required string ClientId { get; init; }
        public long? DeliveredAt { get; init; }
        public long? AckedAt { get; init; }
        public long? DroppedAt { get; init; }
        public string? DropReason { get; init; }
        public bool Redelivered { get; init; }

        public DeliveryView ToView() => new(ClientId, DeliveredAt.ToTime(), AckedAt.ToTime(), DroppedAt.ToTime(), DropReason, Redelivered);
    }
}

/// <summary>A row of `messages` with the names it refers to.</summary>
internal sealed class MessageRow
{
    public const string Columns =
        "m.message_no, m.id, c.client_id, t.topic, m.qos, m.retain, m.published_at, m.received_at, m.status, m.kind, m.payload";

    public long MessageNo { get; init; }
    public required byte[] Id { get; init; }
    public required string ClientId { get; init; }
    public required string Topic { get; init; }
    public int Qos { get; init; }
    public bool Retain { get; init; }
    public long PublishedAt { get; init; }
    public long ReceivedAt { get; init; }
    public int Status { get; init; }
    public int Kind { get; init; }
    public required byte[] Payload { get; init; }
    public string? Username { get; init; }
    public string? Properties { get; init; }
    public long? DroppedAt { get; init; }
    public string? DropReason { get; init; }

    public Place Place => new(PublishedAt, MessageNo);
    public string IdText => IdOf(Id);
    public PayloadView PayloadView => PayloadView.Of(Payload, (PayloadKind)Kind);

    public static string IdOf(byte[] id) => new MessageId(BinaryPrimitives.ReadUInt128BigEndian(id)).ToString();

    /// <summary>The number under which a status is stored.</summary>
    public static int StatusCode(MessageStatus status) => (int)status;

    public MessageView ToView() => new()
    {
        Id = IdText,
        ClientId = ClientId,
        Topic = Topic,
        Qos = Qos,
        Retain = Retain,
        PublishedAt = PublishedAt.ToTime(),
        ReceivedAt = ReceivedAt.ToTime(),
        Payload = PayloadView,
        Status = (MessageStatus)Status,
    };

    public MessageDetailsView ToDetails(long deliveryCount, IReadOnlyList<DeliveryView> deliveries) => new()
    {
        Id = IdText,
        ClientId = ClientId,
        Topic = Topic,
        Qos = Qos,
        Retain = Retain,
        PublishedAt = PublishedAt.ToTime(),
        ReceivedAt = ReceivedAt.ToTime(),
        Payload = PayloadView,
        Status = (MessageStatus)Status,
        Username = Username,
        Properties = Properties is null ? null : new RawJson(Properties),
        DroppedAt = DroppedAt.ToTime(),
        DropReason = DropReason,
        DeliveryCount = deliveryCount,
        Deliveries = deliveries,
    };
}
