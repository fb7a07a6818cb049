using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Answers what a device said last: a skip scan over (client_no, topic_no, published_at), two seeks a topic however many messages there are.</summary>
internal sealed class LatestStateQueries(Database database, TimeProvider time) : IQueryHandler<GetLatestState, LatestStateView?>
{
    private const long MostPayloadBytes = 8 * 1024 * 1024;

    private const string Newest = $"""
        WITH RECURSIVE used (topic_no) AS (
          SELECT min(topic_no) FROM messages WHERE client_no = @client AND topic_no > @after
          UNION ALL
          SELECT (SELECT min(topic_no) FROM messages WHERE client_no = @client AND topic_no > used.topic_no) FROM used WHERE used.topic_no IS NOT NULL
          LIMIT @limit)
        SELECT m.topic_no, {MessageRow.Columns}
        FROM used u
        CROSS JOIN messages m ON m.message_no = (
          SELECT message_no FROM messages WHERE client_no = @client AND topic_no = u.topic_no ORDER BY published_at DESC, message_no DESC LIMIT 1)
        CROSS JOIN clients c ON c.client_no = m.client_no CROSS JOIN topics t ON t.topic_no = m.topic_no
        """;

    public Task<LatestStateView?> Handle(GetLatestState query, CancellationToken cancellationToken)
    {
        var after = Cursor.Read<TopicPlace>(query.Page.Cursor)?.TopicNo ?? -1;
        using var connection = database.OpenForReading();
        var client = connection.ExecuteScalar<long?>("SELECT client_no FROM devices WHERE client_id = @Value", new { query.Client.Value });
        if (client is null) return Task.FromResult<LatestStateView?>(null);

        var now = time.GetUtcNow();
        var (items, last, bytes, next) = (new List<LatestMessageView>(), 0L, 0L, (string?)null);
        var rows = connection.Query<long, MessageRow, (long TopicNo, MessageRow Message)>(
            Newest, (topic, message) => (topic, message), new { client, after, limit = query.Page.Limit + 1L }, buffered: false, splitOn: "message_no");
        foreach (var (topic, message) in rows)
        {
            if (items.Count == query.Page.Limit || (bytes + message.Payload.Length > MostPayloadBytes && items.Count > 0))
            {
                next = Cursor.Of(new TopicPlace(last));
                break;
            }
            items.Add(new LatestMessageView
            {
                Topic = message.Topic,
                MessageId = message.IdText,
                Qos = message.Qos,
                Retain = message.Retain,
                PublishedAt = message.PublishedAt.ToTime(),
                AgeSeconds = Math.Max(0, (now.ToMs() - message.PublishedAt) / 1000d),
                Payload = message.PayloadView,
            });
            (last, bytes) = (topic, bytes + message.Payload.Length);
        }
        items.Sort((one, other) => string.CompareOrdinal(one.Topic, other.Topic));
        return Task.FromResult<LatestStateView?>(new(query.Client.Value, items, next));
    }

    private sealed record TopicPlace([property: JsonRequired] long TopicNo);
}
