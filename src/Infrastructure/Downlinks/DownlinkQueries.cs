using System.Globalization;
using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Downlinks;
using WebhookService.Application.Messages;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Downlinks;

/// <summary>Answers what is asked about messages to devices.</summary>
internal sealed class DownlinkQueries(Database database) : IQueryHandler<GetDownlink, DownlinkView?>, IQueryHandler<ListDownlinks, Page<DownlinkView>>
{
    /// <summary>A page ends before its payloads are larger than this, whatever its limit.</summary>
    private const long MostPayloadBytes = 8 * 1024 * 1024;

    public Task<DownlinkView?> Handle(GetDownlink request, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult(connection.QuerySingleOrDefault<DownlinkRow>(
            $"SELECT {DownlinkRow.Columns} FROM downlinks d CROSS JOIN clients c ON c.client_no = d.client_no WHERE d.downlink_no = @Id", request) is { } row ? View(row) : null);
    }

    public Task<Page<DownlinkView>> Handle(ListDownlinks request, CancellationToken cancellationToken)
    {
        var before = Cursor.Read<Place>(request.Page.Cursor)?.No ?? long.MaxValue;
        using var connection = database.OpenForReading();
        var rows = connection.Query<DownlinkRow>(
            $"""
            SELECT {DownlinkRow.Columns} FROM downlinks d CROSS JOIN clients c ON c.client_no = d.client_no
            WHERE d.downlink_no < @before
              {(request.Client is null ? "" : "AND d.client_no = (SELECT client_no FROM clients WHERE client_id = @client)")}
              {(request.Status.Count == 0 ? "" : $"AND d.status IN ({string.Join(',', request.Status.Select(status => $"'{Words.Of(status)}'"))})")}
            ORDER BY d.downlink_no DESC LIMIT @limit
            """,
            new { before, client = request.Client?.Value, limit = request.Page.Limit + 1L }, buffered: false);
        var (items, bytes, last) = (new List<DownlinkView>(), 0L, 0L);
        foreach (var row in rows)
        {
            bytes += row.Payload.Length;
            if (items.Count == request.Page.Limit || (bytes > MostPayloadBytes && items.Count > 0))
                return Task.FromResult(new Page<DownlinkView>(items, Cursor.Of(new Place(last))));
            items.Add(View(row));
            last = row.DownlinkNo;
        }
        return Task.FromResult(new Page<DownlinkView>(items, null));
    }

    private static DownlinkView View(DownlinkRow row) => new()
    {
        Id = row.DownlinkNo.ToString(CultureInfo.InvariantCulture),
        ClientId = row.ClientId,
        Status = Words.Read<DownlinkStatus>(row.Status),
        Finished = row.Finished,
        Topic = row.Topic,
        Qos = (int)row.Qos,
        Retain = row.Retain,
        Payload = PayloadView.Of(row.Payload, (PayloadKind)row.Kind),
        ExpirySeconds = row.Expiry,
        Properties = row.ReadProperties(),
        Broker = row.Broker,
        MessageId = (DownlinkRow.Id(row.RecordedId) ?? DownlinkRow.Id(row.GivenId))?.ToString(),
        Match = row.Match is null ? null : Words.Read<DownlinkMatch>(row.Match),
        AcceptedAt = row.AcceptedAt.ToTime(),
        AnsweredAt = row.AnsweredAt.ToTime(),
        DeliveredAt = row.DeliveredAt.ToTime(),
        AckedAt = row.AckedAt.ToTime(),
        DroppedAt = row.DroppedAt.ToTime(),
        DropReason = row.DropReason,
        Deadline = (row.AcceptedAt + row.Timeout).ToTime(),
        Late = row.TimedOutAt is not null,
        Problem = row.Problem,
        IdempotencyKey = row.Key,
    };

    private sealed record Place([property: JsonRequired] long No);
}
