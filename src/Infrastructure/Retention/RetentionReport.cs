using System.Collections.Concurrent;
using WebhookService.Application.Common;

namespace WebhookService.Infrastructure.Retention;

/// <summary>What was removed since the start and how far back each kind reaches, for metrics and `GET /stats`.</summary>
internal sealed class RetentionReport
{
    private readonly ConcurrentDictionary<string, (long Removed, DateTimeOffset? OldestAt)> kinds = new(StringComparer.Ordinal);

    public RetentionReport(ServiceMetrics metrics, TimeProvider time) => metrics.WatchRetention(
        () => kinds.Select(kind => (kind.Key, kind.Value.Removed)),
        () => kinds.Where(kind => kind.Value.OldestAt is not null).Select(kind => (kind.Key, Math.Max(0, (time.GetUtcNow() - kind.Value.OldestAt!.Value).TotalSeconds))));

    public IEnumerable<(string Kind, long Removed, DateTimeOffset? OldestAt)> Kinds =>
        kinds.OrderBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => (kind.Key, kind.Value.Removed, kind.Value.OldestAt));

    public void Removed(string kind, long rows) => kinds.AddOrUpdate(kind, _ => (rows, null), (_, before) => (before.Removed + rows, before.OldestAt));

    public void ReachesBack(string kind, DateTimeOffset? oldestAt) => kinds.AddOrUpdate(kind, _ => (0, oldestAt), (_, before) => (before.Removed, oldestAt));
}
