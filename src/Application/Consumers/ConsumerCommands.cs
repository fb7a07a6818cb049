using WebhookService.Application.Common;
using WebhookService.Application.Notices;
using WebhookService.Domain;

namespace WebhookService.Application.Consumers;

/// <summary>A consumer tells how far it came.</summary>
public sealed record SaveConsumerProgress(ConsumerProgress Progress) : ICommand;

/// <summary>Takes a dead letter back into the queue of its client.</summary>
/// <returns>The event as it waits now; null if there is no such dead letter.</returns>
public sealed record RedeliverDeadLetter(string Consumer, long Id, DateTimeOffset Now) : ICommand<ParkedEvent?>;

/// <summary>Throws a dead letter away.</summary>
/// <returns>False if there is no such dead letter.</returns>
public sealed record DropDeadLetter(string Consumer, long Id) : ICommand<bool>;

internal sealed class ConsumerCommandHandler(IConsumerStore store, DeadLetterNotices notices) :
    ICommandHandler<SaveConsumerProgress>,
    ICommandHandler<RedeliverDeadLetter, ParkedEvent?>,
    ICommandHandler<DropDeadLetter, bool>
{
    public async Task<Outcome> Handle(SaveConsumerProgress command, CancellationToken cancellationToken)
    {
        await store.SaveAsync(command.Progress, cancellationToken);
        await notices.BuriedAsync(command.Progress.Name, command.Progress.Dead, cancellationToken);
        return Outcome.Applied;
    }

    public async Task<ParkedEvent?> Handle(RedeliverDeadLetter command, CancellationToken cancellationToken)
    {
        var again = await store.RedeliverAsync(command.Consumer, command.Id, command.Now, cancellationToken);
        if (again is not null) await notices.RemovedAsync(cancellationToken);
        return again;
    }

    public async Task<bool> Handle(DropDeadLetter command, CancellationToken cancellationToken)
    {
        var dropped = await store.DropDeadLetterAsync(command.Consumer, command.Id, cancellationToken);
        if (dropped) await notices.RemovedAsync(cancellationToken);
        return dropped;
    }
}
