namespace WebhookService.Domain.Messages;

/// <summary>How far a message got. Later values win, whatever came last: one acknowledged delivery makes it acked.</summary>
public enum MessageStatus
{
    Published,
    Dropped,
    Delivered,
    Acked,
}

/// <summary>What every report of a message says of it.</summary>
/// <param name="Publisher">The client id it was published under.</param>
/// <param name="FromDevice">False for what no MQTT client published: REST API (`http_api`), rules, `$`-clients.</param>
/// <param name="PublishedAt">Broker time of the PUBLISH (`publish_received_at`; `ts` in the 4.x plugin).</param>
/// <param name="Properties">MQTT 5 publish properties as a JSON object, if any.</param>
public sealed record MessageContent(
    MessageId Id, ClientId Publisher, bool FromDevice, string? Username, string Topic, int Qos, bool Retain, DateTimeOffset PublishedAt, Payload Payload, string? Properties)
{
    /// <summary>The id is made of the content, because the report had none.</summary>
    public bool HasDerivedId => Id == MessageId.OfContent(Publisher.Value, PublishedAt, Topic, Payload.Bytes.Span);
}

/// <summary>What became of a message at one receiver.</summary>
public sealed record Delivery(ClientId Receiver)
{
    /// <summary>The first time the broker sent it; null while only a later step is known.</summary>
    public DateTimeOffset? DeliveredAt { get; init; }
    public DateTimeOffset? AckedAt { get; init; }
    public DateTimeOffset? DroppedAt { get; init; }

    /// <summary>The broker's word: queue_full, qos0_msg, no_local, expired, subscription_filter …</summary>
    public string? DropReason { get; init; }

    /// <summary>The broker sent it again (DUP).</summary>
    public bool Redelivered { get; init; }

    /// <summary>With which the receiver got it: the lower of the publish's and the subscription's. Null while no delivery was reported.</summary>
    public int? Qos { get; init; }
}

/// <summary>
/// One published message with its deliveries. Every report carries enough to be the first one, so a delivery that overtakes its publish
/// creates the message.
/// </summary>
public sealed class Message : Aggregate
{
    private Dictionary<ClientId, Delivery>? deliveries; // most reports speak of none

    private Message(MessageContent content, DateTimeOffset receivedAt) => (Content, ReceivedAt) = (content, receivedAt);

    public MessageContent Content { get; private set; }
    public MessageId Id => Content.Id;
    public DateTimeOffset ReceivedAt { get; }

    /// <summary>False while only a delivery or drop has been reported.</summary>
    public bool PublishSeen { get; private set; }
    public DateTimeOffset? DroppedAt { get; private set; }
    public string? DropReason { get; private set; }
    public MessageStatus Status { get; private set; }

    /// <summary>The deliveries at hand; a repository may load only those that a report speaks of.</summary>
    public IReadOnlyCollection<Delivery> Deliveries => deliveries is null ? [] : deliveries.Values;

    public static Message Of(MessageContent content, DateTimeOffset receivedAt) => new(content, receivedAt);

    /// <summary>`message.publish`.</summary>
    public Outcome Published(MessageContent content)
    {
        if (PublishSeen) return Outcome.Repeated;

        PublishSeen = true;
        if (!ReferenceEquals(content, Content)) // a delivery shows the receiver's QoS and retain, and a rule may leave out or change its payload
            Content = Content with
            {
                Username = content.Username,
                Qos = content.Qos,
                Retain = content.Retain,
                Payload = content.Payload.Bytes.IsEmpty || content.Payload.IsSame(Content.Payload) ? Content.Payload : content.Payload,
                Properties = content.Properties,
            };
        Raise(new MessagePublished(Id, content.Publisher, content.PublishedAt));
        return Outcome.Applied;
    }

    /// <summary>`message.delivered`: once a receiver and again for each re-delivery, which adds to the record but is no second delivery.</summary>
    public Outcome Delivered(ClientId receiver, DateTimeOffset at, bool duplicate, int? qos = null)
    {
        var known = To(receiver);
        if (known.DeliveredAt is { } earlier)
        {
            var both = known with { DeliveredAt = at < earlier ? at : earlier, Redelivered = known.Redelivered || duplicate, Qos = known.Qos ?? qos };
            if (both == known) return Outcome.Repeated;
            Set(both);
            return Outcome.Overtaken;
        }
        Set(known with { DeliveredAt = at, Redelivered = known.Redelivered || duplicate, Qos = qos });
        Reach(MessageStatus.Delivered);
        Raise(new MessageDelivered(Id, receiver, at));
        return Outcome.Applied;
    }

    /// <summary>`message.acked`: QoS 1 and 2 only.</summary>
    public Outcome Acked(ClientId receiver, DateTimeOffset at)
    {
        var known = To(receiver);
        if (known.AckedAt is not null) return Outcome.Repeated;

        Set(known with { AckedAt = at });
        Reach(MessageStatus.Acked);
        Raise(new MessageAcked(Id, receiver, at));
        return Outcome.Applied;
    }

    /// <summary>`message.dropped`: for all receivers, mostly because there were none.</summary>
    public Outcome Dropped(DateTimeOffset at, string reason)
    {
        if (DroppedAt is not null) return Outcome.Repeated;

        (DroppedAt, DropReason) = (at, reason);
        Reach(MessageStatus.Dropped);
        Raise(new MessageDropped(Id, Content.Publisher, at, reason));
        return Outcome.Applied;
    }

    /// <summary>`delivery.dropped`: for one receiver.</summary>
    public Outcome DroppedFor(ClientId receiver, DateTimeOffset at, string reason)
    {
        var known = To(receiver);
        if (known.DroppedAt is not null) return Outcome.Repeated;

        Set(known with { DroppedAt = at, DropReason = reason });
        Reach(MessageStatus.Dropped);
        Raise(new DeliveryDropped(Id, receiver, at, reason));
        return Outcome.Applied;
    }

    private Delivery To(ClientId receiver) => deliveries?.GetValueOrDefault(receiver) ?? new Delivery(receiver);

    private void Set(Delivery delivery) => (deliveries ??= [])[delivery.Receiver] = delivery;

    private void Reach(MessageStatus status)
    {
        if (status > Status) Status = status;
    }

    /// <summary>Builds a message as it was saved, with the deliveries that were asked for.</summary>
    public static Message Restore(
        MessageContent content, DateTimeOffset receivedAt, bool publishSeen, DateTimeOffset? droppedAt, string? dropReason, MessageStatus status) =>
        new(content, receivedAt) { PublishSeen = publishSeen, DroppedAt = droppedAt, DropReason = dropReason, Status = status };

    /// <summary>Adds a delivery as it was saved.</summary>
    public void Recall(Delivery delivery) => (deliveries ??= []).TryAdd(delivery.Receiver, delivery);
}
