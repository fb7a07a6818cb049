using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>Something happened that a rule watches.</summary>
/// <param name="IsReplay">It was read before: what it began has mostly ended since.</param>
public sealed record TellNotice(NoticeRule Rule, NoticeKey Key, Told Told, NoticeFact Fact, bool IsReplay) : ICommand;

/// <summary>What happened, in the words of a notice.</summary>
public abstract record NoticeFact(string Why)
{
    public sealed record Begins(string Why) : NoticeFact(Why);

    public sealed record Ends(string Why) : NoticeFact(Why);

    public sealed record Measures(double Value, string Why) : NoticeFact(Why);
}

internal sealed class TellNoticeHandler(INoticeRepository notices, NoticeDispatch dispatch, TimeProvider time) : ICommandHandler<TellNotice>
{
    /// <summary>In a replay the end comes soon after the beginning, so that old stories are not told again.</summary>
    private static readonly TimeSpan HoldInReplay = TimeSpan.FromMinutes(1);

    public async Task<Outcome> Handle(TellNotice command, CancellationToken cancellationToken)
    {
        var (rule, told, fact, now) = (command.Rule, command.Told, command.Fact, time.GetUtcNow());
        var hold = command.IsReplay && rule.Hold < HoldInReplay ? HoldInReplay : rule.Hold;
        var notice = await notices.FindAsync(command.Key, cancellationToken) ?? new Notice(command.Key);
        var outcome = fact switch
        {
            NoticeFact.Begins => notice.Begins(told, fact.Why, hold, now),
            NoticeFact.Ends => notice.Ends(told, fact.Why, now),
            NoticeFact.Measures measures => notice.Measured(told, measures.Value, rule.Threshold!, fact.Why, hold, now),
            _ => throw new InvalidOperationException($"Nobody knows what {fact.GetType().Name} does to a notice."),
        };
        if (outcome is Outcome.Applied) await dispatch.SaveAsync(rule, notice, now, cancellationToken);
        return outcome;
    }
}

/// <summary>Saves notices and puts what is to be told of them into the outboxes of their rule's targets, all in one transaction.</summary>
internal sealed class NoticeDispatch(INoticeRepository notices, IOptions<NoticesOptions> options)
{
    public async ValueTask SaveAsync(NoticeRule rule, Notice notice, DateTimeOffset now, CancellationToken cancellation)
    {
        foreach (var happened in await notices.SaveAsync(notice, cancellation))
        {
            if (NoticeLine.Of(happened) is not { } line || (line.IsCleared && !rule.Recovery)) continue;
            foreach (var name in rule.Targets)
            {
                if (options.Value.FindTarget(name) is not { } target || target.Consumer == notice.Key.Handler) continue; // who cannot be told is not told so
                var outbox = await notices.OutboxAsync(name, cancellation);
                outbox.Take(line, notice.Key.Device, target.MessagesPerMinute, now);
                await notices.SaveAsync(outbox, cancellation);
            }
        }
    }
}
