using WebhookService.Application.Common;

namespace WebhookService.Application.Consumers;

/// <summary>What a consumer could not handle, newest first. The cursor is the id of the last one.</summary>
public sealed record ListDeadLetters(string Consumer, PageRequest Page) : IQuery<Page<DeadLetterView>>;

/// <summary>How many dead letters each consumer has; those without any are left out.</summary>
public sealed record CountDeadLetters : IQuery<IReadOnlyDictionary<string, long>>;

/// <summary>
/// The first event of the journal, in its order, whose own time is at or after a moment; one more than the newest if there is none. The
/// journal has the order of commits, so later ones may be older: from there on nothing that happened since is left out. Looks at every event before it.
/// </summary>
public sealed record FindFirstEventSince(DateTimeOffset Time) : IQuery<long>;

/// <summary>An event that failed for the last time. It keeps what matters of the event, which retention may have removed.</summary>
public sealed record DeadLetterView
{
    public required long Id { get; init; }
    public required long Seq { get; init; }
    public required string Type { get; init; }

    /// <summary>When the event happened.</summary>
    public required DateTimeOffset At { get; init; }
    public string? ClientId { get; init; }

    /// <summary>How often it was tried; 0 for a row that could not be read.</summary>
    public required int Attempts { get; init; }

    /// <summary>What the last try ended with.</summary>
    public required string Reason { get; init; }

    /// <summary>The same with its stack.</summary>
    public required string Detail { get; init; }
    public required DateTimeOffset FailedAt { get; init; }
}
