using System.Reflection;
using System.Text;
using System.Text.Json;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>A business handler as a consumer of the journal.</summary>
internal sealed class HandlerConsumer : IConsumer
{
    private static readonly IReadOnlyDictionary<string, string> NoNames = new Dictionary<string, string>();

    private readonly Func<JournalEntry, HandlingContext, CancellationToken, Task> handle;
    private readonly Type wanted;
    private readonly NamedTopic? topic;
    private readonly ClientIdPattern? clients;

    private HandlerConsumer(
        string name, ConsumerOptions options, string text, Type wanted, bool needsPayload, NamedTopic? topic, ClientIdPattern? clients,
        Func<JournalEntry, HandlingContext, CancellationToken, Task> handle)
    {
        (Name, Options, this.wanted, NeedsPayload, this.topic, this.clients, this.handle) = (name, options, wanted, needsPayload, topic, clients, handle);
        Types = EventTypes.Parse(wanted.GetCustomAttribute<EventNameAttribute>()?.Name);
        Wanted = text;
    }

    public string Name { get; }
    public ConsumerOptions Options { get; }
    public string Wanted { get; }
    public EventTypes Types { get; }
    public bool NeedsPayload { get; }

    /// <summary>The consumer that a class is for one of the kinds of event that it handles.</summary>
    /// <param name="handler">An instance of it.</param>
    /// <param name="contract">The interface with its type argument.</param>
    /// <param name="name">Of the consumer.</param>
    /// <param name="about">Its attribute, or the default of it.</param>
    /// <param name="options">What the configuration made of its attribute.</param>
    /// <exception cref="DomainException">Its topic is no topic filter.</exception>
    public static HandlerConsumer Of(object handler, Type contract, string name, HandlerAttribute about, ConsumerOptions options)
    {
        var named = handler.GetType().GetCustomAttribute<TopicAttribute>() is { } filter ? new NamedTopic(filter.Filter) : null;
        var pattern = about.Clients is null ? null : ClientIdPattern.Parse(about.Clients);
        var isMessage = IsMessage(contract);
        var argument = contract.GetGenericArguments()[0];
        var run = typeof(HandlerConsumer)
            .GetMethod(isMessage ? nameof(HandleMessageAsync) : nameof(HandleEventAsync), BindingFlags.NonPublic | BindingFlags.Static)!
            .MakeGenericMethod(argument).CreateDelegate<Func<object, JournalEntry, HandlingContext, CancellationToken, Task>>();
        return new(
            name, options, WantedBy(handler.GetType(), contract, about), EventOf(contract), isMessage || argument == typeof(MessagePublished), named, pattern,
            (entry, context, cancellation) => run(handler, entry, context, cancellation));
    }

    /// <summary>Which events a class wants, for people to read; also if its topic is none.</summary>
    public static string WantedBy(Type handler, Type contract, HandlerAttribute about)
    {
        var kind = EventOf(contract);
        return (kind.GetCustomAttribute<EventNameAttribute>()?.Name ?? (kind == typeof(IDomainEvent) ? "*" : kind.Name))
            + (handler.GetCustomAttribute<TopicAttribute>() is { } topic ? $" on {topic.Filter}" : "")
            + (about.Clients is null ? "" : $" of {about.Clients}");
    }

    public bool Wants(JournalEntry entry) =>
        wanted.IsInstanceOfType(entry.Happened)
        && (topic is null || (entry.Message is { } message ? topic.Matches(message.Topic) : entry.IsMessageGone))
        && (clients is null || (entry.Client is { } client && clients.Matches(client.Value)));

    /// <exception cref="EventGoneException">Retention removed the message that it needs, be it only to know whether the topic is its own.</exception>
    public Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation)
    {
        if (entry.IsMessageGone && (NeedsPayload || topic is not null)) throw Gone();
        var names = topic is not null && entry.Message is { } message ? topic.NamesIn(message.Topic) : NoNames;
        return handle(entry, new HandlingContext(handling.Key, handling.Attempt, handling.IsReplay, entry.At, entry.Client, entry.Message, names), cancellation);
    }

    private static EventGoneException Gone() => new("its message was removed by retention before it was handled.");

    private static Type EventOf(Type contract) => IsMessage(contract) ? typeof(MessagePublished) : contract.GetGenericArguments()[0];

    private static bool IsMessage(Type contract) => contract.GetGenericTypeDefinition() == typeof(IMessageHandler<>);

    private static Task HandleEventAsync<TEvent>(object handler, JournalEntry entry, HandlingContext context, CancellationToken cancellation)
        where TEvent : IDomainEvent => ((IBusinessHandler<TEvent>)handler).HandleAsync((TEvent)entry.Happened, context, cancellation);

    private static Task HandleMessageAsync<TPayload>(object handler, JournalEntry entry, HandlingContext context, CancellationToken cancellation)
    {
        if (entry.Message?.Payload is not { } payload) throw Gone();
        return ((IMessageHandler<TPayload>)handler).HandleAsync(Read<TPayload>(payload), context, cancellation);
    }

    /// <exception cref="GiveUpException">The payload is not what the handler reads it as, and never will be.</exception>
    private static TPayload Read<TPayload>(ReadOnlyMemory<byte> payload)
    {
        if (typeof(TPayload) == typeof(byte[])) return (TPayload)(object)payload.ToArray();
        if (typeof(TPayload) == typeof(string)) return (TPayload)(object)Encoding.UTF8.GetString(payload.Span);
        try
        {
            return JsonSerializer.Deserialize<TPayload>(payload.Span, JsonSerializerOptions.Web) ?? throw new GiveUpException($"The payload is null, which is no {typeof(TPayload).Name}.");
        }
        catch (JsonException mistake)
        {
            throw new GiveUpException($"The payload is no {typeof(TPayload).Name}: {mistake.Message}", mistake);
        }
    }
}
