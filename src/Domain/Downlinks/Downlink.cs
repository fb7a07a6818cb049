using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Downlinks;

/// <summary>How far a downlink got.</summary>
public enum DownlinkStatus
{
    /// <summary>Written down; the broker has not answered.</summary>
    Accepted,

    /// <summary>The broker took it.</summary>
    Sent,

    /// <summary>The broker sent it to the device: the end of it with QoS 0, and where the device subscribed with QoS 0.</summary>
    Delivered,

    /// <summary>The device acknowledged it.</summary>
    Acked,

    /// <summary>The broker dropped it for this device, or for everybody.</summary>
    Dropped,

    /// <summary>Nobody was subscribed to its topic.</summary>
    NoSubscriber,

    /// <summary>The broker said no.</summary>
    Refused,

    /// <summary>It surely never reached the broker.</summary>
    Failed,

    /// <summary>It may have reached the broker or not; it is not sent again.</summary>
    Uncertain,

    /// <summary>No news that ends it came until its deadline.</summary>
    TimedOut,
}

/// <summary>What came of handing a message to the broker.</summary>
public enum PublishResult
{
    Taken,
    NoSubscriber,
    Refused,

    /// <summary>Nothing of it reached the broker.</summary>
    NotSent,

    /// <summary>No answer that tells.</summary>
    Unknown,
}

/// <param name="Message">The id that the broker gave it; null where it gives none.</param>
/// <param name="Problem">Why it was not taken, for people.</param>
public sealed record PublishAnswer(PublishResult Result, MessageId? Message = null, string? Problem = null);

/// <summary>How sure it is that a recorded message is this one.</summary>
public enum DownlinkMatch
{
    /// <summary>The broker named the same id in its answer and in its reports.</summary>
    Id,

    /// <summary>Topic, payload and time agree, and it came through the management API: an equal message of the same moment could be meant.</summary>
    Content,
}

/// <summary>
/// A message from us to one device. It is written down before it is sent and never sent twice: where it is not known whether the broker has it, it is
/// uncertain, and only reports can tell. Its status follows from all that was told, whatever came first.
/// </summary>
public sealed class Downlink : Aggregate
{
    /// <summary>The broker's ids hold the time of the message; the plugin of 4.x tells that time beside it, in whole milliseconds.</summary>
    private static readonly TimeSpan IdTolerance = TimeSpan.FromMilliseconds(5);

    /// <summary>How far the broker's clock may be from ours where only time tells which message it is.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(10);

    /// <summary>A call that is out for longer has no answer any more: the longest timeout of a broker is five minutes.</summary>
    public static readonly TimeSpan LongestCall = TimeSpan.FromMinutes(6);

    private Downlink(long id, DownlinkOrder order, string broker, string? key) => (Id, Order, Broker, Key) = (id, order, broker, key);

    public long Id { get; }
    public DownlinkOrder Order { get; }

    /// <summary>The configured broker that it goes through.</summary>
    public string Broker { get; private set; }

    /// <summary>Under which the caller may repeat it without its being sent twice.</summary>
    public string? Key { get; }

    /// <summary>When it was accepted, or accepted anew after it had surely not been sent.</summary>
    public DateTimeOffset AcceptedAt { get; private set; }

    /// <summary>Null while the broker has not answered.</summary>
    public PublishResult? Answer { get; private set; }
    public DateTimeOffset? AnsweredAt { get; private set; }
    public string? Problem { get; private set; }

    /// <summary>The id in the broker's answer.</summary>
    public MessageId? GivenId { get; private set; }

    /// <summary>The message as its reports name it: another id than <see cref="GivenId"/> where reports carry none (plugin of 4.x).</summary>
    public MessageId? RecordedId { get; private set; }
    public DownlinkMatch? Match { get; private set; }

    public DateTimeOffset? DeliveredAt { get; private set; }
    public DateTimeOffset? AckedAt { get; private set; }
    public DateTimeOffset? DroppedAt { get; private set; }
    public string? DropReason { get; private set; }

    /// <summary>When its deadline passed without an end; news that comes later still counts.</summary>
    public DateTimeOffset? TimedOutAt { get; private set; }

    /// <summary>The device gets it with QoS 0, so that no acknowledgement will come.</summary>
    public bool ExpectsNoAck { get; private set; }

    public MessageId? Message => RecordedId ?? GivenId;

