using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>Reads the journal by sequence number, at a cost that does not grow with it.</summary>
internal sealed class JournalQueries(Database database, ClientEvents clientEvents) : IQueryHandler<ListEvents, EventPage>, IQueryHandler<ListDeviceEvents, Page<EventView>>
{
    /// <summary>So many entries one page walks where types are chosen: some tens of milliseconds.</summary>
    internal int EntriesWalked { get; init; } = 100_000;

    private const string Oldest = "SELECT min(seq) FROM journal";

    private const string Columns = """
        j.seq, e.name AS type, j.at, c.client_id, j.data, j.message_no, m.id AS message_id, t.topic, m.qos, m.retain, length(m.payload) AS bytes, m.published_at,
        p.client_id AS publisher
        """;

    internal const string Joins = """
        CROSS JOIN event_types e ON e.type_no = j.type_no
        LEFT JOIN clients c ON c.client_no = j.client_no
        LEFT JOIN messages m ON m.message_no = j.message_no
        LEFT JOIN topics t ON t.topic_no = m.topic_no
        LEFT JOIN clients p ON p.client_no = m.client_no
        """;

    public Task<EventPage> Handle(ListEvents query, CancellationToken cancellationToken)
    {
        using var index = clientEvents.Reader();
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var head = connection.ExecuteScalar<long>(Journal.ReadHead, transaction: snapshot);
        var oldest = connection.ExecuteScalar<long?>(Oldest, transaction: snapshot);
        var chosen = TypesOf(connection, snapshot, query.Types);
        long? client = null;
        if (query.Client is { } id && (client = ClientNo(connection, snapshot, id.Value)) is null || chosen is { Count: 0 })
            return Task.FromResult(new EventPage([], Math.Max(query.After, head), head, oldest));

        var walk = client is { } clientNo
            ? WalkClient(connection, snapshot, index.Numbers(connection, clientNo, query.After, ascending: true), chosen, query.Limit)
            : WalkAll(connection, snapshot, chosen, query.After, query.Limit);
        var (items, complete, end) = Fill(walk, query.Limit, query.MaxChars, cancellationToken);
        return Task.FromResult(new EventPage(items, complete ? Math.Max(query.After, head) : end, head, oldest));
    }

    public Task<Page<EventView>> Handle(ListDeviceEvents query, CancellationToken cancellationToken)
    {
        using var index = clientEvents.Reader();
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var chosen = TypesOf(connection, snapshot, query.Types);
        if (ClientNo(connection, snapshot, query.Client.Value) is not { } client || chosen is { Count: 0 }) return Task.FromResult(new Page<EventView>([], null));

        var before = Cursor.Read<SeqPlace>(query.Page.Cursor)?.Seq ?? long.MaxValue;
        var walk = WalkClient(connection, snapshot, index.Numbers(connection, client, before, ascending: false), chosen, query.Page.Limit);
        var (items, complete, end) = Fill(walk, query.Page.Limit, ListEvents.DefaultMaxChars, cancellationToken);
        return Task.FromResult(new Page<EventView>(items, complete ? null : Cursor.Of(new SeqPlace(end))));
    }

    /// <returns>The events; whether the journal holds no more that match; else the sequence number at which to go on.</returns>
    private static (List<EventView> Items, bool Complete, long End) Fill(
        IEnumerable<(long WalkedTo, Row? Row)> walk, int limit, long maxChars, CancellationToken cancellation)
    {
        var (items, size) = (new List<EventView>(), 0L);
        foreach (var (walkedTo, found) in walk)
        {
            cancellation.ThrowIfCancellationRequested();
            if (found is not { } row) return (items, false, walkedTo);
            size += (row.Data?.Length ?? 0) + (row.Topic?.Length ?? 0);
            if (items.Count == limit || (size > maxChars && items.Count > 0)) return (items, false, items[^1].Seq);
            items.Add(row.ToView());
        }
        return (items, true, 0);
    }

