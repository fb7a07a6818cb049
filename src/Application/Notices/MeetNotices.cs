using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Notices;

namespace WebhookService.Application.Notices;

/// <summary>These notices may be due.</summary>
public sealed record MeetNotices(IReadOnlyList<NoticeKey> Due, DateTimeOffset Now) : ICommand;

/// <summary>What waits for these targets may be due.</summary>
public sealed record EmptyOutboxes(IReadOnlyList<string> Targets, DateTimeOffset Now) : ICommand;

/// <summary>The service has started: what belongs to rules and targets that are gone is removed, a part of it each time.</summary>
/// <returns>How much was removed; 0 when all is.</returns>
public sealed record AdoptNoticeRules : ICommand<int>;

internal sealed class MeetNoticesHandler(INoticeRepository notices, NoticeDispatch dispatch, IOptions<NoticesOptions> options) :
    ICommandHandler<MeetNotices>, ICommandHandler<EmptyOutboxes>, ICommandHandler<AdoptNoticeRules, int>
{
    public async Task<Outcome> Handle(MeetNotices command, CancellationToken cancellationToken)
    {
        foreach (var key in command.Due)
            if (options.Value.FindRule(key.Rule) is { } rule && await notices.FindAsync(key, cancellationToken) is { } notice && notice.Pass(command.Now) is Outcome.Applied)
                await dispatch.SaveAsync(rule, notice, command.Now, cancellationToken);
        return Outcome.Applied;
    }

    public async Task<Outcome> Handle(EmptyOutboxes command, CancellationToken cancellationToken)
    {
        foreach (var target in command.Targets)
        {
            var outbox = await notices.OutboxAsync(target, cancellationToken);
            if (outbox.Pass(command.Now) is Outcome.Applied) await notices.SaveAsync(outbox, cancellationToken);
        }
        return Outcome.Applied;
    }

    public async Task<int> Handle(AdoptNoticeRules command, CancellationToken cancellationToken) => await notices.RemoveOthersAsync(
        [.. options.Value.Rules.Select(rule => (rule.Name, rule.Kind))], [.. options.Value.Targets.Select(target => target.Name)], cancellationToken);
}