    public DownlinkStatus Status =>
        AckedAt is not null ? DownlinkStatus.Acked
        : DeliveredAt is not null && ExpectsNoAck ? DownlinkStatus.Delivered
        : DroppedAt is not null ? DropReason is NoSubscribers ? DownlinkStatus.NoSubscriber : DownlinkStatus.Dropped
        : TimedOutAt is not null && (DeliveredAt is not null || Answer is PublishResult.Taken) ? DownlinkStatus.TimedOut
        : DeliveredAt is not null ? DownlinkStatus.Delivered
        : Answer switch
        {
            null => DownlinkStatus.Accepted,
            PublishResult.Taken => DownlinkStatus.Sent,
            PublishResult.NoSubscriber => DownlinkStatus.NoSubscriber,
            PublishResult.Refused => DownlinkStatus.Refused,
            PublishResult.NotSent => DownlinkStatus.Failed,
            _ => DownlinkStatus.Uncertain,
        };

    /// <summary>Whether no further news is waited for. It may still come.</summary>
    public bool IsFinished => Status switch
    {
        DownlinkStatus.Accepted or DownlinkStatus.Sent => false,
        DownlinkStatus.Delivered => ExpectsNoAck,
        DownlinkStatus.Uncertain => TimedOutAt is not null,
        _ => true,
    };

    /// <summary>When <see cref="Pass"/> has something to say; null once it is finished.</summary>
    public DateTimeOffset? DueAt => IsFinished ? null : Answer is null ? AcceptedAt + LongestCall : AcceptedAt + Order.Timeout;

    private const string NoSubscribers = "no_subscribers";

    public static Downlink Accept(long id, DownlinkOrder order, string broker, string? key, DateTimeOffset now)
    {
        var downlink = new Downlink(id, order, broker, key) { AcceptedAt = now, ExpectsNoAck = order.Qos == 0 };
        downlink.Raise(new DownlinkAccepted(id, order.Client, now, order.Topic, order.Qos));
        return downlink;
    }

    /// <summary>
    /// The caller asks again under the same key. What surely never reached the broker, or was refused, may be sent now; everything else only is what it is.
    /// </summary>
    /// <returns>Whether it is to be sent.</returns>
    public bool AskedAgain(string broker, DateTimeOffset now)
    {
        if (Answer is not (PublishResult.NotSent or PublishResult.Refused) || RecordedId is not null) return false;

        (Broker, AcceptedAt, Answer, AnsweredAt, Problem, TimedOutAt) = (broker, now, null, null, null, null);
        Raise(new DownlinkAccepted(Id, Order.Client, now, Order.Topic, Order.Qos));
        return true;
    }

    /// <summary>The broker answered, or will not any more.</summary>
    public Outcome Answered(PublishAnswer answer, DateTimeOffset now)
    {
        if (Answer is not null) return Outcome.Repeated;

        return Tell(now, () =>
        {
            (Answer, AnsweredAt, Problem, GivenId) = (answer.Result, now, answer.Problem, answer.Message);
            if (now >= AcceptedAt + Order.Timeout) TimedOutAt = AcceptedAt + Order.Timeout;
        });
    }

    /// <summary>Its message was reported: this is all that is known of it.</summary>
    /// <param name="message">With its delivery to our device, if there is one.</param>
    public Outcome Reported(Message message, DateTimeOffset now)
    {
        var delivery = message.Deliveries.FirstOrDefault(one => one.Receiver == Order.Client);
        return Tell(now, () =>
        {
            Match = message.Id == GivenId ? DownlinkMatch.Id : DownlinkMatch.Content;
            RecordedId = message.Id;
            DeliveredAt = delivery?.DeliveredAt ?? DeliveredAt;
            AckedAt = delivery?.AckedAt ?? AckedAt;
            ExpectsNoAck |= delivery is { DeliveredAt: not null, Qos: 0 };
            // What the broker says of our device tells more than what it says of all.
            (DroppedAt, DropReason) = delivery?.DroppedAt is { } dropped ? (dropped, delivery.DropReason)
                : DeliveredAt is null && AckedAt is null ? (message.DroppedAt, message.DropReason)
                : (null, null);
        });
    }

    /// <summary>Time passed.</summary>
    public Outcome Pass(DateTimeOffset now)
    {
        if (DueAt is not { } due || due > now) return Outcome.Repeated;
        if (Answer is null) return Answered(new(PublishResult.Unknown, Problem: "The broker's answer was never written down."), now);

        return Tell(now, () => TimedOutAt = due);
    }

    /// <summary>
    /// Which of these a message may be, where no id tells: one whose id was made in that moment, or else the oldest that agrees; and none while an equal one
    /// waits for the broker's answer.
    /// </summary>
    public static Downlink? Among(IReadOnlyList<Downlink> open, MessageContent content)
    {
        if (content.FromDevice) return null;
        var equal = open.Where(downlink => downlink.RecordedId is null && downlink.IsEqualTo(content)).ToList();
        return equal.Exists(downlink => downlink.Answer is null) ? null : equal.Where(downlink => downlink.MayBe(content)).MinBy(downlink => (downlink.GivenId is null, downlink.Id));
    }

