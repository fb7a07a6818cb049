using Dapper;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Messages with those of their deliveries that reports speak of. A message's payload is written once, unless the publish comes later and says another one;
/// what changes else is small.
/// Messages stay in memory for a moment, because their deliveries follow within milliseconds.
/// </summary>
internal sealed class MessageRepository : IMessageRepository, IUnitOfWorkPart
{
    /// <summary>Larger payloads are not kept in memory between transactions.</summary>
    private const int LargestKept = 4_096;

    /// <summary>Nor are messages with more receivers than that, whose deliveries would be gone through at every flush.</summary>
    private const int MostDeliveriesKept = 100;

    private const string Find = """
        SELECT m.*, c.client_id, t.topic FROM messages m JOIN clients c USING (client_no) JOIN topics t USING (topic_no) WHERE m.message_no = @MessageNo
        """;

    private const string FindDelivery = "SELECT * FROM deliveries WHERE message_no = @MessageNo AND client_no = @ClientNo";

    private const string Insert = """
        INSERT INTO messages (message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload,
          username, properties, dropped_at, drop_reason)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """;

    private const string Update = """
        UPDATE messages SET qos = ?, retain = ?, publish_seen = ?, status = ?, username = ?, properties = ?, dropped_at = ?, drop_reason = ? WHERE message_no = ?
        """;

    private const string UpdatePayload = "UPDATE messages SET kind = ?, payload = ? WHERE message_no = ?";

    private const string SaveDelivery = """
        INSERT INTO deliveries (message_no, client_no, delivered_at, acked_at, dropped_at, drop_reason, redelivered, qos) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (message_no, client_no) DO UPDATE SET
          delivered_at = excluded.delivered_at, acked_at = excluded.acked_at, dropped_at = excluded.dropped_at,
          drop_reason = excluded.drop_reason, redelivered = excluded.redelivered, qos = excluded.qos
        """;

    private readonly UnitOfWork work;
    private readonly ClientNames clients;
    private readonly TopicNames topics;
    private readonly Streams streams;
    private readonly StreamMessages ofStreams;
    private readonly MessageIndexes indexes;
    private readonly Journal.Journal journal;
    private readonly Sequence sequence;
    private readonly Lazy<Statement> insert;
    private readonly Lazy<Statement> update;
    private readonly Lazy<Statement> updatePayload;
    private readonly Lazy<Statement> saveDelivery;
    private readonly GenerationCache<MessageId, Entry> known = new(1_024); // what outlives some collections of garbage costs more than reading a late one again
    private readonly HashSet<Entry> changed = [];
    private readonly List<MessageId> large = [];

    public MessageRepository(
        UnitOfWork work, ClientNames clients, TopicNames topics, Streams streams, StreamMessages ofStreams, MessageIndexes indexes, Journal.Journal journal)
    {
        (this.work, this.clients, this.topics, this.streams, this.ofStreams, this.indexes, this.journal) = (work, clients, topics, streams, ofStreams, indexes, journal);
        sequence = new Sequence(work, "messages", "messages", "message_no");
        insert = work.Prepare(Insert);
        update = work.Prepare(Update);
        updatePayload = work.Prepare(UpdatePayload);
        saveDelivery = work.Prepare(SaveDelivery);
        work.Enlist(this);
    }

    public ValueTask<Message?> FindAsync(MessageId id, ClientId? receiver, CancellationToken cancellation)
    {
        if (!known.TryGet(id, out var entry))
        {
            if (indexes.Find(id) is not { } number) return ValueTask.FromResult<Message?>(null);
            var message = work.Connection.QuerySingle<Row>(Find, new { MessageNo = number }).ToMessage(id);
            entry = new Entry(number, message) { Stored = true, Saved = MutableState.Of(message) };
            Keep(entry);
        }
        if (receiver is { } client && !entry.IsWhole && entry.IsAskedFirst(client) && clients.Find(client.Value) is { } clientNo
            && work.Connection.QuerySingleOrDefault<DeliveryRow>(FindDelivery, new { MessageNo = entry.Number, ClientNo = clientNo }) is { } row)
        {
            var delivery = row.ToDelivery(client);
            entry.Message.Recall(delivery);
            entry.Deliveries[client] = delivery;
        }
        return ValueTask.FromResult<Message?>(entry.Message);
    }

    public ValueTask SaveAsync(Message message, CancellationToken cancellation)
    {
        if (!known.TryGet(message.Id, out var entry)) Keep(entry = new Entry(sequence.Next(), message) { IsWhole = true });
        journal.Append(message.TakeEvents(), (entry.Number, message));
        changed.Add(entry);
        return ValueTask.CompletedTask;
    }

    /// <summary>The message was deleted in this transaction, and nothing of it was left to write.</summary>
    public void Drop(MessageId id) => known.Remove(id);

    public void Flush()
    {
        foreach (var entry in changed)
        {
            Flush(entry);
            if (entry.Message.Deliveries.Count == 0) continue;
            foreach (var delivery in entry.Message.Deliveries)
            {
                if (entry.Deliveries.GetValueOrDefault(delivery.Receiver) == delivery) continue;
                saveDelivery.Value
                    .Add(entry.Number).Add(clients.NumberOf(delivery.Receiver.Value)).Add(delivery.DeliveredAt.ToMs()).Add(delivery.AckedAt.ToMs())
                    .Add(delivery.DroppedAt.ToMs()).Add(delivery.DropReason).Add(delivery.Redelivered).Add((long?)delivery.Qos)
                    .Run();
                entry.Deliveries[delivery.Receiver] = delivery;
            }
            if (entry.Deliveries.Count > MostDeliveriesKept) large.Add(entry.Message.Id);
        }
        changed.Clear();
    }

