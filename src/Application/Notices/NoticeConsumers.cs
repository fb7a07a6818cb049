using MediatR;
using Microsoft.Extensions.Options;
using WebhookService.Application.Consumers;

namespace WebhookService.Application.Notices;

/// <summary>A consumer for each rule that follows the journal, and for each target.</summary>
internal sealed class NoticeConsumers(IOptions<NoticesOptions> options, IMediator mediator, INoticeSender sender) : IConsumerSource
{
    /// <summary>Rules only write to the database: they fail while that is overloaded, and then must not give up.</summary>
    private static readonly ConsumerOptions OfRules = new() { Lanes = 16, Attempts = 100, LongestDelay = TimeSpan.FromMinutes(1) };

    /// <summary>About an hour until it gives up.</summary>
    private static readonly ConsumerOptions OfTargets = new() { Lanes = 2, Attempts = 14, FirstDelay = TimeSpan.FromSeconds(2), Timeout = TimeSpan.FromSeconds(20) };

    public IEnumerable<ConsumerPlan> Plans() => options.Value.Rules.Where(rule => rule.Consumer is not null)
        .Select(rule => new ConsumerPlan(rule.Consumer!, OfRules, settings => new NoticeRuleConsumer(rule, settings, mediator)))
        .Concat(options.Value.Targets.Select(target => new ConsumerPlan(target.Consumer, OfTargets, settings => new NoticeTargetConsumer(target, settings, sender))));
}
