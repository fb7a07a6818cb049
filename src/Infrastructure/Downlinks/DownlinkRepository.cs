using System.Buffers.Binary;
using System.Text.Json;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Downlinks;

/// <summary>Messages to devices. They are few beside the reports, so each is read when it is needed and written at once.</summary>
internal sealed class DownlinkRepository : IDownlinkRepository, IUnitOfWorkPart, IDisposable
{
    /// <summary>So many messages or downlinks to one topic are compared where no id tells.</summary>
    private const int Most = 100;

    private const string Save = """
        INSERT INTO downlinks (downlink_no, client_no, key, broker, topic, qos, retain, kind, payload, expiry, timeout, properties, accepted_at, answer,
          answered_at, problem, given_id, recorded_id, match, delivered_at, acked_at, dropped_at, drop_reason, timed_out_at, expects_no_ack, status, finished, due_at)
        VALUES (@DownlinkNo, @ClientNo, @Key, @Broker, @Topic, @Qos, @Retain, @Kind, @Payload, @Expiry, @Timeout, @Properties, @AcceptedAt, @Answer,
          @AnsweredAt, @Problem, @GivenId, @RecordedId, @Match, @DeliveredAt, @AckedAt, @DroppedAt, @DropReason, @TimedOutAt, @ExpectsNoAck, @Status, @Finished, @DueAt)
        ON CONFLICT (downlink_no) DO UPDATE SET broker = excluded.broker, accepted_at = excluded.accepted_at, answer = excluded.answer,
          answered_at = excluded.answered_at, problem = excluded.problem, given_id = excluded.given_id, recorded_id = excluded.recorded_id, match = excluded.match,
          delivered_at = excluded.delivered_at, acked_at = excluded.acked_at, dropped_at = excluded.dropped_at, drop_reason = excluded.drop_reason,
          timed_out_at = excluded.timed_out_at, expects_no_ack = excluded.expects_no_ack, status = excluded.status, finished = excluded.finished, due_at = excluded.due_at
        """;

    private const string Select = $"SELECT {DownlinkRow.Columns} FROM downlinks d CROSS JOIN clients c ON c.client_no = d.client_no";

    /// <summary>So many clients that are no devices are thought of for one topic …</summary>
    private const int MostStreams = 1_000;

    /// <summary>… and so many of their messages, the newest.</summary>
    private const int MostLookedUp = 1_000;

    private const string Others = $"""
        SELECT {StreamRow.Columns} FROM topics t CROSS JOIN streams s ON s.topic_no = t.topic_no AND s.from_device = 0 WHERE t.topic = @topic LIMIT @MostStreams
        """;

    private const string Recorded = """
        SELECT m.id FROM json_each(@numbers) n CROSS JOIN messages m ON m.message_no = n.value
        WHERE m.from_device = 0 AND NOT EXISTS (SELECT 1 FROM downlinks d WHERE d.recorded_id = m.id)
        LIMIT @Most
        """;

    private readonly UnitOfWork work;
    private readonly ClientNames clients;
    private readonly Journal.Journal journal;
    private readonly StreamMessages streamMessages;
    private readonly Sequence sequence;
    private readonly Lazy<Statement> ofMessage;
    private readonly Lazy<Statement> unreported;
    private readonly SemaphoreSlim nudge = new(0, 1);
    private bool armed;

    public DownlinkRepository(UnitOfWork work, ClientNames clients, Journal.Journal journal, StreamMessages streamMessages)
    {
        (this.work, this.clients, this.journal, this.streamMessages) = (work, clients, journal, streamMessages);
        sequence = new Sequence(work, "downlinks", "downlinks", "downlink_no");
        ofMessage = work.Prepare("SELECT downlink_no FROM downlinks WHERE recorded_id = ?1 UNION ALL SELECT downlink_no FROM downlinks WHERE given_id = ?1 LIMIT 1");
        unreported = work.Prepare("SELECT 1 FROM downlinks WHERE topic = ? AND recorded_id IS NULL LIMIT 1");
        work.Enlist(this);
    }

