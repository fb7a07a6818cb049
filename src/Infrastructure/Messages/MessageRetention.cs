using System.Buffers.Binary;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Persistence.Runs;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Messages go by number, with their deliveries. An edge moves over them: what it passes goes, but for the last message of each topic of a
/// device, which goes when the edge passes a newer one, or when there are too many of its kind.
/// </summary>
internal sealed class MessageRetention : MarkedRetention
{
    /// <summary>Behind this number nothing was judged yet.</summary>
    public const string Edge = "coalesce((SELECT value FROM counters WHERE name = 'messages.edge'), 0)";

    /// <summary>Messages up to the edge that are here: the last ones.</summary>
    public const string Latest = "coalesce((SELECT value FROM counters WHERE name = 'messages.latest'), 0)";

    private const string NextRows = $"""
        SELECT m.message_no, m.id, m.client_no, m.published_at, {StreamRow.Columns}
        FROM messages m CROSS JOIN streams s ON s.client_no = m.client_no AND s.topic_no = m.topic_no
        WHERE m.message_no > @after AND m.message_no <= @upTo ORDER BY m.message_no LIMIT @AtOnce
        """;

    private const string RemoveDeliveries = """
        DELETE FROM deliveries WHERE message_no = ?1 AND client_no IN (SELECT client_no FROM deliveries WHERE message_no = ?1 LIMIT 64)
        """;

    /// <summary>Writes a row of `counters`: name, value.</summary>
    public const string SetCounter = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    private const int AtOnce = 64;

    private static readonly string ReadNewest = Sequence.ReadLast("messages", "messages", "message_no");

    private readonly UnitOfWork work;
    private readonly MessageRepository messages;
    private readonly TopicNames topics;
    private readonly Streams streams;
    private readonly StreamMessages index;
    private readonly long mostLatest;
    private readonly Lazy<Statement> edge;
    private readonly Lazy<Statement> latest;
    private readonly Lazy<Statement> isDevice;
    private readonly Lazy<Statement> removeDeliveries;
    private readonly Lazy<Statement> hasDeliveries;
    private readonly Lazy<Statement> remove;
    private readonly Lazy<Statement> isUsed;
    private readonly Lazy<Statement> removeTopic;
    private readonly Lazy<Statement> setStream;
    private readonly Lazy<Statement> setCounter;

    public MessageRetention(
        UnitOfWork work, MessageRepository messages, TopicNames topics, Streams streams, StreamMessages index, IOptions<RetentionOptions> options)
        : base("messages", options.Value.Messages)
    {
        (this.work, this.messages, this.topics, this.streams, this.index, mostLatest) = (work, messages, topics, streams, index, options.Value.LatestMessages);
        edge = work.Prepare($"SELECT {Edge}");
        latest = work.Prepare($"SELECT {Latest}");
        isDevice = work.Prepare("SELECT 1 FROM devices WHERE client_no = ?");
        removeDeliveries = work.Prepare(RemoveDeliveries);
        hasDeliveries = work.Prepare("SELECT 1 FROM deliveries WHERE message_no = ? LIMIT 1");
        remove = work.Prepare("DELETE FROM messages WHERE message_no = ?");
        isUsed = work.Prepare("SELECT 1 FROM streams WHERE topic_no = ? LIMIT 1");
        removeTopic = work.Prepare("DELETE FROM topics WHERE topic_no = ? RETURNING topic");
        setStream = work.Prepare("UPDATE streams SET newest_at = ?, newest_no = ?, kept_at = ?, kept_no = ? WHERE stream_no = ?");
        setCounter = work.Prepare(SetCounter);
    }

    public override (long Oldest, long Newest) Span(SqliteConnection reader)
    {
        var (judged, newest) = reader.QuerySingle<(long, long)>($"SELECT {Edge}, ({ReadNewest})");
        return (judged + 1, newest);
    }

