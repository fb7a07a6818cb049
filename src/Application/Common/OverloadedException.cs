namespace WebhookService.Application.Common;

/// <summary>The work was not taken because the queue is full. Nothing was changed; the caller may send it again after <see cref="RetryAfter"/>.</summary>
public sealed class OverloadedException(TimeSpan retryAfter) : Exception("The queue is full.")
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}