    public long NextId() => sequence.Next();

    public ValueTask<Downlink?> FindAsync(long id, CancellationToken cancellation) => ValueTask.FromResult(One("d.downlink_no = @id", new { id }));

    public ValueTask<Downlink?> OfKeyAsync(string key, CancellationToken cancellation) => ValueTask.FromResult(One("d.key = @key", new { key }));

    public ValueTask<Downlink?> OfMessageAsync(MessageId message, CancellationToken cancellation) =>
        ofMessage.Value.AddId(message.Value).Number() is { } number ? FindAsync(number, cancellation) : ValueTask.FromResult<Downlink?>(null);

    public ValueTask<IReadOnlyList<Downlink>> UnreportedAsync(string topic, CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<Downlink>>(
        unreported.Value.Add(topic).Number() is null // mostly, where others publish through the broker's API
            ? []
            : [.. work.Connection.Query<DownlinkRow>(
                $"{Select} WHERE d.topic = @topic AND d.recorded_id IS NULL ORDER BY d.downlink_no DESC LIMIT @Most", new { topic, Most }).Reverse().Select(row => row.ToDownlink())]);

    public ValueTask<IReadOnlyList<MessageId>> RecordedAsync(string topic, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellation)
    {
        work.Flush(); // messages of this very transaction count
        using var index = streamMessages.Reader();
        var streams = work.Connection.Query<StreamRow>(Others, new { topic, MostStreams }).AsList();
        var places = new StreamMerge(work.Connection, index).NewestFirst(streams, new Place(to.ToMs(), long.MaxValue), from.ToMs()).Take(MostLookedUp);
        var numbers = "[" + string.Join(',', places.Reverse().Select(place => place.No)) + "]";
        return ValueTask.FromResult<IReadOnlyList<MessageId>>(
            [.. work.Connection.Query<byte[]>(Recorded, new { numbers, Most }).Select(id => new MessageId(BinaryPrimitives.ReadUInt128BigEndian(id)))]);
    }

    public ValueTask<IReadOnlyList<long>> UnansweredAsync(long upTo, CancellationToken cancellation) => ValueTask.FromResult<IReadOnlyList<long>>(
        work.Connection.Query<long>("SELECT downlink_no FROM downlinks WHERE answer IS NULL AND downlink_no <= @upTo ORDER BY downlink_no", new { upTo }).AsList());

    public ValueTask SaveAsync(Downlink downlink, CancellationToken cancellation)
    {
        armed |= downlink.DueAt is not null;
        journal.Append(downlink.TakeEvents());
        work.Connection.Execute(Save, DownlinkRow.From(downlink, clients.NumberOf(downlink.Order.Client.Value)));
        return ValueTask.CompletedTask;
    }

    public void Flush() { } // written as they come

    public void Forget() => sequence.Forget();

    public void Committed()
    {
        if (armed && nudge.CurrentCount == 0) nudge.Release();
        armed = false;
    }

    /// <summary>Ends when a downlink with a due time was saved; at once if one was since the last call ended.</summary>
    public Task ArmedAsync(CancellationToken cancellation) => nudge.WaitAsync(cancellation);

    public void Dispose() => nudge.Dispose();

    private Downlink? One(string which, object parameters) => work.Connection.QuerySingleOrDefault<DownlinkRow>($"{Select} WHERE {which}", parameters)?.ToDownlink();
}

/// <summary>A row of `downlinks`, with the client id.</summary>
internal sealed record DownlinkRow
{
    public const string Columns = """
        d.downlink_no, d.client_no, c.client_id, d.key, d.broker, d.topic, d.qos, d.retain, d.kind, d.payload, d.expiry, d.timeout, d.properties, d.accepted_at, d.answer,
        d.answered_at, d.problem, d.given_id, d.recorded_id, d.match, d.delivered_at, d.acked_at, d.dropped_at, d.drop_reason, d.timed_out_at, d.expects_no_ack,
        d.status, d.finished, d.due_at
        """;

