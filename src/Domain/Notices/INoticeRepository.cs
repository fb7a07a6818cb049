namespace WebhookService.Domain.Notices;

public interface INoticeRepository
{
    ValueTask<Notice?> FindAsync(NoticeKey key, CancellationToken cancellation);

    /// <returns>What happened to it since it was loaded, which stands in the journal with this.</returns>
    ValueTask<IReadOnlyList<IDomainEvent>> SaveAsync(Notice notice, CancellationToken cancellation);

    /// <summary>Notices of the kind <see cref="NoticeKind.DeadLetter"/> that are pending or raised; there are as few as handlers.</summary>
    ValueTask<IReadOnlyList<Notice>> OpenDeadLettersAsync(CancellationToken cancellation);

    /// <summary>Removes notices and outboxes that belong to no rule and no target of these, a bounded number of them.</summary>
    /// <returns>How many were removed; 0 when none is left.</returns>
    ValueTask<int> RemoveOthersAsync(IReadOnlyCollection<(string Name, NoticeKind Kind)> rules, IReadOnlyCollection<string> targets, CancellationToken cancellation);

    /// <returns>The target's outbox, empty if nothing was ever sent to it.</returns>
    ValueTask<Outbox> OutboxAsync(string target, CancellationToken cancellation);

    ValueTask SaveAsync(Outbox outbox, CancellationToken cancellation);
}