    /// <returns>The rows that match; at the end, if the walk was given up, how far it came.</returns>
    private IEnumerable<(long WalkedTo, Row? Row)> WalkAll(SqliteConnection connection, SqliteTransaction snapshot, IReadOnlyCollection<long>? types, long start, int limit)
    {
        var arguments = new { start, limit = limit + 1L, walked = EntriesWalked - 1L };

        // Types have no index of their own, so a page of rare ones ends after so many entries.
        var stop = types is null ? null : connection.ExecuteScalar<long?>("SELECT seq FROM journal WHERE seq > @start ORDER BY seq LIMIT 1 OFFSET @walked", arguments, snapshot);
        var rows = connection.Query<Row>(
            $"""
            SELECT {Columns} FROM journal j {Joins}
            WHERE j.seq > @start {(stop is null ? "" : $"AND j.seq <= {stop}")} {OfTypes(types)}
            ORDER BY j.seq LIMIT @limit
            """,
            arguments, snapshot, buffered: false);
        foreach (var row in rows) yield return (row.Seq, row);
        if (stop is { } end) yield return (end, null);
    }

    /// <inheritdoc cref="WalkAll"/>
    private IEnumerable<(long WalkedTo, Row? Row)> WalkClient(
        SqliteConnection connection, SqliteTransaction snapshot, IEnumerable<long> numbers, IReadOnlyCollection<long>? types, int limit)
    {
        var sql = $"SELECT {Columns} FROM json_each(@places) p CROSS JOIN journal j ON j.seq = p.value {Joins} WHERE TRUE {OfTypes(types)}";
        var walked = 0;
        foreach (var some in numbers.Chunk(types is null ? Math.Min(limit + 1, 1_000) : 500))
        {
            foreach (var row in connection.Query<Row>(sql, new { places = "[" + string.Join(',', some) + "]" }, snapshot, buffered: false)) yield return (row.Seq, row);
            walked += some.Length;
            if (types is null || walked < EntriesWalked) continue;
            yield return (some[^1], null);
            yield break;
        }
    }

    private static string OfTypes(IReadOnlyCollection<long>? types) => types is null ? "" : $"AND j.type_no IN ({string.Join(',', types)})";

    /// <returns>The numbers of the types chosen; null for all.</returns>
    internal static List<long>? TypesOf(SqliteConnection connection, SqliteTransaction snapshot, EventTypes types) => types.IsAll ? null :
        [.. connection.Query<(long No, string Name)>("SELECT type_no, name FROM event_types ORDER BY type_no", transaction: snapshot)
            .Where(type => types.Include(type.Name)).Select(type => type.No)];

    private static long? ClientNo(SqliteConnection connection, SqliteTransaction snapshot, string id) =>
        connection.ExecuteScalar<long?>("SELECT client_no FROM clients WHERE client_id = @id", new { id }, snapshot);

    private sealed record SeqPlace([property: JsonRequired] long Seq);

    private sealed class Row
    {
        private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Converters = { new EventData.InstantConverter() },
            DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        };

        public long Seq { get; init; }
        public required string Type { get; init; }
        public long At { get; init; }
        public string? ClientId { get; init; }
        public string? Data { get; init; }
        public long? MessageNo { get; init; }
        public byte[]? MessageId { get; init; }
        public string? Topic { get; init; }
        public int Qos { get; init; }
        public bool Retain { get; init; }
        public long Bytes { get; init; }
        public long PublishedAt { get; init; }
        public string? Publisher { get; init; }

        public EventView ToView() => new() { Seq = Seq, Type = Type, At = At.ToTime(), ClientId = ClientId, Data = new RawJson(All()) };

        private string All()
        {
            if (EventData.IsReport(Type)) return $$"""{"body":{{Data ?? "null"}}}""";
            if (MessageNo is null) return Data ?? "{}";

            var message = MessageId is null
                ? "null"
                : JsonSerializer.Serialize(new EventMessageView(MessageRow.IdOf(MessageId), Topic!, Qos, Retain, Bytes, PublishedAt.ToTime(), Publisher!), Json);
            return Data is null or "{}" ? $$"""{"message":{{message}}}""" : $$"""{"message":{{message}},{{Data[1..]}}""";
        }
    }
}
