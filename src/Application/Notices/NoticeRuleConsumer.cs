using System.Globalization;
using MediatR;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>Follows the journal for one rule and tells its notices what happened.</summary>
internal sealed class NoticeRuleConsumer(NoticeRule rule, ConsumerOptions options, IMediator mediator) : IConsumer
{
    public string Name => rule.Consumer!;
    public ConsumerOptions Options => options;
    public bool NeedsPayload => rule.Kind is NoticeKind.Threshold;
    public EventTypes Types { get; } = EventTypes.Parse(TypesOf(rule.Kind));
    public string Wanted => TypesOf(rule.Kind) + (rule.Topic is { } topic ? $" on {topic.Text}" : "") + (rule.Clients is { } clients ? $" of {clients}" : "");

    public bool Wants(JournalEntry entry) => entry.Client is { } client && rule.Clients?.Matches(client.Value) is not false && entry.Happened switch
    {
        DeviceWentOffline offline => rule.Reasons.Count == 0 || rule.Reasons.Contains(offline.Reason),
        MessagePublished => entry.Message is { } message ? rule.Topic!.Matches(message.Topic) : entry.IsMessageGone,
        _ => true,
    };

    public Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation)
    {
        if (FactOf(entry) is not { } fact) return Task.CompletedTask;
        var key = new NoticeKey(rule.Name, rule.Kind, entry.Client!.Value.Value, rule.Kind is NoticeKind.Threshold ? entry.Message!.Topic : "");
        return mediator.Send(new TellNotice(rule, key, new(entry.At, entry.Seq), fact, handling.IsReplay), cancellation);
    }

    private NoticeFact? FactOf(JournalEntry entry) => entry.Happened switch
    {
        DeviceWentOffline offline => new NoticeFact.Begins(
            $"is offline: {Words.Of(offline.Reason)}{(offline.RawReason is { } raw && raw != Words.Of(offline.Reason) ? $" ({raw})" : "")}"),
        DeviceWentOnline => new NoticeFact.Ends("is online again"),
        DeviceWentSilent silent => new NoticeFact.Begins(string.Create(
            CultureInfo.InvariantCulture, $"sent no message since {silent.LastMessageAt.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC; one is expected every {silent.ExpectedIntervalSeconds:0.###} s")),
        DeviceResumed => new NoticeFact.Ends("sends messages again"),
        MessagePublished when Measured(entry) is { } value => new NoticeFact.Measures(value, string.Create(
            CultureInfo.InvariantCulture, $"{rule.Field!.Text} is {value:R} (limit: {(rule.Threshold!.IsAbove ? "above" : "below")} {rule.Threshold.Limit:R})")),
        _ => null,
    };

    /// <exception cref="EventGoneException">The message is gone by retention.</exception>
    private double? Measured(JournalEntry entry) => entry.Message?.Payload is { } payload
        ? rule.Field!.Read(payload)
        : throw new EventGoneException("its message was removed by retention before it was handled.");

    private static string TypesOf(NoticeKind kind) => kind switch
    {
        NoticeKind.Offline => "device.went-offline,device.went-online",
        NoticeKind.Silence => "device.went-silent,device.resumed",
        NoticeKind.Threshold => "message.published",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Nothing in the journal tells of it."),
    };
}
