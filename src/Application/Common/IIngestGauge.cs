namespace WebhookService.Application.Common;

/// <summary>How busy the writer is.</summary>
public interface IIngestGauge
{
    /// <summary>Commands that wait for the writer.</summary>
    int QueueDepth { get; }

    /// <summary>Commands that may wait at the most.</summary>
    int QueueCapacity { get; }
}
