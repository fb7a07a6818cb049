namespace WebhookService.Domain.Notices;

public enum NoticeKind
{
    Offline,
    Silence,
    Threshold,
    DeadLetter,
}

public enum NoticeState
{
    Clear,

    /// <summary>It holds, but not for long enough yet.</summary>
    Pending,
    Raised,
}

/// <summary>Which notice: a rule and what it is about.</summary>
/// <param name="Subject">A client id, or of the kind <see cref="NoticeKind.DeadLetter"/> the name of a handler.</param>
/// <param name="Topic">Of a value, for one client may measure many things; else empty.</param>
public readonly record struct NoticeKey(string Rule, NoticeKind Kind, string Subject, string Topic = "")
{
    public ClientId? Device => Kind is NoticeKind.DeadLetter ? null : new ClientId(Subject);
    public string? Handler => Kind is NoticeKind.DeadLetter ? Subject : null;
}

/// <summary>When somebody told something.</summary>
/// <param name="At">When it happened.</param>
/// <param name="Seq">Its place in the journal, by which a repetition is known.</param>
public readonly record struct Told(DateTimeOffset At, long Seq);

/// <summary>
/// What one rule says of one subject: that its condition holds, at first for a while to be sure, and that it does not hold any more. Facts
/// repeat and overtake one another, yet it is raised once and cleared once, in turn.
/// </summary>
public sealed class Notice(NoticeKey key) : Aggregate
{
    public NoticeKey Key { get; } = key;
    public NoticeState State { get; private set; }

    /// <summary>Since when the condition holds; null while it does not.</summary>
    public DateTimeOffset? Since { get; private set; }

    /// <summary>When it is raised if nothing happens before; null unless it is pending.</summary>
    public DateTimeOffset? DueAt { get; private set; }
    public DateTimeOffset? RaisedAt { get; private set; }
    public string? Why { get; private set; }

    /// <summary>The newest value measured, or how many were counted.</summary>
    public double? Value { get; private set; }

    /// <summary>The newest fact that it was told.</summary>
    public Told Newest { get; private set; } = new(DateTimeOffset.MinValue, -1);

    /// <summary>
    /// The condition holds. What is concluded of a device counts in the order in which it was concluded, whatever time it speaks of.
    /// </summary>
    /// <param name="hold">How long it must hold, counted from now: what ended it may be on its way.</param>
    public Outcome Begins(Told told, string why, TimeSpan hold, DateTimeOffset now)
    {
        if (Known(told.Seq.CompareTo(Newest.Seq)) is { } old) return old;
        Newest = told;
        Begin(told.At, why, null, hold, now);
        return Outcome.Applied;
    }

    /// <summary>The condition does not hold any more.</summary>
    public Outcome Ends(Told told, string why, DateTimeOffset now)
    {
        if (Known(told.Seq.CompareTo(Newest.Seq)) is { } old) return old;
        Newest = told;
        End(told.At, why, now);
        return Outcome.Applied;
    }

    /// <summary>A value was measured. A late one counts no more: by the time of measuring, then by the place in the journal.</summary>
    public Outcome Measured(Told told, double value, Threshold threshold, string why, TimeSpan hold, DateTimeOffset now)
    {
        if (Known((told.At, told.Seq).CompareTo((Newest.At, Newest.Seq))) is { } old) return old;
        Newest = told;
        var judged = threshold.Judge(value);
        if (judged is Judgement.Beyond) Begin(told.At, why, value, hold, now);
        else if (judged is Judgement.Normal || State is NoticeState.Pending) End(told.At, why, now, value); // not raised yet: it has to stay beyond all the time
        if (State is not NoticeState.Clear) Value = value;
        return Outcome.Applied;
    }

    /// <summary>So many more were counted. Whoever counts sees to it that none counts twice.</summary>
    public void Counted(int more, string why, TimeSpan hold, DateTimeOffset now)
    {
        var counted = State is NoticeState.Clear ? more : Value + more;
        if (State is NoticeState.Pending) Why = why;
        Begin(now, why, counted, hold, now);
        Value = counted;
    }

    /// <summary>None is left of what was counted.</summary>
    public void Emptied(string why, DateTimeOffset now) => End(now, why, now);

    /// <summary>Time has passed: raises it if it is due.</summary>
    public Outcome Pass(DateTimeOffset now)
    {
        if (!(DueAt <= now)) return Outcome.Repeated;
        Raise(now);
        return Outcome.Applied;
    }

    private Outcome? Known(int order) => order switch
    {
        < 0 => Outcome.Overtaken,
        0 => Outcome.Repeated,
        _ => null,
    };

    private void Begin(DateTimeOffset at, string why, double? value, TimeSpan hold, DateTimeOffset now)
    {
        if (State is not NoticeState.Clear) return;
        (State, Since, Why, Value) = (NoticeState.Pending, at, why, value);
        if (hold > TimeSpan.Zero) DueAt = (at > now ? at : now) + hold;
        else Raise(now);
    }

    private void Raise(DateTimeOffset now)
    {
        (State, DueAt, RaisedAt) = (NoticeState.Raised, null, now);
        Raise(new NoticeRaised(Key.Rule, Key.Kind, Key.Device, Key.Handler, Topic, now, Since!.Value, Why!, Value));
    }

    private void End(DateTimeOffset at, string why, DateTimeOffset now, double? value = null)
    {
        if (State is NoticeState.Raised)
            Raise(new NoticeCleared(Key.Rule, Key.Kind, Key.Device, Key.Handler, Topic, now, Since!.Value, at, why, value));
        (State, Since, DueAt, RaisedAt, Why, Value) = (NoticeState.Clear, null, null, null, null, null);
    }

    private string? Topic => Key.Topic.Length == 0 ? null : Key.Topic;

    /// <summary>Builds a notice as it was saved.</summary>
    public static Notice Restore(
        NoticeKey key, NoticeState state, DateTimeOffset? since, DateTimeOffset? dueAt, DateTimeOffset? raisedAt, string? why, double? value, Told newest) =>
        new(key) { State = state, Since = since, DueAt = dueAt, RaisedAt = raisedAt, Why = why, Value = value, Newest = newest };
}
