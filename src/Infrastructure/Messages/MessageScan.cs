using System.Text.Json.Serialization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Messages;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Where a message stands in the order of the list: by time of publishing, then by number.</summary>
internal sealed record Place([property: JsonRequired] long At, [property: JsonRequired] long No)
{
    public static readonly Place AfterAll = new(long.MaxValue, long.MaxValue);
    public static readonly IComparer<Place> NewestFirst = Comparer<Place>.Create((one, other) => (other.At, other.No).CompareTo((one.At, one.No)));
}

/// <summary>
/// Walks the messages that a list asks for, newest first, at a cost that does not grow with the number of messages. Few topics, of a client or
/// of a filter: their indexes are merged. Many: all messages are walked by time, which soon fills a page if the topics are alive; if it does
/// not, the topics are searched after all.
/// </summary>
internal sealed class MessageScan(SqliteConnection connection, ListMessages query, Place? after)
{
    /// <summary>So many topics are merged: each costs one seek, a few microseconds.</summary>
    public int MostTopics { get; init; } = 10_000;

    /// <summary>So many topics are looked at before the walk by time is tried (tens of milliseconds) …</summary>
    public int TopicsExamined { get; init; } = 100_000;

    /// <summary>… and so many after it failed.</summary>
    public int TopicsExaminedAtLast { get; init; } = 2_000_000;

    /// <summary>So many messages one page walks by time.</summary>
    public int MessagesWalked { get; init; } = 20_000;

    private readonly long from = query.From.ToMs() ?? long.MinValue;
    private readonly Place start = query.To is { } to && (after is null || to.ToMs() <= after.At) ? new Place(to.ToMs(), 0) : after ?? Place.AfterAll;

    /// <summary>Set when the walk ended before the messages did: a next page goes on here.</summary>
    public Place? StoppedAt { get; private set; }

    public IEnumerable<Place> Places()
    {
        long? client = null;
        if (query.Client is { } id)
        {
            client = connection.ExecuteScalar<long?>("SELECT client_no FROM clients WHERE client_id = @Value", new { id.Value });
            if (client is null) return [];
        }
        if (query.Topic is { IsExact: true } exact)
        {
            var topic = connection.ExecuteScalar<long?>("SELECT topic_no FROM topics WHERE topic = @Text", new { exact.Text });
            return topic is { } no ? Merge(client, [no], start) : [];
        }
        if (client is { } clientNo && TopicsOf(clientNo, query.Topic) is { } its) return Merge(client, its, start);
        if (query.Topic is null) return WalkByTime(client, null);

        var search = new TopicSearch(query.Topic);
        return search.Find(connection, MostTopics, TopicsExamined) is { } found ? Merge(client, found, start) : WalkThenMerge(client, search);
    }

    /// <summary>The topics a client published to: a skip scan over (client_no, topic_no). Null when they are too many.</summary>
    private List<long>? TopicsOf(long client, TopicFilter? filter)
    {
        const string Skip = """
            WITH RECURSIVE used (topic_no) AS (
              SELECT min(topic_no) FROM messages WHERE client_no = @client
              UNION ALL
              SELECT (SELECT min(topic_no) FROM messages WHERE client_no = @client AND topic_no > used.topic_no) FROM used WHERE used.topic_no IS NOT NULL
              LIMIT @limit)
            """;
        var arguments = new { client, limit = MostTopics + 2L };
        var topics = filter is null
            ? connection.Query<(long No, string Topic)>($"{Skip} SELECT topic_no, '' FROM used WHERE topic_no IS NOT NULL", arguments).AsList()
            : connection.Query<(long No, string Topic)>($"{Skip} SELECT u.topic_no, t.topic FROM used u CROSS JOIN topics t ON t.topic_no = u.topic_no", arguments).AsList();
        if (topics.Count > MostTopics) return null;
        return [.. topics.Where(topic => filter is null || filter.Matches(topic.Topic)).Select(topic => topic.No)];
    }

