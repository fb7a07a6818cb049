using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Persistence.Runs;

namespace WebhookService.Infrastructure.Journal;

/// <summary>Which entries of the journal speak of a client.</summary>
internal sealed class ClientEvents(UnitOfWork work, IOptions<StorageOptions> options) : RunIndex(
    work, "journal",
    rows: "SELECT client_no, 0, seq FROM journal WHERE seq > @after AND client_no IS NOT NULL ORDER BY seq",
    oldest: "SELECT min(seq) FROM journal",
    options.Value.EntriesOfRun);
