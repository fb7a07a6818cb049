using WebhookService.Application.Common;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>What is pending or raised, that which began last first.</summary>
/// <param name="States">Empty for both.</param>
public sealed record ListNotices(string? Rule, IReadOnlyList<NoticeState> States, PageRequest Page) : IQuery<Page<NoticeView>>;

public sealed record NoticeView
{
    public required string Rule { get; init; }
    public required NoticeKind Kind { get; init; }
    public required NoticeState State { get; init; }
    public required string Subject { get; init; }
    public string? Topic { get; init; }
    public required DateTimeOffset Since { get; init; }
    public DateTimeOffset? DueAt { get; init; }
    public DateTimeOffset? RaisedAt { get; init; }
    public required string Why { get; init; }
    public double? Value { get; init; }
}
