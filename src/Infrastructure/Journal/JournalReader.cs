using System.Buffers.Binary;
using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Infrastructure.Consumers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>Reads the journal for those who follow it: events as what they are, with their message.</summary>
internal sealed class JournalReader(Database database, JournalBell bell) : IJournalReader
{
    /// <summary>So many entries one page walks where types are chosen.</summary>
    private const int EntriesWalked = 20_000;

    /// <summary>A page ends before its payloads are larger than this, whatever its limit.</summary>
    private const long MostBytes = 4 * 1024 * 1024;

    private readonly JournalTail tail = new();

    public JournalPage Read(long after, EventTypes types, bool withPayload, int limit)
    {
        if (bell.Head is var head && after < head && head - after <= JournalTail.Most && tail.Read(after, types, limit, Newest) is { } page) return page;

        var (rows, next, oldest) = Rows(after, types, withPayload, limit);
        return new([.. rows.Select(row => row.ToEntry())], next, oldest);
    }

    private TailPage Newest(long after)
    {
        var (rows, next, oldest) = Rows(after, EventTypes.All, withPayload: true, JournalTail.Most);
        return new([.. rows.Select(row => (row.ToEntry(), row.Bytes))], next, oldest);
    }

    private (List<Row> Rows, long Next, long? Oldest) Rows(long after, EventTypes types, bool withPayload, int limit)
    {
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var oldest = connection.ExecuteScalar<long?>("SELECT min(seq) FROM journal", transaction: snapshot);
        var chosen = JournalQueries.TypesOf(connection, snapshot, types);
        var head = connection.ExecuteScalar<long>(Journal.ReadHead, transaction: snapshot); // the last number given: its row may be gone already
        var end = Math.Min(Math.Max(after, head), Math.Max(after, (oldest ?? 1) - 1) + EntriesWalked);
        var (rows, bytes) = (new List<Row>(), 0L);
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
                if (bytes > MostBytes && rows.Count > 0) return (rows, rows[^1].Seq, oldest);
                rows.Add(row);
            }
        return (rows, rows.Count == limit ? rows[^1].Seq : end, oldest);
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
            var (happened, unreadable) = Happened(client, message);
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

        /// <summary>A row that cannot be read must not stop those who follow the journal: they get it raw, and are told why.</summary>
        private (IDomainEvent Happened, string? Unreadable) Happened(ClientId? client, MessageId? message)
        {
            try
            {
                return (EventData.Read(Type, At.ToTime(), client, message, Data), null);
            }
            catch (Exception fault) when (fault is JsonException or DomainException or FormatException or InvalidOperationException or NotSupportedException or ArgumentException)
            {
                return (new ReportReceived(Type, client, At.ToTime(), Data ?? "null"), $"The journal's row cannot be read as {Type}: {fault.Message}");
            }
        }
    }
}
