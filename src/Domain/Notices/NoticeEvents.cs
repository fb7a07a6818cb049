namespace WebhookService.Domain.Notices;

/// <summary>What a rule watches for holds, and held for as long as the rule waits. Said once, until <see cref="NoticeCleared"/>.</summary>
/// <param name="Device">Of whom it holds; null where it is about one of our own handlers.</param>
/// <param name="Handler">The handler it is about; null where it is about a device.</param>
/// <param name="Topic">Of a value: where it was published.</param>
/// <param name="Since">Since when it holds.</param>
/// <param name="Why">What holds, for people.</param>
/// <param name="Value">The value that was measured, or how many were counted.</param>
[EventName("notice.raised")]
public sealed record NoticeRaised(
    string Rule, NoticeKind Kind, ClientId? Device, string? Handler, string? Topic, DateTimeOffset At, DateTimeOffset Since, string Why, double? Value) : IDomainEvent
{
    public ClientId? Client => Device;
}

/// <summary>What <see cref="NoticeRaised"/> told does not hold any more.</summary>
/// <param name="Since">Since when it held.</param>
/// <param name="Until">When it ended.</param>
/// <param name="Why">What ended it, for people.</param>
[EventName("notice.cleared")]
public sealed record NoticeCleared(
    string Rule, NoticeKind Kind, ClientId? Device, string? Handler, string? Topic, DateTimeOffset At, DateTimeOffset Since, DateTimeOffset Until, string Why,
    double? Value) : IDomainEvent
{
    public ClientId? Client => Device;
}

/// <summary>A message to a target is due: of one notice, or of all that came together while the target had had its share (<see cref="Outbox"/>).</summary>
/// <param name="Device">The device, where the message speaks of one alone: its messages keep their order.</param>
/// <param name="Notices">The first of them.</param>
/// <param name="MoreRaised">How many more were raised than are listed.</param>
/// <param name="MoreCleared">How many more were cleared than are listed.</param>
[EventName("notice.dispatched")]
public sealed record NoticeDispatched(
    string Target, ClientId? Device, DateTimeOffset At, IReadOnlyList<NoticeLine> Notices, long MoreRaised, long MoreCleared) : IDomainEvent
{
    public ClientId? Client => Device;
}

/// <summary>One notice in a message.</summary>
/// <param name="IsCleared">Whether it tells the end.</param>
/// <param name="Subject">The device's client id, or the handler's name.</param>
/// <param name="Until">When it ended; null while it holds.</param>
public sealed record NoticeLine(
    string Rule, NoticeKind Kind, bool IsCleared, string Subject, string? Topic, DateTimeOffset At, DateTimeOffset Since, DateTimeOffset? Until, string Why, double? Value)
{
    /// <summary>The line for what happened to a notice; null for other events.</summary>
    public static NoticeLine? Of(IDomainEvent happened) => happened switch
    {
        NoticeRaised one => new(one.Rule, one.Kind, false, one.Handler ?? one.Device!.Value.Value, one.Topic, one.At, one.Since, null, one.Why, one.Value),
        NoticeCleared one => new(one.Rule, one.Kind, true, one.Handler ?? one.Device!.Value.Value, one.Topic, one.At, one.Since, one.Until, one.Why, one.Value),
        _ => null,
    };
}
