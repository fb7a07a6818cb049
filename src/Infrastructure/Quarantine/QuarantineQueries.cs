using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Quarantine;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Quarantine;

internal sealed class ListQuarantineHandler(Database database) : IQueryHandler<ListQuarantine, Page<QuarantinedView>>
{
    private const string Newest = $"""
        SELECT {QuarantineRow.Columns} FROM quarantine
        WHERE (@Source IS NULL OR source = @Source COLLATE NOCASE) AND (@Code IS NULL OR code = @Code) AND id < @Before
        ORDER BY id DESC LIMIT @Limit
        """;

    public Task<Page<QuarantinedView>> Handle(ListQuarantine query, CancellationToken cancellationToken)
    {
        var before = Cursor.Read<After>(query.Page.Cursor)?.Id ?? long.MaxValue;
        using var connection = database.OpenForReading();
        var rows = connection.Query<QuarantineRow>(Newest, new { query.Source, query.Code, Before = before, Limit = query.Page.Limit + 1 }).AsList();
        var items = rows.Take(query.Page.Limit).Select(row => row.ToView()).ToList();
        return Task.FromResult(new Page<QuarantinedView>(items, rows.Count > items.Count ? Cursor.Of(new After(items[^1].Id)) : null));
    }

    private sealed record After(long Id);
}

internal sealed class GetQuarantinedHandler(Database database) : IQueryHandler<GetQuarantined, QuarantinedBody?>
{
    private const string One = $"SELECT {QuarantineRow.Columns}, body FROM quarantine WHERE id = @Id";

    public Task<QuarantinedBody?> Handle(GetQuarantined query, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        var row = connection.QuerySingleOrDefault<QuarantineRow>(One, query);
        return Task.FromResult(row is null ? null : new QuarantinedBody(row.ToView(), row.Body!));
    }
}

/// <summary>A row of <c>quarantine</c> as it is read.</summary>
internal sealed class QuarantineRow
{
    public const string Columns =
        "id, received_at, source, code, reason, parameter, content_type, length(body) AS bytes, truncated, attempts, last_attempt_at";

    public long Id { get; init; }
    public long ReceivedAt { get; init; }
    public string Source { get; init; } = "";
    public string Code { get; init; } = "";
    public string Reason { get; init; } = "";
    public string? Parameter { get; init; }
    public string? ContentType { get; init; }
    public long Bytes { get; init; }
    public bool Truncated { get; init; }
    public int Attempts { get; init; }
    public long? LastAttemptAt { get; init; }
    public byte[]? Body { get; init; }

    public QuarantinedView ToView() => new()
    {
        Id = Id,
        ReceivedAt = ReceivedAt.ToTime(),
        Source = Source,
        Code = Code,
        Reason = Reason,
        Parameter = Parameter,
        ContentType = ContentType,
        Bytes = Bytes,
        Truncated = Truncated,
        Attempts = Attempts,
        LastAttemptAt = LastAttemptAt.ToTime(),
    };
}
