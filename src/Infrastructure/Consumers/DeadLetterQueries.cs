using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Consumers;

internal sealed class DeadLetterQueries(Database database) :
    IQueryHandler<ListDeadLetters, Page<DeadLetterView>>,
    IQueryHandler<CountDeadLetters, IReadOnlyDictionary<string, long>>,
    IQueryHandler<FindFirstEventSince, long>
{
    private const string Newest = """
        SELECT id, seq, type, at, client, attempts, reason, detail, failed_at FROM dead_letters
        WHERE consumer = @Consumer AND id < @before ORDER BY id DESC LIMIT @limit
        """;

    private const string Counts = "SELECT consumer, count(*) FROM dead_letters GROUP BY consumer";
    private const string FirstSince = "SELECT seq FROM journal WHERE at >= @time ORDER BY seq LIMIT 1";

    public Task<Page<DeadLetterView>> Handle(ListDeadLetters query, CancellationToken cancellationToken)
    {
        var before = Cursor.Read<IdPlace>(query.Page.Cursor)?.Id ?? long.MaxValue;
        using var connection = database.OpenForReading();
        var rows = connection.Query<Row>(Newest, new { query.Consumer, before, limit = query.Page.Limit + 1 }).AsList();
        var items = rows.Take(query.Page.Limit).Select(row => row.ToView()).ToList();
        return Task.FromResult(new Page<DeadLetterView>(items, rows.Count > items.Count ? Cursor.Of(new IdPlace(items[^1].Id)) : null));
    }

    public Task<IReadOnlyDictionary<string, long>> Handle(CountDeadLetters query, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult<IReadOnlyDictionary<string, long>>(connection.Query<(string Consumer, long Count)>(Counts).ToDictionary(row => row.Consumer, row => row.Count));
    }

    public Task<long> Handle(FindFirstEventSince query, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult(
            connection.ExecuteScalar<long?>(FirstSince, new { time = query.Time.ToMs() }) ?? connection.ExecuteScalar<long>(Journal.Journal.ReadHead) + 1);
    }

    private sealed record IdPlace([property: JsonRequired] long Id);

    private sealed class Row
    {
        public long Id { get; init; }
        public long Seq { get; init; }
        public string Type { get; init; } = "";
        public long At { get; init; }
        public string? Client { get; init; }
        public int Attempts { get; init; }
        public string Reason { get; init; } = "";
        public string Detail { get; init; } = "";
        public long FailedAt { get; init; }

        public DeadLetterView ToView() => new()
        {
            Id = Id,
            Seq = Seq,
            Type = Type,
            At = At.ToTime(),
            ClientId = Client,
            Attempts = Attempts,
            Reason = Reason,
            Detail = Detail,
            FailedAt = FailedAt.ToTime(),
        };
    }
}