    public void Forget()
    {
        known.Clear();
        changed.Clear();
        large.Clear();
        sequence.Forget();
    }

    public void Committed()
    {
        foreach (var id in large) known.Remove(id);
        large.Clear();
        known.Age();
    }

    private void Keep(Entry entry)
    {
        known.Set(entry.Message.Id, entry);
        KeepNotIfLarge(entry.Message);
    }

    private void KeepNotIfLarge(Message message)
    {
        if (message.Content.Payload.Bytes.Length > LargestKept) large.Add(message.Id);
    }

    private void Flush(Entry entry)
    {
        var (message, content, state) = (entry.Message, entry.Message.Content, MutableState.Of(entry.Message));
        if (!entry.Stored)
        {
            var (client, topic) = (clients.NumberOf(content.Publisher.Value), topics.NumberOf(content.Topic));
            insert.Value
                .Add(entry.Number).AddId(message.Id.Value).Add(client).Add(topic)
                .Add((long)content.Qos).Add(content.Retain).Add(content.PublishedAt.ToMs()).Add(message.ReceivedAt.ToMs()).Add(message.PublishSeen)
                .Add(content.FromDevice).Add((long)message.Status).Add((long)content.Payload.Kind).Add(content.Payload.Bytes.Span)
                .Add(content.Username).Add(content.Properties).Add(message.DroppedAt.ToMs()).Add(message.DropReason)
                .Run();
            indexes.Add(message.Id, entry.Number);
            ofStreams.Add(streams.NumberOf(client, topic, content.FromDevice, entry.Number), content.PublishedAt.ToMs(), entry.Number);
        }
        else if (entry.Saved != state)
        {
            update.Value
                .Add((long)state.Qos).Add(state.Retain).Add(state.PublishSeen).Add((long)state.Status).Add(state.Username).Add(state.Properties)
                .Add(state.DroppedAt.ToMs()).Add(state.DropReason).Add(entry.Number)
                .Run();
            if (entry.Saved.Payload != state.Payload)
            {
                updatePayload.Value.Add((long)state.Payload.Kind).Add(state.Payload.Bytes.Span).Add(entry.Number).Run();
                KeepNotIfLarge(message);
            }
        }
        (entry.Stored, entry.Saved) = (true, state);
    }

    private sealed class Entry(long number, Message message)
    {
        public long Number { get; } = number;
        public Message Message { get; } = message;
        private HashSet<ClientId>? asked; // of most messages nobody's
        private Dictionary<ClientId, Delivery>? deliveries;

        public bool Stored { get; set; }

        /// <summary>All its deliveries are at hand: it was not read from the database.</summary>
        public bool IsWhole { get; init; }
        public MutableState Saved { get; set; }

        /// <summary>As they stand in the database.</summary>
        public Dictionary<ClientId, Delivery> Deliveries => deliveries ??= [];

        /// <summary>Whether a receiver's delivery was not looked up before.</summary>
        public bool IsAskedFirst(ClientId receiver) => (asked ??= []).Add(receiver);
    }

    /// <summary>What of a message may change after its first report.</summary>
    private readonly record struct MutableState(
        int Qos, bool Retain, bool PublishSeen, MessageStatus Status, string? Username, string? Properties, DateTimeOffset? DroppedAt, string? DropReason, Payload Payload)
    {
        public static MutableState Of(Message message) => new(
            message.Content.Qos, message.Content.Retain, message.PublishSeen, message.Status, message.Content.Username, message.Content.Properties,
            message.DroppedAt, message.DropReason, message.Content.Payload);
    }

    private sealed record Row
    {
        public string ClientId { get; init; } = "";
        public string Topic { get; init; } = "";
        public long Qos { get; init; }
        public bool Retain { get; init; }
        public long PublishedAt { get; init; }
        public long ReceivedAt { get; init; }
        public bool PublishSeen { get; init; }
        public bool FromDevice { get; init; }
        public long Status { get; init; }
        public long Kind { get; init; }
        public byte[] Payload { get; init; } = [];
        public string? Username { get; init; }
        public string? Properties { get; init; }
        public long? DroppedAt { get; init; }
        public string? DropReason { get; init; }

        public Message ToMessage(MessageId id) => Message.Restore(
            new MessageContent(
                id, new ClientId(ClientId), FromDevice, Username, Topic, (int)Qos, Retain, PublishedAt.ToTime(), new Payload(Payload, (PayloadKind)Kind), Properties),
            ReceivedAt.ToTime(), PublishSeen, DroppedAt.ToTime(), DropReason, (MessageStatus)Status);
    }

    private sealed record DeliveryRow
    {
        public long? DeliveredAt { get; init; }
        public long? AckedAt { get; init; }
        public long? DroppedAt { get; init; }
        public string? DropReason { get; init; }
        public bool Redelivered { get; init; }
        public long? Qos { get; init; }

        public Delivery ToDelivery(ClientId receiver) => new(receiver)
        {
            DeliveredAt = DeliveredAt.ToTime(),
            AckedAt = AckedAt.ToTime(),
            DroppedAt = DroppedAt.ToTime(),
            DropReason = DropReason,
            Redelivered = Redelivered,
            Qos = (int?)Qos,
        };
    }
}
