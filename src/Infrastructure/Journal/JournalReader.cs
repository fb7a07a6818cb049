using System.Buffers.Binary;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Consumers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>Reads the journal for those who follow it: events as what they are, with their message.</summary>
internal sealed class JournalReader(Database database, JournalTail tail) : IJournalReader
{
    /// <summary>So many entries one page walks where types are chosen.</summary>
    private const int EntriesWalked = 20_000;

    private const string ReadOldest = "SELECT min(seq) FROM journal";

    /// <summary>A page ends before its payloads are larger than this, whatever its limit.</summary>
    private const long MostBytes = 4 * 1024 * 1024;

    public JournalPage Read(long after, EventTypes types, bool withPayload, int limit) => tail.Read(after, types, limit) ?? Stored(after, types, withPayload, limit);

    private JournalPage Stored(long after, EventTypes types, bool withPayload, int limit)
    {
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var head = connection.ExecuteScalar<long>(Journal.ReadHead, transaction: snapshot); // the last number given: its row may be gone already
        var gone = connection.ExecuteScalar<long?>(ReadOldest, transaction: snapshot) - 1 ?? head;
        var chosen = JournalQueries.TypesOf(connection, snapshot, types);
        var end = Math.Min(Math.Max(after, head), Math.Max(after, gone) + EntriesWalked);
        var (entries, bytes) = (new List<JournalEntry>(), 0L);
        if (chosen is not { Count: 0 })
            foreach (var row in connection.Query<Row>(
                $"""
                {Select(withPayload)}
                WHERE j.seq > @after AND j.seq <= @end {(chosen is null ? "" : $"AND j.type_no IN ({string.Join(',', chosen)})")}
                ORDER BY j.seq LIMIT @limit
                """,
                new { after, end, limit }, snapshot, buffered: false))
            {
                bytes += row.Bytes;
                if (bytes > MostBytes && entries.Count > 0) return new(entries, entries[^1].Seq, gone);
                entries.Add(row.ToEntry());
            }
        return new(entries, entries.Count == limit ? entries[^1].Seq : end, gone);
    }

    public long ReadGone()
    {
        using var connection = database.OpenForReading();
        return connection.ExecuteScalar<long?>($"SELECT coalesce(({ReadOldest}) - 1, ({Journal.ReadHead}))") ?? 0;
    }

    public JournalEntry? Find(long seq, bool withPayload)
    {
        using var connection = database.OpenForReading();
        return connection.QuerySingleOrDefault<Row>($"{Select(withPayload)} WHERE j.seq = @seq", new { seq })?.ToEntry();
    }

    public (ConsumerState State, IReadOnlyList<ParkedEvent> Parked)? Load(string consumer)
    {
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var row = connection.QuerySingleOrDefault<ConsumerRow>("SELECT * FROM consumers WHERE name = @consumer", new { consumer }, snapshot);
        if (row is null) return null;
        var parked = connection.Query<(long Seq, string? Client, int Attempts, long NextAt, bool IsReplay)>(
            "SELECT seq, client, attempts, next_at, replay FROM parked_events WHERE consumer = @consumer ORDER BY seq", new { consumer }, snapshot);
        return (row.ToState(), [.. parked.Select(one => new ParkedEvent(one.Seq, one.Client is null ? null : new ClientId(one.Client), one.Attempts, one.NextAt.ToTime(), one.IsReplay))]);
    }

    private static string Select(bool withPayload) => $"""
        SELECT j.seq, e.name AS type, j.at, c.client_id, j.data, j.message_no IS NOT NULL AND m.id IS NULL AS is_message_gone, m.id AS message_id, t.topic, m.qos, m.retain, m.published_at, p.client_id AS publisher
          {(withPayload ? ", m.payload" : "")}
        FROM journal j {JournalQueries.Joins}
        """;

    private sealed class Row
    {
        public long Seq { get; init; }
        public required string Type { get; init; }
        public long At { get; init; }
        public string? ClientId { get; init; }
        public string? Data { get; init; }
        public bool IsMessageGone { get; init; }
        public byte[]? MessageId { get; init; }
        public string? Topic { get; init; }
        public int Qos { get; init; }
        public bool Retain { get; init; }
        public long PublishedAt { get; init; }
        public string? Publisher { get; init; }
        public byte[]? Payload { get; init; }

        public long Bytes => (Payload?.Length ?? 0) + (Data?.Length ?? 0);

        public JournalEntry ToEntry()
        {
            ClientId? client = ClientId is null ? null : new(ClientId);
            MessageId? message = MessageId is null ? null : new(BinaryPrimitives.ReadUInt128BigEndian(MessageId));
            var (happened, unreadable) = EventData.ReadOrRaw(Type, At.ToTime(), client, message, Data);
            return new JournalEntry
            {
                Seq = Seq,
                Type = Type,
                At = At.ToTime(),
                Client = client,
                Happened = happened,
                Unreadable = unreadable,
                IsMessageGone = IsMessageGone,
                Message = message is null ? null : new(message.Value.ToString(), new(Publisher!), Topic!, Qos, Retain, PublishedAt.ToTime(), Payload),
            };
        }
    }
}