    public long DownlinkNo { get; init; }
    public long ClientNo { get; init; }
    public string ClientId { get; init; } = "";
    public string? Key { get; init; }
    public string Broker { get; init; } = "";
    public string Topic { get; init; } = "";
    public long Qos { get; init; }
    public bool Retain { get; init; }
    public long Kind { get; init; }
    public byte[] Payload { get; init; } = [];
    public long? Expiry { get; init; }
    public long Timeout { get; init; }
    public string? Properties { get; init; }
    public long AcceptedAt { get; init; }
    public string? Answer { get; init; }
    public long? AnsweredAt { get; init; }
    public string? Problem { get; init; }
    public byte[]? GivenId { get; init; }
    public byte[]? RecordedId { get; init; }
    public string? Match { get; init; }
    public long? DeliveredAt { get; init; }
    public long? AckedAt { get; init; }
    public long? DroppedAt { get; init; }
    public string? DropReason { get; init; }
    public long? TimedOutAt { get; init; }
    public bool ExpectsNoAck { get; init; }
    public string Status { get; init; } = "";
    public bool Finished { get; init; }
    public long? DueAt { get; init; }

    public static DownlinkRow From(Downlink downlink, long clientNo) => new()
    {
        DownlinkNo = downlink.Id,
        ClientNo = clientNo,
        Key = downlink.Key,
        Broker = downlink.Broker,
        Topic = downlink.Order.Topic,
        Qos = downlink.Order.Qos,
        Retain = downlink.Order.Retain,
        Kind = (long)downlink.Order.Payload.Kind,
        Payload = downlink.Order.Payload.Bytes.ToArray(),
        Expiry = (long?)downlink.Order.Expiry?.TotalSeconds,
        Timeout = (long)downlink.Order.Timeout.TotalMilliseconds,
        Properties = downlink.Order.Properties is { } properties ? JsonSerializer.Serialize(properties) : null,
        AcceptedAt = downlink.AcceptedAt.ToMs(),
        Answer = downlink.Answer is { } answer ? Words.Of(answer) : null,
        AnsweredAt = downlink.AnsweredAt.ToMs(),
        Problem = downlink.Problem,
        GivenId = Bytes(downlink.GivenId),
        RecordedId = Bytes(downlink.RecordedId),
        Match = downlink.Match is { } match ? Words.Of(match) : null,
        DeliveredAt = downlink.DeliveredAt.ToMs(),
        AckedAt = downlink.AckedAt.ToMs(),
        DroppedAt = downlink.DroppedAt.ToMs(),
        DropReason = downlink.DropReason,
        TimedOutAt = downlink.TimedOutAt.ToMs(),
        ExpectsNoAck = downlink.ExpectsNoAck,
        Status = Words.Of(downlink.Status),
        Finished = downlink.IsFinished,
        DueAt = downlink.DueAt.ToMs(),
    };

    public Downlink ToDownlink() => Downlink.Restore(
        DownlinkNo,
        new DownlinkOrder(
            new ClientId(ClientId), Topic, Payload, (int)Qos, Retain, Expiry is { } seconds ? TimeSpan.FromSeconds(seconds) : null, TimeSpan.FromMilliseconds(Timeout), ReadProperties()),
        Broker,
        Key,
        new DownlinkMemory(
            AcceptedAt.ToTime(), Answer is null ? null : Words.Read<PublishResult>(Answer), AnsweredAt.ToTime(), Problem, Id(GivenId), Id(RecordedId),
            Match is null ? null : Words.Read<DownlinkMatch>(Match), DeliveredAt.ToTime(), AckedAt.ToTime(), DroppedAt.ToTime(), DropReason, TimedOutAt.ToTime(), ExpectsNoAck));

    public DownlinkProperties? ReadProperties() => Properties is null ? null : JsonSerializer.Deserialize<DownlinkProperties>(Properties);

    public static MessageId? Id(byte[]? bytes) => bytes is null ? null : new(BinaryPrimitives.ReadUInt128BigEndian(bytes));

    private static byte[]? Bytes(MessageId? id)
    {
        if (id is not { } known) return null;
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, known.Value);
        return bytes;
    }
}
