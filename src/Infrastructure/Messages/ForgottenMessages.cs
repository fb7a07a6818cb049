using Dapper;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Removes all that a client published, in steps.</summary>
internal sealed class ForgottenMessages(UnitOfWork work, Streams streams, StreamMessages index)
{
    private const string OfClient = $"SELECT {StreamRow.Columns} FROM streams s WHERE s.client_no = @client ORDER BY s.topic_no LIMIT @limit";

    private const string RemoveMessages = """
        DELETE FROM deliveries WHERE message_no IN (SELECT value FROM json_each(@numbers));
        DELETE FROM messages WHERE message_no IN (SELECT value FROM json_each(@numbers));
        """;

    private const string RemoveTopic = "DELETE FROM topics WHERE topic_no = @TopicNo AND NOT EXISTS (SELECT 1 FROM streams WHERE topic_no = @TopicNo)";

    private const string CountOneLess = "UPDATE counters SET value = value - 1 WHERE name = 'messages.latest'";

    /// <summary>In a transaction of the writer, in which nothing waits to be flushed and nothing is remembered.</summary>
    /// <returns>How much was removed; 0 if nothing was left.</returns>
    public int Forget(long client, int limit)
    {
        var (connection, removed) = (work.Connection, 0);
        using var reader = index.Reader();
        foreach (var stream in connection.Query<StreamRow>(OfClient, new { client, limit }))
        {
            var entries = reader.All(connection, stream.StreamNo).Take(limit - removed).ToList();
            var numbers = entries.Select(one => one.Entry.No).Concat(stream.KeptNo is { } kept ? [kept] : []);
            connection.Execute(RemoveMessages, new { numbers = "[" + string.Join(',', numbers) + "]" });
            foreach (var (run, entry) in entries) index.Remove(run, entry);
            removed += entries.Count;
            if (stream.KeptNo is not null)
            {
                connection.Execute("UPDATE streams SET kept_at = NULL, kept_no = NULL WHERE stream_no = @StreamNo", stream);
                connection.Execute(CountOneLess);
            }
            if (removed == limit) return removed;

            streams.Remove(stream.StreamNo, client, stream.TopicNo);
            connection.Execute(RemoveTopic, stream);
            if (++removed == limit) return removed;
        }
        return removed;
    }
}
