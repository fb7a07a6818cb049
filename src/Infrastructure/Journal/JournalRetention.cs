using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Journal;

/// <summary>The journal goes by age and size also where a consumer has not read it: a disk is finite, a consumer that stands still is not. It is told.</summary>
internal sealed class JournalRetention(UnitOfWork work, IOptions<RetentionOptions> options) : TableRetention(KindName, options.Value.Journal, work, "journal", "seq")
{
    public const string KindName = "journal";

    protected override string ReadNewest => Journal.ReadHead;
}
