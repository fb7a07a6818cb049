using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Quarantine;

/// <summary>Bodies can be large, so their bytes are bounded too.</summary>
internal sealed class QuarantineRetention(UnitOfWork work, IOptions<RetentionOptions> options)
    : SmallTableRetention("quarantine", options.Value.Quarantine, work, "quarantine", "id")
{
    /// <summary>length() of a stored blob reads the row's head only, however large the body.</summary>
    private const string NewestFirst = "SELECT id, length(body) FROM quarantine ORDER BY id DESC";

    private readonly long maxBytes = options.Value.QuarantineBytes;
    private (long Oldest, long Newest) fitting;

    protected override (long UpTo, double Over) BeyondCount(SqliteConnection reader, (long Oldest, long Newest) span)
    {
        var many = base.BeyondCount(reader, span);
        if (maxBytes == 0 || span == fitting) return many; // nothing came since it was found to fit

        var bytes = 0L;
        foreach (var (id, length) in reader.Query<(long, long)>(NewestFirst, buffered: false))
            if ((bytes += length) > maxBytes) return (Math.Max(many.UpTo, id), 1);
        fitting = span;
        return many;
    }
}
