using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Answers what a device said last: of each of its streams the newest message, which the stream knows or memory does.</summary>
internal sealed class LatestStateQueries(Database database, StreamMessages streamMessages, TimeProvider time) : IQueryHandler<GetLatestState, LatestStateView?>
{
    private const long MostPayloadBytes = 8 * 1024 * 1024;

    private const string Streams = $"SELECT {StreamRow.Columns} FROM streams s WHERE s.client_no = @client AND s.topic_no > @after ORDER BY s.topic_no";

    private const string IsHere = "SELECT 1 FROM messages WHERE message_no = @No";

    private const string Messages = $"""
        SELECT m.topic_no, {MessageRow.Columns}
        FROM json_each(@newest) n CROSS JOIN messages m ON m.message_no = n.value
        CROSS JOIN clients c ON c.client_no = m.client_no CROSS JOIN topics t ON t.topic_no = m.topic_no
        """;

    public Task<LatestStateView?> Handle(GetLatestState query, CancellationToken cancellationToken)
    {
        var after = Cursor.Read<TopicPlace>(query.Page.Cursor)?.TopicNo ?? -1;
        using var index = streamMessages.Reader();
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var client = connection.ExecuteScalar<long?>("SELECT client_no FROM devices WHERE client_id = @Value", new { query.Client.Value });
        if (client is null) return Task.FromResult<LatestStateView?>(null);

        var merge = new StreamMerge(connection, index);
        var newest = connection.Query<StreamRow>(Streams, new { client, after }, buffered: false)
            .Select(stream => merge.NewestFirst([stream], Place.AfterAll, long.MinValue).FirstOrDefault(place => connection.ExecuteScalar<bool>(IsHere, new { place.No })))
            .OfType<Place>().Take(query.Page.Limit + 1).Select(place => place.No);

        var now = time.GetUtcNow();
        var (items, last, bytes, next) = (new List<LatestMessageView>(), 0L, 0L, (string?)null);
        var rows = connection.Query<long, MessageRow, (long TopicNo, MessageRow Message)>(
            Messages, (topic, message) => (topic, message), new { newest = "[" + string.Join(',', newest) + "]" }, buffered: false, splitOn: "message_no");
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