    /// <summary>Merges the messages of some topics. A topic's index is read only when its newest message is next.</summary>
    private IEnumerable<Place> Merge(long? client, IReadOnlyList<long> topics, Place before)
    {
        var which = client is null ? "topic_no = @topic" : "client_no = @client AND topic_no = @topic";
        var newest = $"""
            SELECT t.value, (SELECT published_at FROM messages WHERE {which.Replace("@topic", "t.value", StringComparison.Ordinal)}
                             AND (published_at, message_no) < (@At, @No) AND published_at >= @from
                             ORDER BY published_at DESC, message_no DESC LIMIT 1)
            FROM json_each(@topics) t
            """;
        var next = $"""
            SELECT published_at AS at, message_no AS no FROM messages WHERE {which} AND (published_at, message_no) < (@At, @No) AND published_at >= @from
            ORDER BY published_at DESC, message_no DESC LIMIT @chunk
            """;

        // A topic not opened yet stands where its newest message can be at the latest.
        var queue = new PriorityQueue<(long Topic, Queue<Place>? Read, int Chunk), Place>(Place.NewestFirst);
        var heads = connection.Query<(long Topic, long? At)>(newest, new { client, before.At, before.No, from, topics = "[" + string.Join(',', topics) + "]" }, buffered: false);
        foreach (var (topic, at) in heads)
            if (at is { } time) queue.Enqueue((topic, null, topics.Count == 1 ? 64 : 4), new Place(time, long.MaxValue));

        while (queue.TryDequeue(out var stream, out var place))
        {
            if (stream.Read is not null) yield return place;

            var read = stream.Read;
            if (read is not { Count: > 0 })
            {
                var last = stream.Read is null ? before : place;
                read = new(connection.Query<Place>(next, new { client, topic = stream.Topic, last.At, last.No, from, chunk = stream.Chunk }));
                if (read.Count == 0) continue;
            }
            var head = read.Dequeue();
            queue.Enqueue((stream.Topic, read, read.Count > 0 ? stream.Chunk : Math.Min(stream.Chunk * 4, 1024)), head);
        }
    }

    /// <summary>Walks all messages by time and picks those that match, <see cref="MessagesWalked"/> at the most.</summary>
    private IEnumerable<Place> WalkByTime(long? client, TopicSearch? search)
    {
        var picks = new List<string>();
        if (client is not null) picks.Add("m.client_no = @client");
        if (query.Qos.Count > 0) picks.Add($"m.qos IN ({string.Join(',', query.Qos)})");
        if (query.Status.Count > 0) picks.Add($"m.status IN ({string.Join(',', query.Status.Select(MessageRow.StatusCode))})");
        if (search is not null) picks.Add(search.Condition);

        var arguments = new DynamicParameters(search);
        arguments.AddDynamicParams(new { client, start.At, start.No, from, walked = MessagesWalked - 1L });
        Place? end = null;
        if (picks.Count > 0)
        {
            end = connection.QuerySingleOrDefault<Place>(
                """
                SELECT published_at AS at, message_no AS no FROM messages WHERE (published_at, message_no) < (@At, @No) AND published_at >= @from
                ORDER BY published_at DESC, message_no DESC LIMIT 1 OFFSET @walked
                """,
                arguments);
            arguments.AddDynamicParams(new { endAt = end?.At, endNo = end?.No });
        }
        // One lower bound, not two: SQLite would start from the one it likes and test the other on every row to the beginning of time.
        var walk = $"""
            SELECT m.published_at, m.message_no, {(search is null ? "''" : "t.topic")}
            FROM messages m INDEXED BY messages_time {(search is null ? "" : "CROSS JOIN topics t ON t.topic_no = m.topic_no")}
            WHERE (m.published_at, m.message_no) < (@At, @No)
              AND {(end is null ? "m.published_at >= @from" : "(m.published_at, m.message_no) >= (@endAt, @endNo)")} {string.Concat(picks.Select(pick => " AND " + pick))}
            ORDER BY m.published_at DESC, m.message_no DESC
            """;
        foreach (var (at, no, topic) in connection.Query<(long, long, string)>(walk, arguments, buffered: false))
            if (search is null || search.Matches(topic)) yield return new Place(at, no);
        StoppedAt = end;
    }

    /// <summary>Walks by time; where that ends without having filled a page, the topics are old or rare, and worth a long search.</summary>
    private IEnumerable<Place> WalkThenMerge(long? client, TopicSearch search)
    {
        foreach (var place in WalkByTime(client, search)) yield return place;
        if (StoppedAt is not { } end || search.Find(connection, MostTopics, TopicsExaminedAtLast) is not { } found) yield break;

        StoppedAt = null;
        foreach (var place in Merge(client, found, end)) yield return place;
    }
}
