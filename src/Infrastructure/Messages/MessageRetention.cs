using System.Buffers.Binary;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;
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

    /// <summary>What a device's messages take with them when they are forgotten, the first @Limit of @ClientNo.</summary>
    public const string ForgetLatest = $"""
        UPDATE counters SET value = value - (
          SELECT count(*) FROM (SELECT message_no FROM messages WHERE client_no = @ClientNo LIMIT @Limit) WHERE message_no <= {Edge})
        WHERE name = 'messages.latest'
        """;

    private const string NextRows = """
        SELECT message_no, id, client_no, topic_no, published_at FROM messages WHERE message_no > @after AND message_no <= @upTo ORDER BY message_no LIMIT @AtOnce
        """;

    private const string IsOutdated = "SELECT 1 FROM messages WHERE client_no = ? AND topic_no = ? AND (published_at, message_no) > (?, ?) LIMIT 1";

    /// <summary>As a rule the first one by time. Where a broker's clock had run ahead many may come before it: then it stays, as one of so many that may.</summary>
    private const string LastBefore = """
        SELECT message_no FROM (
          SELECT message_no FROM messages WHERE client_no = ? AND topic_no = ? AND published_at <= ? ORDER BY published_at, message_no LIMIT 64)
        WHERE message_no < ? LIMIT 1
        """;

    private const string RemoveDeliveries = """
        DELETE FROM deliveries WHERE message_no = ?1 AND client_no IN (SELECT client_no FROM deliveries WHERE message_no = ?1 LIMIT 64)
        """;

    private const string SetCounter = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    private const int AtOnce = 64;

    private static readonly string ReadNewest = Sequence.ReadLast("messages", "messages", "message_no");

    private readonly UnitOfWork work;
    private readonly MessageRepository messages;
    private readonly TopicNames topics;
    private readonly long mostLatest;
    private readonly Lazy<Statement> edge;
    private readonly Lazy<Statement> latest;
    private readonly Lazy<Statement> isOutdated;
    private readonly Lazy<Statement> lastBefore;
    private readonly Lazy<Statement> isDevice;
    private readonly Lazy<Statement> removeDeliveries;
    private readonly Lazy<Statement> hasDeliveries;
    private readonly Lazy<Statement> remove;
    private readonly Lazy<Statement> isUsed;
    private readonly Lazy<Statement> removeTopic;
    private readonly Lazy<Statement> setCounter;

    public MessageRetention(UnitOfWork work, MessageRepository messages, TopicNames topics, IOptions<RetentionOptions> options) : base("messages", options.Value.Messages)
    {
        (this.work, this.messages, this.topics, mostLatest) = (work, messages, topics, options.Value.LatestMessages);
        edge = work.Prepare($"SELECT {Edge}");
        latest = work.Prepare($"SELECT {Latest}");
        isOutdated = work.Prepare(IsOutdated);
        lastBefore = work.Prepare(LastBefore);
        isDevice = work.Prepare("SELECT 1 FROM devices WHERE client_no = ?");
        removeDeliveries = work.Prepare(RemoveDeliveries);
        hasDeliveries = work.Prepare("SELECT 1 FROM deliveries WHERE message_no = ? LIMIT 1");
        remove = work.Prepare("DELETE FROM messages WHERE message_no = ?");
        isUsed = work.Prepare("SELECT 1 FROM messages WHERE topic_no = ? LIMIT 1");
        removeTopic = work.Prepare("DELETE FROM topics WHERE topic_no = ? RETURNING topic");
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
        var step = new Step(this, time) { Latest = latest.Value.Number() ?? 0 };
        var place = edge.Value.Number() ?? 0;
        do
        {
            var rows = work.Connection.Query<Row>(NextRows, new { after = place, upTo, AtOnce }).AsList();
            foreach (var row in rows)
            {
                if (!step.Judge(row)) break;
                place = row.MessageNo;
                if (time.IsOver) break;
            }
            if (rows.Count < AtOnce && (rows.Count == 0 || place == rows[^1].MessageNo)) place = Math.Max(place, upTo);
        }
        while (place < upTo && !time.IsOver);
        setCounter.Value.Add("messages.edge").Add(place).Run();
        step.End();
        return step.Removed;
    }

    private long RemoveLatest(long most, StepTime time)
    {
        work.Flush();
        var step = new Step(this, time) { Latest = latest.Value.Number() ?? 0 };
        foreach (var row in work.Connection.Query<Row>(NextRows, new { after = 0, upTo = edge.Value.Number() ?? 0, AtOnce = Math.Min(most, 4 * AtOnce) }))
        {
            if (!step.Remove(row)) break;
            step.Latest--;
            if (time.IsOver) break;
        }
        if (step.Removed == 0 && !time.IsOver) step.Latest = 0; // miscounted, such as by a row deleted by hand
        step.End();
        return step.Removed;
    }

    /// <summary>What one step does, and what it has to clear up at its end.</summary>
    private sealed class Step(MessageRetention all, StepTime time)
    {
        private readonly HashSet<long> touchedTopics = [];

        public long Removed { get; private set; }

        public long Latest { get; set; }

        /// <returns>False if there was no time to come to the end with it: then the edge stays before it.</returns>
        public bool Judge(Row row)
        {
            var isOutdated = all.isOutdated.Value.Add(row.ClientNo).Add(row.TopicNo).Add(row.PublishedAt).Add(row.MessageNo).Number() is not null;
            while (Latest > 0 && all.lastBefore.Value.Add(row.ClientNo).Add(row.TopicNo).Add(row.PublishedAt).Add(row.MessageNo).Number() is { } before)
            {
                if (!Remove(all.work.Connection.QuerySingle<Row>("SELECT message_no, id, client_no, topic_no, published_at FROM messages WHERE message_no = @before", new { before })))
                    return false;
                Latest--;
            }
            if (isOutdated || all.mostLatest == 0 || all.isDevice.Value.Add(row.ClientNo).Number() is null) return Remove(row);
            Latest++;
            return true;
        }

        /// <returns>False if there was no time for all its deliveries.</returns>
        public bool Remove(Row row)
        {
            while (all.hasDeliveries.Value.Add(row.MessageNo).Number() is not null)
            {
                all.removeDeliveries.Value.Add(row.MessageNo).Run();
                if (time.IsOver && all.hasDeliveries.Value.Add(row.MessageNo).Number() is not null) return false;
            }
            all.remove.Value.Add(row.MessageNo).Run();
            all.messages.Drop(new MessageId(BinaryPrimitives.ReadUInt128BigEndian(row.Id)));
            touchedTopics.Add(row.TopicNo);
            Removed++;
            return true;
        }

        /// <summary>Topics that no message names any more go too: a client that invents them would fill the disk with names.</summary>
        public void End()
        {
            foreach (var topic in touchedTopics)
                if (all.isUsed.Value.Add(topic).Number() is null && all.removeTopic.Value.Add(topic).Text() is { } name) all.topics.Drop(name);
            all.setCounter.Value.Add("messages.latest").Add(Latest).Run();
        }
    }

    private sealed class Row
    {
        public long MessageNo { get; init; }
        public required byte[] Id { get; init; }
        public long ClientNo { get; init; }
        public long TopicNo { get; init; }
        public long PublishedAt { get; init; }
    }
}
