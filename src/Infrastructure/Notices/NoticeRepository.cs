using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Notices;

internal sealed class NoticeRepository(UnitOfWork work, Journal.Journal journal, NoticeTimes times) : INoticeRepository
{
    private const int Removed = 1_000;

    private const string Find = $"SELECT {NoticeRow.Columns} FROM notices WHERE rule = @Rule AND subject = @Subject AND topic = @Topic";

    private const string Save = """
        INSERT INTO notices (rule, kind, subject, topic, state, since, due_at, raised_at, why, value, told_at, told_seq)
        VALUES (@Rule, @Kind, @Subject, @Topic, @State, @Since, @DueAt, @RaisedAt, @Why, @Value, @ToldAt, @ToldSeq)
        ON CONFLICT (rule, subject, topic) DO UPDATE SET kind = excluded.kind, state = excluded.state, since = excluded.since, due_at = excluded.due_at,
          raised_at = excluded.raised_at, why = excluded.why, value = excluded.value, told_at = excluded.told_at, told_seq = excluded.told_seq
        """;

    private const string OpenDeadLetters = $"SELECT {NoticeRow.Columns} FROM notices WHERE kind = 'dead-letter' AND state <> 0";

    private const string RemoveNotices = """
        DELETE FROM notices WHERE notice_no IN
          (SELECT notice_no FROM notices WHERE NOT EXISTS (SELECT 1 FROM json_each(@rules) WHERE value = rule || ':' || kind) LIMIT @limit)
        """;

    private const string RemoveOutboxes = "DELETE FROM notice_outboxes WHERE target NOT IN (SELECT value FROM json_each(@targets))";

    private const string SaveOutbox = """
        INSERT INTO notice_outboxes (target, began, sent, waiting, more_raised, more_cleared, due_at) VALUES (@Target, @Began, @Sent, @Waiting, @MoreRaised, @MoreCleared, @DueAt)
        ON CONFLICT (target) DO UPDATE SET began = excluded.began, sent = excluded.sent, waiting = excluded.waiting, more_raised = excluded.more_raised,
          more_cleared = excluded.more_cleared, due_at = excluded.due_at
        """;

    public ValueTask<Notice?> FindAsync(NoticeKey key, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.QuerySingleOrDefault<NoticeRow>(Find, new { key.Rule, key.Subject, key.Topic })?.ToNotice(key.Kind));

    public ValueTask<IReadOnlyList<IDomainEvent>> SaveAsync(Notice notice, CancellationToken cancellation)
    {
        work.Connection.Execute(Save, NoticeRow.From(notice));
        if (notice.DueAt is { } due) times.Armed(due.ToMs());
        var happened = notice.TakeEvents();
        journal.Append(happened);
        return ValueTask.FromResult(happened);
    }

    public ValueTask<IReadOnlyList<Notice>> OpenDeadLettersAsync(CancellationToken cancellation) =>
        ValueTask.FromResult<IReadOnlyList<Notice>>([.. work.Connection.Query<NoticeRow>(OpenDeadLetters).Select(row => row.ToNotice(NoticeKind.DeadLetter))]);

    public ValueTask<int> RemoveOthersAsync(IReadOnlyCollection<(string Name, NoticeKind Kind)> rules, IReadOnlyCollection<string> targets, CancellationToken cancellation)
    {
        var kept = JsonSerializer.Serialize(rules.Select(rule => $"{rule.Name}:{Words.Of(rule.Kind)}"));
        return ValueTask.FromResult(
            work.Connection.Execute(RemoveNotices, new { rules = kept, limit = Removed })
            + work.Connection.Execute(RemoveOutboxes, new { targets = JsonSerializer.Serialize(targets) }));
    }

    public ValueTask<Outbox> OutboxAsync(string target, CancellationToken cancellation) => ValueTask.FromResult(
        work.Connection.QuerySingleOrDefault<OutboxRow>("SELECT * FROM notice_outboxes WHERE target = @target", new { target })?.ToOutbox() ?? new Outbox(target));

    public ValueTask SaveAsync(Outbox outbox, CancellationToken cancellation)
    {
        work.Connection.Execute(SaveOutbox, OutboxRow.From(outbox));
        if (outbox.DueAt is { } due) times.Armed(due.ToMs());
        journal.Append(outbox.TakeEvents());
        return ValueTask.CompletedTask;
    }
}

internal record NoticeRow
{
    public const string Columns = "rule, kind, subject, topic, state, since, due_at, raised_at, why, value, told_at, told_seq";

    public string Rule { get; init; } = "";
    public string Kind { get; init; } = "";
    public string Subject { get; init; } = "";
    public string Topic { get; init; } = "";
    public NoticeState State { get; init; }
    public long? Since { get; init; }
    public long? DueAt { get; init; }
    public long? RaisedAt { get; init; }
    public string? Why { get; init; }
    public double? Value { get; init; }
    public long ToldAt { get; init; }
    public long ToldSeq { get; init; }

    public NoticeKey Key => new(Rule, Words.Read<NoticeKind>(Kind), Subject, Topic);

    public static NoticeRow From(Notice notice) => new()
    {
        Rule = notice.Key.Rule,
        Kind = Words.Of(notice.Key.Kind),
        Subject = notice.Key.Subject,
        Topic = notice.Key.Topic,
        State = notice.State,
        Since = notice.Since.ToMs(),
        DueAt = notice.DueAt.ToMs(),
        RaisedAt = notice.RaisedAt.ToMs(),
        Why = notice.Why,
        Value = notice.Value,
        ToldAt = notice.Newest.At.ToMs(),
        ToldSeq = notice.Newest.Seq,
    };

    /// <param name="kind">As the rule has it now.</param>
    public Notice ToNotice(NoticeKind kind) => Notice.Restore(
        Key with { Kind = kind }, State, Since.ToTime(), DueAt.ToTime(), RaisedAt.ToTime(), Why, Value, new(ToldAt.ToTime(), ToldSeq));

    public NoticeView ToView() => new()
    {
        Rule = Rule,
        Kind = Words.Read<NoticeKind>(Kind),
        State = State,
        Subject = Subject,
        Topic = Topic.Length == 0 ? null : Topic,
        Since = Since!.Value.ToTime(),
        DueAt = DueAt.ToTime(),
        RaisedAt = RaisedAt.ToTime(),
        Why = Why!,
        Value = Value,
    };
}

internal sealed record OutboxRow
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    public string Target { get; init; } = "";
    public long? Began { get; init; }
    public int Sent { get; init; }
    public string Waiting { get; init; } = "[]";
    public long MoreRaised { get; init; }
    public long MoreCleared { get; init; }
    public long? DueAt { get; init; }

    public static OutboxRow From(Outbox outbox) => new()
    {
        Target = outbox.Target,
        Began = outbox.Began.ToMs(),
        Sent = outbox.Sent,
        Waiting = JsonSerializer.Serialize(outbox.Waiting, Json),
        MoreRaised = outbox.MoreRaised,
        MoreCleared = outbox.MoreCleared,
        DueAt = outbox.DueAt.ToMs(),
    };

    public Outbox ToOutbox() => Outbox.Restore(Target, Began.ToTime(), Sent, JsonSerializer.Deserialize<IReadOnlyList<NoticeLine>>(Waiting, Json)!, MoreRaised, MoreCleared);
}
