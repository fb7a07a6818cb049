namespace WebhookService.Application.Common;

/// <summary>More was sent than can be stored in time. The request was not taken; send it again after <see cref="RetryAfter"/>.</summary>
public sealed class OverloadedException(TimeSpan retryAfter) : Exception("The service is overloaded and did not take the request.")
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}
