using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Consumers;

internal sealed class DeadLetterRetention(UnitOfWork work, IOptions<RetentionOptions> options)
    : SmallTableRetention("dead-letters", options.Value.DeadLetters, work, "dead_letters", "id"), IRetained
{
    public ICommand Afterwards { get; } = new ReviewDeadLetterNotices();
}
