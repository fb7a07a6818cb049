using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Downlinks;

/// <summary>Messages to devices go when they are finished, by when they were accepted. Those that wait for news stay, however old.</summary>
internal sealed class DownlinkRetention(UnitOfWork work, IOptions<RetentionOptions> options) : IRetained
{
    /// <summary>Few, because a payload can be as large as a request.</summary>
    private const int AtOnce = 64;

    private const string Oldest = "SELECT accepted_at FROM downlinks WHERE finished = 1 ORDER BY downlink_no LIMIT 1";

    private const string NextRows = "SELECT downlink_no, accepted_at FROM downlinks WHERE finished = 1 ORDER BY downlink_no LIMIT @AtOnce";

    private readonly string readNewest = Sequence.ReadLast("downlinks", "downlinks", "downlink_no");
    private readonly Lazy<Statement> remove = work.Prepare("DELETE FROM downlinks WHERE downlink_no = ? AND finished = 1 RETURNING 1");

    public string Kind => "downlinks";

    public RetentionLimit Limit { get; } = options.Value.Downlinks;

    public DateTimeOffset? OldestAt(SqliteConnection reader) => reader.ExecuteScalar<long?>(Oldest).ToTime();

    public RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        var rows = reader.Query<(long No, long At)>(NextRows, new { AtOnce }).AsList();
        if (rows.Count == 0) return null;
        var before = pressure is not null ? now : Limit.MaxAge > TimeSpan.Zero ? now - Limit.MaxAge : DateTimeOffset.MinValue;
        var tooMany = Limit.MaxCount > 0 ? reader.ExecuteScalar<long>(readNewest) - Limit.MaxCount : 0;
        var found = rows.TakeWhile(row => row.At < before.ToMs() || row.No <= tooMany).Select(row => row.No).ToList();
        return found.Count > 0 ? new(tooMany >= found[0] ? (double)(tooMany - found[0] + 1) / Limit.MaxCount : 0, time => Remove(found, time)) : null;
    }

    private long Remove(List<long> found, StepTime time)
    {
        var removed = 0L;
        foreach (var number in found)
        {
            if (removed > 0 && time.IsOver) break;
            if (remove.Value.Add(number).Number() is not null) removed++;
        }
        return removed;
    }
}
