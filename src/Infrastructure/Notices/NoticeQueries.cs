using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Notices;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Notices;

internal sealed class NoticeQueries(Database database) : IQueryHandler<ListNotices, Page<NoticeView>>
{
    private const string Newest = $"""
        SELECT notice_no, {NoticeRow.Columns} FROM notices
        WHERE state <> 0 AND (@Rule IS NULL OR rule = @Rule) AND (@state IS NULL OR state = @state) AND (since, notice_no) < (@Since, @No)
        ORDER BY since DESC, notice_no DESC LIMIT @limit
        """;

    public Task<Page<NoticeView>> Handle(ListNotices query, CancellationToken cancellationToken)
    {
        var place = Cursor.Read<Place>(query.Page.Cursor) ?? new(long.MaxValue, long.MaxValue);
        var state = query.States.Count == 1 ? query.States[0] : (NoticeState?)null;
        using var connection = database.OpenForReading();
        var rows = connection.Query<NumberedRow>(Newest, new { query.Rule, state, place.Since, place.No, limit = query.Page.Limit + 1 }).AsList();
        var items = rows.Take(query.Page.Limit).Select(row => row.ToView()).ToList();
        return Task.FromResult(new Page<NoticeView>(items, rows.Count > items.Count ? Cursor.Of(new Place(rows[items.Count - 1].Since!.Value, rows[items.Count - 1].NoticeNo)) : null));
    }

    private sealed record NumberedRow : NoticeRow
    {
        public long NoticeNo { get; init; }
    }

    private sealed record Place([property: JsonRequired] long Since, [property: JsonRequired] long No);
}
