using System.Globalization;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Consumers;

namespace WebhookService.Api.Handlers;

/// <summary>A business handler and how far it came.</summary>
internal sealed record HandlerResponse
{
    public required string Name { get; init; }

    /// <summary>Which events it gets: type, topic, clients.</summary>
    public required string Wants { get; init; }

    /// <summary>The plug-in that it comes from; null if it was built into the service.</summary>
    public string? Origin { get; init; }

    /// <summary>False if it is off: then all else is as it was left when it last ran. The configuration `Handlers:‹name›:Enabled` decides at the start.</summary>
    public required bool Enabled { get; init; }

    /// <summary>All events up to this sequence number are done, parked or dead letters; null if it never ran.</summary>
    public long? Position { get; init; }

    /// <summary>The newest event of the journal.</summary>
    public required long Head { get; init; }

    /// <summary>The oldest event that the journal keeps, null if it is empty: no replay begins before it.</summary>
    public required long? Oldest { get; init; }

    /// <summary>Events of the journal that it has not got to; null if it never ran.</summary>
    public long? Lag { get; init; }

    /// <summary>Events that failed and are tried again, and those of the same clients that wait behind them.</summary>
    public required int Parked { get; init; }
    public required long DeadLetters { get; init; }

    /// <summary>Events that it handled since it exists.</summary>
    public required long Handled { get; init; }

    /// <summary>Events that retention removed before it handled them.</summary>
    public required long Missed { get; init; }
    public required bool Paused { get; init; }

    /// <summary>Events up to this one are handled again; null outside a replay.</summary>
    public long? ReplayingUntil { get; init; }
    public string? LastError { get; init; }
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>Null if it is off.</summary>
    public HandlerOptionsResponse? Options { get; init; }

    /// <param name="state">Null if it never ran.</param>
    public static HandlerResponse Of(FoundHandler handler, ConsumerState? state, int parked, long head, long? oldest, long deadLetters) => new()
    {
        Name = handler.Name,
        Wants = handler.Wants,
        Origin = handler.Origin,
        Enabled = handler.Consumer is not null,
        Position = state?.Position,
        Head = head,
        Oldest = oldest,
        Lag = state is null ? null : Math.Max(0, head - state.Position),
        Parked = parked,
        DeadLetters = deadLetters,
        Handled = state?.Handled ?? 0,
        Missed = state?.Missed ?? 0,
        Paused = state?.IsPaused ?? false,
        ReplayingUntil = state?.ReplayUntil,
        LastError = state?.LastError,
        LastErrorAt = state?.LastErrorAt,
        Options = handler.Consumer?.Options is { } options
            ? new(options.Lanes, options.Attempts, options.Timeout.TotalSeconds, options.FirstDelay.TotalSeconds, options.LongestDelay.TotalSeconds)
            : null,
    };
}

/// <param name="Lanes">Events that are handled at the same time.</param>
/// <param name="Attempts">How often an event is tried before it becomes a dead letter.</param>
/// <param name="TimeoutSeconds">How long one try may take.</param>
/// <param name="FirstDelaySeconds">The wait after the first failure; it doubles with each further one.</param>
/// <param name="LongestDelaySeconds">The longest wait.</param>
internal sealed record HandlerOptionsResponse(int Lanes, int Attempts, double TimeoutSeconds, double FirstDelaySeconds, double LongestDelaySeconds);

/// <summary>An event that a handler could not handle.</summary>
internal sealed record DeadLetterResponse
{
    public required string Id { get; init; }

    /// <summary>What the last try ended with.</summary>
    public required string Reason { get; init; }

    /// <summary>The same with its stack.</summary>
    public required string Detail { get; init; }

    /// <summary>How often it was tried; 0 for a row of the journal that could not be read.</summary>
    public required int Attempts { get; init; }
    public required DateTimeOffset FailedAt { get; init; }
    public required DeadLetterEvent Event { get; init; }

    public static DeadLetterResponse Of(DeadLetterView view) => new()
    {
        Id = view.Id.ToString(CultureInfo.InvariantCulture),
        Reason = view.Reason,
        Detail = view.Detail,
        Attempts = view.Attempts,
        FailedAt = view.FailedAt,
        Event = new(view.Seq, view.Type, view.At, view.ClientId),
    };
}

/// <param name="Seq">Its number in the journal: the key that its handlings share. `GET /api/v1/events?after=‹seq - 1›&amp;limit=1` has all of it while it is kept.</param>
internal sealed record DeadLetterEvent(long Seq, string Type, DateTimeOffset At, string? ClientId);