    public override RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        if (base.Next(reader, now, pressure) is { } step) return step;
        var kept = reader.ExecuteScalar<long>($"SELECT {Latest}");
        var excess = pressure is null ? kept - mostLatest : kept; // when nothing else is left to go, they do
        return excess > 0 ? new(mostLatest > 0 ? (double)excess / mostLatest : 1, time => RemoveLatest(excess, time)) : null;
    }

    protected override long Remove(long upTo, StepTime time)
    {
        work.Flush(); // what is deleted must not be written again, in part, at the end of the transaction
        var place = edge.Value.Number() ?? 0;
        using var step = new Step(this, time);
        do
        {
            var rows = ReadRows(place, upTo, AtOnce);
            foreach (var (row, stream) in rows)
            {
                if (!step.Judge(row, stream)) break;
                place = row.MessageNo;
                if (time.IsOver) break;
            }
            if (rows.Count < AtOnce && (rows.Count == 0 || place == rows[^1].Row.MessageNo)) place = Math.Max(place, upTo);
        }
        while (place < upTo && !time.IsOver);
        setCounter.Value.Add("messages.edge").Add(place).Run();
        step.End(place);
        return step.Removed;
    }

    private long RemoveLatest(long most, StepTime time)
    {
        work.Flush();
        var place = edge.Value.Number() ?? 0;
        using var step = new Step(this, time);
        foreach (var (row, stream) in ReadRows(0, place, (int)Math.Min(most, 4 * AtOnce)))
        {
            if (!step.RemoveLatest(row, stream, place)) break;
            if (time.IsOver) break;
        }
        if (step.Removed == 0 && !time.IsOver) step.Latest = 0; // miscounted, such as by a row deleted by hand
        step.End(place);
        return step.Removed;
    }

    private List<(Row Row, StreamRow Stream)> ReadRows(long after, long upTo, int atOnce) => work.Connection.Query<Row, StreamRow, (Row, StreamRow)>(
        NextRows, (row, stream) => (row, stream), new { after, upTo, AtOnce = atOnce }, splitOn: "stream_no").AsList();

    /// <summary>What one step does, and what it has to clear up at its end.</summary>
    private sealed class Step(MessageRetention all, StepTime time) : IDisposable
    {
        private readonly Dictionary<long, Touched> touched = [];
        public long Removed { get; private set; }

        public long Latest { get; set; } = all.latest.Value.Number() ?? 0;

        private readonly RunReader reader = all.index.Reader(); // last: nobody disposes of a step that could not be made

        /// <summary>All before it have been judged.</summary>
        /// <returns>False if there was no time to come to the end with it: then the edge stays before it.</returns>
        public bool Judge(Row row, StreamRow asRead)
        {
            var stream = Touch(row, asRead);
            if (stream.Kept is { } kept && kept.IsBefore(row.Place))
            {
                // It is gone only where somebody deleted it by hand.
                if (all.work.Connection.QuerySingleOrDefault<Row>(Touched.FindRow, new { kept.No }) is { } last && !Remove(last, stream, judged: row.MessageNo - 1)) return false;
                (stream.Kept, stream.IsChanged) = (null, true);
                Latest--;
            }
            if (all.mostLatest == 0 || all.isDevice.Value.Add(row.ClientNo).Number() is null || IsOutdated(row, stream)) return Remove(row, stream, row.MessageNo);
            (stream.Kept, stream.IsChanged) = (row.Place, true);
            Latest++;
            return true;
        }

        /// <inheritdoc cref="Remove"/>
        public bool RemoveLatest(Row row, StreamRow asRead, long judged)
        {
            var stream = Touch(row, asRead);
            if (!Remove(row, stream, judged)) return false;
            if (stream.Kept?.No == row.MessageNo) (stream.Kept, stream.IsChanged) = (null, true);
            Latest--;
            return true;
        }

        /// <summary>Streams of which nothing is left go, and topics on which nobody publishes any more: a client that invents them would fill the disk with names.</summary>
        /// <param name="judged">Messages up to this number are gone or kept.</param>
        public void End(long judged)
        {
            foreach (var (number, stream) in touched)
                if (stream.Kept is not null || stream.LastNo > judged || IsInMemory(number, Place.AfterAll, entry => entry.No > judged))
                {
                    if (stream.IsChanged)
                        all.setStream.Value.Add(stream.Newest?.At ?? 0).Add(stream.Newest?.No ?? 0).Add(stream.Kept?.At).Add(stream.Kept?.No).Add(number).Run();
                }
                else
                {
                    all.streams.Remove(number, stream.ClientNo, stream.TopicNo);
                    if (all.isUsed.Value.Add(stream.TopicNo).Number() is null && all.removeTopic.Value.Add(stream.TopicNo).Text() is { } name) all.topics.Drop(name);
                }
            all.setCounter.Value.Add("messages.latest").Add(Latest).Run();
        }

        public void Dispose() => reader.Dispose();

        private Touched Touch(Row row, StreamRow asRead)
        {
            if (!touched.TryGetValue(asRead.StreamNo, out var stream)) touched[asRead.StreamNo] = stream = new(row.ClientNo, asRead);
            return stream;
        }

        /// <summary>Whether a newer message of the stream is here.</summary>
        private bool IsOutdated(Row row, Touched stream) =>
            (stream.Newest is { } newest && row.Place.IsBefore(newest)) || (stream.Kept is { } kept && row.Place.IsBefore(kept))
            || IsInMemory(stream.No, row.Place, entry => entry.No > row.MessageNo);

        /// <summary>Whether memory has such an entry of the stream after a place.</summary>
        private bool IsInMemory(long stream, Place after, Func<IndexEntry, bool> which) => reader.InNoRun(all.work.Connection, stream, long.MaxValue, long.MaxValue)
            .Any(some => some.TakeWhile(entry => after == Place.AfterAll || after.IsBefore(new(entry.At, entry.No))).Any(which));

        /// <param name="judged">Messages up to this number are gone or kept.</param>
        /// <returns>False if there was no time for all its deliveries.</returns>
        private bool Remove(Row row, Touched stream, long judged)
        {
            while (all.hasDeliveries.Value.Add(row.MessageNo).Number() is not null)
            {
                all.removeDeliveries.Value.Add(row.MessageNo).Run();
                if (time.IsOver && all.hasDeliveries.Value.Add(row.MessageNo).Number() is not null) return false;
            }
            all.remove.Value.Add(row.MessageNo).Run();
            all.messages.Drop(new MessageId(BinaryPrimitives.ReadUInt128BigEndian(row.Id)));
            Removed++;
            if (stream.Newest?.No != row.MessageNo) return true;

            // Seldom: only where a message goes though it is the newest can there be others in runs, which came after it and are older.
            var others = stream.LastNo > judged ? new StreamMerge(all.work.Connection, reader, judged).NewestFirst([stream.AsRead], row.Place, long.MinValue) : [];
            (stream.Newest, stream.IsChanged) = (others.FirstOrDefault(place => place.No > judged), true);
            return true;
        }
    }

    /// <summary>A stream of whose messages some were judged in this step.</summary>
    private sealed class Touched(long clientNo, StreamRow asRead)
    {
        public const string FindRow = "SELECT message_no, id, client_no, published_at FROM messages WHERE message_no = @No";

        public long ClientNo { get; } = clientNo;
        public StreamRow AsRead { get; } = asRead;
        public long No => AsRead.StreamNo;
        public long TopicNo => AsRead.TopicNo;
        public long LastNo => AsRead.LastNo;
        public Place? Newest { get; set; } = asRead.Newest;
        public Place? Kept { get; set; } = asRead.Kept;
        public bool IsChanged { get; set; }
    }

    private sealed class Row
    {
        public long MessageNo { get; init; }
        public required byte[] Id { get; init; }
        public long ClientNo { get; init; }
        public long PublishedAt { get; init; }

        public Place Place => new(PublishedAt, MessageNo);
    }
}
