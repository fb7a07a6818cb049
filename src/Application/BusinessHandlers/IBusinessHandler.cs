using WebhookService.Application.Consumers;
using WebhookService.Domain;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>
/// Does something when an event happened. Add a class that implements it, and nothing else: it is found, named after its class
/// (<c>WarnOnUncleanFarewell</c> is `warn-on-unclean-farewell`), gets every event of its type at least once and in order for each client, and is
/// seen and steered under `/api/v1/handlers`. An exception means: try again later (a <see cref="GiveUpException"/>: never). One instance serves all events, several at a time.
/// </summary>
/// <typeparam name="TEvent">An event of the domain, or <see cref="IDomainEvent"/> for all of them.</typeparam>
public interface IBusinessHandler<in TEvent>
    where TEvent : IDomainEvent
{
    Task HandleAsync(TEvent happened, HandlingContext context, CancellationToken cancellation);
}

/// <summary>Does something with the messages that clients publish, as <see cref="IBusinessHandler{TEvent}"/> does with events. Say which with <see cref="TopicAttribute"/>.</summary>
/// <typeparam name="TPayload">What the payload is read as: <see cref="string"/> (UTF-8), <c>byte[]</c>, or a type that JSON is read into.</typeparam>
public interface IMessageHandler<in TPayload>
{
    Task HandleAsync(TPayload payload, HandlingContext context, CancellationToken cancellation);
}

/// <summary>What a handler is told beside the event.</summary>
/// <param name="Key">The same each time the event comes: what was done under this key need not be done again.</param>
/// <param name="Attempt">From 1.</param>
/// <param name="IsReplay">It was handled before, or became a dead letter, and somebody asked for it again.</param>
/// <param name="Message">The message the event is about; null if it is about none, or the message is gone by retention.</param>
/// <param name="Topic">The levels that the handler's topic names: `{site}` of `site/{site}/alarm`.</param>
public sealed record HandlingContext(
    long Key, int Attempt, bool IsReplay, DateTimeOffset At, ClientId? Client, JournalMessage? Message, IReadOnlyDictionary<string, string> Topic);

/// <summary>Which topics a handler wants: an MQTT topic filter whose single-level wildcards may have names, as in `site/{site}/+/temperature`.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class TopicAttribute(string filter) : Attribute
{
    public string Filter { get; } = filter;
}

/// <summary>How a handler is run. All of it can be changed by configuration under `Handlers:‹name›`.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class HandlerAttribute : Attribute
{
    /// <summary>The name instead of that of the class. Under another name it begins anew.</summary>
    public string? Name { get; init; }

    /// <summary>Which clients it wants: an id, or the beginning of one with `*` behind it.</summary>
    public string? Clients { get; init; }

    /// <summary>Whether it is off until the configuration says `Enabled`.</summary>
    public bool IsOff { get; init; }

    /// <summary>As in <see cref="ConsumerOptions.Lanes"/>.</summary>
    public int Lanes { get; init; } = ConsumerOptions.Default.Lanes;

    /// <summary>As in <see cref="ConsumerOptions.Attempts"/>.</summary>
    public int Attempts { get; init; } = ConsumerOptions.Default.Attempts;

    /// <summary>As in <see cref="ConsumerOptions.Timeout"/>, in seconds.</summary>
    public double TimeoutSeconds { get; init; } = ConsumerOptions.Default.Timeout.TotalSeconds;

    /// <summary>As in <see cref="ConsumerOptions.FirstDelay"/>, in seconds.</summary>
    public double FirstDelaySeconds { get; init; } = ConsumerOptions.Default.FirstDelay.TotalSeconds;

    /// <summary>As in <see cref="ConsumerOptions.LongestDelay"/>, in seconds.</summary>
    public double LongestDelaySeconds { get; init; } = ConsumerOptions.Default.LongestDelay.TotalSeconds;

    /// <summary>As in <see cref="ConsumerOptions.FromBeginning"/>.</summary>
    public bool FromBeginning { get; init; }

    internal ConsumerOptions Options => new()
    {
        Lanes = Lanes,
        Attempts = Attempts,
        Timeout = TimeSpan.FromSeconds(TimeoutSeconds),
        FirstDelay = TimeSpan.FromSeconds(FirstDelaySeconds),
        LongestDelay = TimeSpan.FromSeconds(LongestDelaySeconds),
        FromBeginning = FromBeginning,
    };
}
