using WebhookService.Application.Consumers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Victim;

/// <summary>The points of a transaction. It is flushed last and told last, so that all the rest has been written, or is on disk.</summary>
internal sealed class DyingTransaction(Death death) : IUnitOfWorkPart
{
    /// <summary>What handlers told in the transaction under way.</summary>
    public List<ConsumerProgress> Saves { get; } = [];

    private bool HasDead => Saves.Exists(one => one.Dead.Count > 0);

    public void Flush()
    {
        death.At(Saves.Count == 0 ? "before-commit" : "before-save"); // of webhooks alone; or with a handler's place
        if (HasDead) death.At("before-dead-letter");
    }

    public void Committed()
    {
        if (Saves.Count == 0) death.At("after-commit"); // and before the answer
        if (HasDead) death.At("after-dead-letter");
        if (Saves.Exists(one => one.State.Position < Witness.Newest)) death.At("out-of-order"); // later ones are done than the position says
        Saves.Clear();
    }

    public void Forget() => Saves.Clear();
}

internal sealed class DyingStore(IConsumerStore inner, DyingTransaction transaction, Death death) : IConsumerStore
{
    public ValueTask SaveAsync(ConsumerProgress progress, CancellationToken cancellation)
    {
        death.At("after-handling"); // and before anything of it is written down
        transaction.Saves.Add(progress);
        return inner.SaveAsync(progress, cancellation);
    }

    public ValueTask<ParkedEvent?> RedeliverAsync(string consumer, long deadLetter, DateTimeOffset now, CancellationToken cancellation) =>
        inner.RedeliverAsync(consumer, deadLetter, now, cancellation);

    public ValueTask<bool> DropDeadLetterAsync(string consumer, long deadLetter, CancellationToken cancellation) => inner.DropDeadLetterAsync(consumer, deadLetter, cancellation);

    public ValueTask<bool> HasDeadLettersAsync(string consumer, CancellationToken cancellation) => inner.HasDeadLettersAsync(consumer, cancellation);
}
