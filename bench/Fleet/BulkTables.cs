using Microsoft.Data.Sqlite;
using WebhookService.Domain;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Fleet;

/// <summary>Prepared inserts into the tables of the service. The columns are named, so that a migration that renames one is noticed.</summary>
internal sealed class BulkTables : IDisposable
{
    private readonly List<Statement> statements = [];
    private readonly Dictionary<string, long> types = [];
    private readonly Statement journal;
    private readonly Statement eventTypes;
    private readonly SqliteConnection connection;
    private long seq;

    public BulkTables(SqliteConnection connection)
    {
        this.connection = connection;
        Clients = Into("clients", "client_no, client_id");
        Topics = Into("topics", "topic_no, topic, reversed");
        Devices = Into(
            "devices", """
            client_no, client_id, username, first_seen_at, status, confidence, since, evidence, last_online_at, last_offline_at, last_reason,
            last_raw_reason, session_count, subscription_count, node, connected_at, peer, ip, port, protocol, protocol_version, keep_alive,
            clean_start, expiry, fresh_confidence
            """);
        Deadlines = Into("deadlines", "client_no, due_at");
        Activity = Into("device_activity", "client_no, last_seen_at, last_message_at, last_topic, published, delivered, dropped, version, status");
        Sessions = Into(
            "sessions", """
            session_no, client_no, node, connected_at, peer, opened, time_is_arrival, username, ip, port, protocol, protocol_version, keep_alive,
            clean_start, expiry, closed_at, closed_reason, closed_raw, end_at, end_reason, end_raw, ended_by, published_start, delivered_start,
            dropped_start, published_end, delivered_end, dropped_end
            """);
        Subscriptions = Into("subscriptions", "client_no, filter, qos, subscribed_at, ends_at, ended_by");
        Messages = Into(
            "messages", """
            message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload, username
            """);
        Streams = Into("streams", "stream_no, client_no, topic_no, from_device, first_no");
        Deliveries = Into("deliveries", "message_no, client_no, delivered_at, acked_at, redelivered");
        journal = Into("journal", "seq, type_no, at, client_no, message_no, data");
        eventTypes = Into("event_types", "type_no, name");
    }

    public Statement Clients { get; }
    public Statement Topics { get; }
    public Statement Devices { get; }
    public Statement Deadlines { get; }
    public Statement Activity { get; }
    public Statement Sessions { get; }
    public Statement Subscriptions { get; }
    public Statement Messages { get; }
    public Statement Streams { get; }
    public Statement Deliveries { get; }
    public long JournalRows => seq;

    /// <summary>Writes an event as the service's own journal would: type, data and all.</summary>
    public void Append(IDomainEvent happened, long clientNo, long? messageNo = null)
    {
        var name = EventData.NameOf(happened);
        if (!types.TryGetValue(name, out var type))
        {
            types[name] = type = types.Count + 1;
            eventTypes.Add(type).Add(name).Run();
        }
        journal.Add(++seq).Add(type).Add(happened.At.ToMs()).Add(clientNo).Add(messageNo).Add(EventData.Of(happened)).Run();
    }

    public void Dispose() => statements.ForEach(statement => statement.Dispose());

    private Statement Into(string table, string columns)
    {
        var places = string.Join(", ", columns.Split(',').Select(_ => "?"));
        var statement = new Statement(connection, $"INSERT INTO {table} ({columns}) VALUES ({places})");
        statements.Add(statement);
        return statement;
    }
}
