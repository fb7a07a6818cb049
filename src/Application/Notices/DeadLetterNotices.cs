using Microsoft.Extensions.Options;
using WebhookService.Application.Consumers;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>For those who remove dead letters without a command: retention.</summary>
public interface IDeadLetterNotices
{
    /// <summary>Dead letters were taken back or removed: whoever has none left is well. In the writer's transaction.</summary>
    ValueTask RemovedAsync(CancellationToken cancellation);
}

/// <summary>
/// Tells the rules of the kind <see cref="NoticeKind.DeadLetter"/> that a handler has dead letters, and that it has none any more, in the transaction in
/// which that comes to be. There is no event for each dead letter: a handler of all events would fail at those too.
/// </summary>
internal sealed class DeadLetterNotices(INoticeRepository notices, NoticeDispatch dispatch, IConsumerStore store, IOptions<NoticesOptions> options, TimeProvider time)
    : IDeadLetterNotices
{
    private const int LongestReason = 200;

    private IEnumerable<NoticeRule> Rules => options.Value.Rules.Where(rule => rule.Kind is NoticeKind.DeadLetter);

    /// <summary>These have just become dead letters.</summary>
    public async ValueTask BuriedAsync(string handler, IReadOnlyCollection<DeadLetter> dead, CancellationToken cancellation)
    {
        if (dead.Count == 0) return;
        var (now, reason) = (time.GetUtcNow(), dead.Last().Reason);
        foreach (var rule in Rules.Where(rule => rule.Handlers?.Matches(handler) is not false))
        {
            var key = new NoticeKey(rule.Name, NoticeKind.DeadLetter, handler);
            var notice = await notices.FindAsync(key, cancellation) ?? new Notice(key);
            notice.Counted(dead.Count, $"has events that it failed for the last time: {(reason.Length > LongestReason ? reason[..LongestReason] + "…" : reason)}", rule.Hold, now);
            await dispatch.SaveAsync(rule, notice, now, cancellation);
        }
    }

    /// <inheritdoc/>
    public async ValueTask RemovedAsync(CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        foreach (var notice in await notices.OpenDeadLettersAsync(cancellation))
        {
            if (options.Value.FindRule(notice.Key.Rule) is not { } rule || await store.HasDeadLettersAsync(notice.Key.Subject, cancellation)) continue;
            notice.Emptied("has no dead letters any more", now);
            await dispatch.SaveAsync(rule, notice, now, cancellation);
        }
    }
}