    /// <summary>Whether the message may be this one, though the broker's answer did not name it.</summary>
    public bool MayBe(MessageContent content) =>
        RecordedId is null && !content.FromDevice && Window is var (from, to) && content.PublishedAt >= from && content.PublishedAt <= to
        && (GivenId is null || content.HasDerivedId) && IsEqualTo(content);

    /// <summary>In which the message was published, by the broker's clock; null where there is none to look for.</summary>
    public (DateTimeOffset From, DateTimeOffset To)? Window => Answer switch
    {
        PublishResult.Taken or PublishResult.NoSubscriber or PublishResult.Unknown when GivenId?.MadeAt is { } at => (at - IdTolerance, at + IdTolerance),
        PublishResult.Taken or PublishResult.NoSubscriber or PublishResult.Unknown => (
            AcceptedAt - ClockTolerance,
            (AnsweredAt < AcceptedAt + LongestCall ? AnsweredAt.Value : AcceptedAt + LongestCall) + ClockTolerance),
        _ => null,
    };

    /// <summary>A payload that is no text arrives damaged where the broker was not told to encode it: then topic and time have to do.</summary>
    private bool IsEqualTo(MessageContent content) =>
        content.Topic == Order.Topic
        && (content.Payload.Kind is PayloadKind.Lossy && Order.Payload.Kind is PayloadKind.Binary
            ? true
            : content.Payload.Bytes.Span.SequenceEqual(Order.Payload.Bytes.Span));

    private Outcome Tell(DateTimeOffset now, Action fact)
    {
        var before = (Status, DeliveredAt, AckedAt, DroppedAt, DropReason, TimedOutAt, Answer, RecordedId, Match, ExpectsNoAck);
        fact();
        if (before == (Status, DeliveredAt, AckedAt, DroppedAt, DropReason, TimedOutAt, Answer, RecordedId, Match, ExpectsNoAck)) return Outcome.Repeated;

        var (client, message, late) = (Order.Client, Message?.ToString(), TimedOutAt is not null);
        if (before.Answer is null && Answer is PublishResult.Taken) Raise(new DownlinkSent(Id, client, now, message));
        if (before.DeliveredAt is null && DeliveredAt is { } delivered) Raise(new DownlinkDelivered(Id, client, delivered, message, late));
        if (before.Status == Status) return Outcome.Overtaken;
        if (Event(Status, client, now, message, late) is { } happened) Raise(happened);
        return Outcome.Applied;
    }

    private IDomainEvent? Event(DownlinkStatus status, ClientId client, DateTimeOffset now, string? message, bool late) => status switch
    {
        DownlinkStatus.Acked => new DownlinkAcked(Id, client, AckedAt!.Value, message, late),
        DownlinkStatus.Dropped => new DownlinkDropped(Id, client, DroppedAt!.Value, message, DropReason!, late),
        DownlinkStatus.NoSubscriber => new DownlinkFoundNobody(Id, client, DroppedAt ?? now, message),
        DownlinkStatus.Refused => new DownlinkRefused(Id, client, now, Problem ?? ""),
        DownlinkStatus.Failed => new DownlinkFailed(Id, client, now, Problem ?? ""),
        DownlinkStatus.Uncertain => new DownlinkBecameUncertain(Id, client, now, Problem ?? ""),
        DownlinkStatus.TimedOut => new DownlinkTimedOut(Id, client, TimedOutAt!.Value, message, DeliveredAt),
        _ => null, // told above
    };

    /// <summary>Builds a downlink as it was saved.</summary>
    public static Downlink Restore(long id, DownlinkOrder order, string broker, string? key, DownlinkMemory memory) => new(id, order, broker, key)
    {
        AcceptedAt = memory.AcceptedAt,
        Answer = memory.Answer,
        AnsweredAt = memory.AnsweredAt,
        Problem = memory.Problem,
        GivenId = memory.GivenId,
        RecordedId = memory.RecordedId,
        Match = memory.Match,
        DeliveredAt = memory.DeliveredAt,
        AckedAt = memory.AckedAt,
        DroppedAt = memory.DroppedAt,
        DropReason = memory.DropReason,
        TimedOutAt = memory.TimedOutAt,
        ExpectsNoAck = memory.ExpectsNoAck,
    };
}

/// <summary>All of a downlink that changes.</summary>
public sealed record DownlinkMemory(
    DateTimeOffset AcceptedAt, PublishResult? Answer, DateTimeOffset? AnsweredAt, string? Problem, MessageId? GivenId, MessageId? RecordedId, DownlinkMatch? Match,
    DateTimeOffset? DeliveredAt, DateTimeOffset? AckedAt, DateTimeOffset? DroppedAt, string? DropReason, DateTimeOffset? TimedOutAt, bool ExpectsNoAck);
