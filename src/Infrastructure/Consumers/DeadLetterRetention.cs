using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Consumers;

/// <summary>A handler whose last dead letter went has none any more, which is news to who was told of it.</summary>
internal sealed class DeadLetterRetention(UnitOfWork work, IDeadLetterNotices notices, IOptions<RetentionOptions> options)
    : SmallTableRetention("dead-letters", options.Value.DeadLetters, work, "dead_letters", "id")
{
    public override RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure) =>
        base.Next(reader, now, pressure) is { } step ? step with { Then = () => notices.RemovedAsync(CancellationToken.None) } : null;
}
