using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Downlinks;

public interface IDownlinkRepository
{
    /// <summary>A number that no downlink has had.</summary>
    long NextId();

    ValueTask<Downlink?> FindAsync(long id, CancellationToken cancellation);

    /// <summary>The one that a key stands for.</summary>
    ValueTask<Downlink?> OfKeyAsync(string key, CancellationToken cancellation);

    /// <summary>The one whose message has this id, in the broker's answer or in its reports.</summary>
    ValueTask<Downlink?> OfMessageAsync(MessageId message, CancellationToken cancellation);

    /// <summary>Those to this topic of whose message nothing was reported yet, oldest first; a bounded number.</summary>
    ValueTask<IReadOnlyList<Downlink>> UnreportedAsync(string topic, CancellationToken cancellation);

    /// <summary>Messages that were published to the topic through the management API, in that time, and belong to no downlink; a bounded number.</summary>
    ValueTask<IReadOnlyList<MessageId>> RecordedAsync(string topic, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellation);

    /// <summary>Those up to this number that wait for the broker's answer.</summary>
    ValueTask<IReadOnlyList<long>> UnansweredAsync(long upTo, CancellationToken cancellation);

    ValueTask SaveAsync(Downlink downlink, CancellationToken cancellation);
}
