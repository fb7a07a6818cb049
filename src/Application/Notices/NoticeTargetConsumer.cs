using System.Globalization;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>A message to a target.</summary>
/// <param name="Id">The same at each try, and when it is sent again on request.</param>
/// <param name="IsRepeated">Somebody asked for it again (a replay of the target).</param>
public sealed record NoticeMessage(string Id, NoticeDispatched Content, bool IsRepeated);

/// <summary>Brings messages to targets.</summary>
public interface INoticeSender
{
    /// <exception cref="GiveUpException">The target will never take it.</exception>
    /// <exception cref="TryAgainException">The target said when to come again.</exception>
    /// <exception cref="NoticeNotSentException">It failed, and may succeed later. No message repeats the target's address or secrets.</exception>
    Task SendAsync(NoticeTarget target, NoticeMessage message, CancellationToken cancellation);
}

/// <summary>A target did not take a message this time.</summary>
public sealed class NoticeNotSentException(string why, Exception? cause = null) : Exception(why, cause);

/// <summary>Follows the journal for one target and sends what was dispatched to it. Asked to replay, it sends again: that is what one asks it for.</summary>
internal sealed class NoticeTargetConsumer(NoticeTarget target, ConsumerOptions options, INoticeSender sender) : IConsumer
{
    public string Name => target.Consumer;
    public ConsumerOptions Options => options;
    public bool NeedsPayload => false;
    public EventTypes Types { get; } = EventTypes.Parse("notice.dispatched");
    public string Wanted => $"notice.dispatched to {target.Name}";

    public bool Wants(JournalEntry entry) => entry.Happened is NoticeDispatched dispatched && dispatched.Target == target.Name;

    public Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation) => sender.SendAsync(
        target, new NoticeMessage($"notice-{handling.Key.ToString(CultureInfo.InvariantCulture)}", (NoticeDispatched)entry.Happened, handling.IsReplay), cancellation);
}
