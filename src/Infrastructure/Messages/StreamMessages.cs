using Microsoft.Extensions.Options;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Persistence.Runs;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Which messages are of a stream. With each run the streams in it are told what it holds of them, so that a question knows the newest message
/// of a stream, and where to look for others, without looking into runs.
/// </summary>
internal sealed class StreamMessages(UnitOfWork work, IOptions<StorageOptions> options) : RunIndex(
    work, "messages",
    rows: $"""
        SELECT s.stream_no, m.published_at, m.message_no FROM messages m CROSS JOIN streams s ON s.client_no = m.client_no AND s.topic_no = m.topic_no
        WHERE m.message_no > max(@after, {MessageRetention.Edge}) ORDER BY m.message_no
        """,
    oldest: $"SELECT {MessageRetention.Edge} + 1", // older ones that are here are known to their streams
    newest: "SELECT max(message_no) FROM messages",
    options.Value.EntriesOfRun)
{
    private readonly Lazy<Statement> edge = work.Prepare($"SELECT {MessageRetention.Edge}");

    private readonly Lazy<Statement> reach = work.Prepare("""
        UPDATE streams SET last_no = max(last_no, ?2),
          newest_at = CASE WHEN newest_no = 0 OR (newest_at, newest_no) < (?3, ?4) THEN ?3 ELSE newest_at END,
          newest_no = CASE WHEN newest_no = 0 OR (newest_at, newest_no) < (?3, ?4) THEN ?4 ELSE newest_no END
        WHERE stream_no = ?1
        """);

    protected override void Written(ReadOnlySpan<IndexEntry> entries)
    {
        var judged = edge.Value.Number() ?? 0; // messages up to it are gone, or known to their stream
        for (var (first, end) = (0, 0); first < entries.Length; first = end)
        {
            var key = entries[first].Key;
            var (last, newest) = (0L, (IndexEntry?)null);
            for (; end < entries.Length && entries[end].Key == key; end++)
            {
                if (entries[end].No <= judged) continue;
                (last, newest) = (Math.Max(last, entries[end].No), entries[end]);
            }
            if (newest is { } one) reach.Value.Add(key).Add(last).Add(one.At).Add(one.No).Run();
        }
    }
}
