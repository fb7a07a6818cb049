using System.Text.Json.Serialization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Messages;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Persistence.Runs;

namespace WebhookService.Infrastructure.Messages;

/// <summary>Where a message stands in the order of the list: by time of publishing, then by number.</summary>
internal sealed record Place([property: JsonRequired] long At, [property: JsonRequired] long No)
{
    public static readonly Place AfterAll = new(long.MaxValue, long.MaxValue);
    public static readonly IComparer<Place> NewestFirst = Comparer<Place>.Create((one, other) => (other.At, other.No).CompareTo((one.At, one.No)));

    public bool IsBefore(Place other) => (At, No).CompareTo((other.At, other.No)) < 0;
}

/// <summary>
/// Walks the messages that a list asks for, newest first, at a cost that does not grow with the number of messages. Few streams (what one client
/// publishes on one topic), of a client or of a filter: they are merged. Many: all messages are walked by time, which soon fills a page if the
/// topics are alive; if it does not, the streams are searched after all.
/// </summary>
/// <param name="index">Taken before the snapshot that <paramref name="connection"/> reads from.</param>
internal sealed class MessageScan(SqliteConnection connection, RunReader index, ListMessages query, Place? after)
{
    /// <summary>So many streams are merged at once: each costs a few microseconds, and where the page begins among old messages a look into a run.</summary>
    public int FewStreams { get; init; } = 500;

    /// <summary>So many streams are merged where a walk by time has not filled the page.</summary>
    public int MostStreams { get; init; } = 10_000;

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
            if (topic is not { } no) return [];
            return StreamsOf(client, [no], MostStreams) is { } one ? Merge(one, start) : WalkByTime(client, null, new HashSet<long> { no });
        }
        if (client is { } clientNo && StreamsOf(clientNo, query.Topic) is { } its) return Merge(its, start);
        if (query.Topic is null) return WalkByTime(client, null, null);

        var search = new TopicSearch(query.Topic);
        var found = search.Find(connection, MostStreams, TopicsExamined);
        return found is not null && StreamsOf(client, found, FewStreams) is { } streams ? Merge(streams, start) : WalkThenMerge(client, search, found);
    }

    private IEnumerable<Place> Merge(IReadOnlyList<StreamRow> streams, Place before) => new StreamMerge(connection, index).NewestFirst(streams, before, from);

    /// <summary>The streams of a client, on topics that the filter matches. Null when the client has too many.</summary>
    private List<StreamRow>? StreamsOf(long client, TopicFilter? filter)
    {
        const string All = $"SELECT {StreamRow.Columns} FROM streams s WHERE s.client_no = @client LIMIT @limit";
        const string Named = $"SELECT {StreamRow.Columns}, t.topic FROM streams s CROSS JOIN topics t ON t.topic_no = s.topic_no WHERE s.client_no = @client LIMIT @limit";
        var arguments = new { client, limit = MostStreams + 1L };
        var streams = filter is null
            ? connection.Query<StreamRow>(All, arguments).Select(row => (Row: row, Topic: "")).ToList()
            : connection.Query<StreamRow, string, (StreamRow Row, string Topic)>(Named, (row, topic) => (row, topic), arguments, splitOn: "topic").AsList();
        if (streams.Count > MostStreams) return null;
        return [.. streams.Where(stream => filter is null || filter.Matches(stream.Topic)).Select(stream => stream.Row)];
    }

    /// <summary>The streams of some topics, those of one client or all. Null when they are more than <paramref name="most"/>.</summary>
    private List<StreamRow>? StreamsOf(long? client, IReadOnlyList<long> topics, int most)
    {
        var which = client is null ? "" : "s.client_no = @client AND ";
        var streams = connection.Query<StreamRow>(
            $"SELECT {StreamRow.Columns} FROM json_each(@topics) t CROSS JOIN streams s ON {which}s.topic_no = t.value LIMIT @limit",
            new { client, topics = "[" + string.Join(',', topics) + "]", limit = most + 1L }).AsList();
        return streams.Count > most ? null : streams;
    }

    /// <summary>
    /// Walks all messages by time and picks those that match, <see cref="MessagesWalked"/> at the most. Where the topics are known by number
    /// their names, each in a random row, need not be read.
    /// </summary>
    private IEnumerable<Place> WalkByTime(long? client, TopicSearch? search, IReadOnlySet<long>? topics)
    {
        var byName = search is not null && topics is null;
        var picks = new List<string>();
        if (client is not null) picks.Add("m.client_no = @client");
        if (query.Qos.Count > 0) picks.Add($"m.qos IN ({string.Join(',', query.Qos)})");
        if (query.Status.Count > 0) picks.Add($"m.status IN ({string.Join(',', query.Status.Select(MessageRow.StatusCode))})");
        if (byName) picks.Add(search!.Condition);

        var arguments = new DynamicParameters(search);
        arguments.AddDynamicParams(new { client, start.At, start.No, from, walked = MessagesWalked - 1L });
        Place? end = null;
        if (picks.Count > 0 || topics is not null)
        {
            end = connection.QuerySingleOrDefault<Place>(
                ByTime("i.published_at AS at, i.message_no AS no", join: "", where: "i.published_at >= @from") + " LIMIT 1 OFFSET @walked", arguments);
            arguments.AddDynamicParams(new { endAt = end?.At, endNo = end?.No });
        }
        // One lower bound, not two: SQLite would start from the one it likes and test the other on every row to the beginning of time.
        var walk = ByTime(
            $"i.published_at, i.message_no, m.topic_no, {(byName ? "t.topic" : "''")}",
            $"CROSS JOIN messages m ON m.message_no = i.message_no {(byName ? "CROSS JOIN topics t ON t.topic_no = m.topic_no" : "")}",
            $"{(end is null ? "i.published_at >= @from" : "(i.published_at, i.message_no) >= (@endAt, @endNo)")} {string.Concat(picks.Select(pick => " AND " + pick))}");
        foreach (var (at, no, topic, name) in connection.Query<(long, long, long, string)>(walk, arguments, buffered: false))
            if (topics?.Contains(topic) ?? search?.Matches(name) ?? true) yield return new Place(at, no);
        StoppedAt = end;
    }

    /// <summary>SQL for messages before the start of the page, newest first: those that are in the table by time, and the few that came since.</summary>
    internal static string ByTime(string columns, string join, string where) => $"""
        SELECT {columns} FROM messages_by_time i {join} WHERE (i.published_at, i.message_no) < (@At, @No) AND {where}
        UNION ALL
        SELECT {columns} FROM messages i {join} WHERE i.message_no > {MessageIndexes.Indexed} AND (i.published_at, i.message_no) < (@At, @No) AND {where}
        ORDER BY 1 DESC, 2 DESC
        """;

    /// <summary>Walks by time; where that ends without having filled a page, the topics are old or rare, and worth a long search.</summary>
    private IEnumerable<Place> WalkThenMerge(long? client, TopicSearch search, IReadOnlyList<long>? found)
    {
        foreach (var place in WalkByTime(client, search, found?.ToHashSet())) yield return place;
        if (StoppedAt is not { } end || (found ?? search.Find(connection, MostStreams, TopicsExaminedAtLast)) is not { } topics) yield break;
        if (StreamsOf(client, topics, MostStreams) is not { } streams) yield break;

        StoppedAt = null;
        foreach (var place in Merge(streams, end)) yield return place;
    }
}
