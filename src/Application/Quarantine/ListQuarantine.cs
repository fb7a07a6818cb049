using WebhookService.Application.Common;

namespace WebhookService.Application.Quarantine;

/// <summary>The refused bodies, newest first, of one source or code if named.</summary>
public sealed record ListQuarantine(string? Source, string? Code, PageRequest Page) : IQuery<Page<QuarantinedView>>;

/// <summary>What is known of a refused body, without its bytes. <see cref="Bytes"/> is how many were kept.</summary>
public sealed class QuarantinedView
{
    public required long Id { get; init; }
    public required DateTimeOffset ReceivedAt { get; init; }
    public required string Source { get; init; }
    public required string Code { get; init; }
    public required string Reason { get; init; }
    public string? Parameter { get; init; }
    public string? ContentType { get; init; }
    public required long Bytes { get; init; }
    public required bool Truncated { get; init; }

    /// <summary>How often it was tried again in vain.</summary>
    public required int Attempts { get; init; }
    public DateTimeOffset? LastAttemptAt { get; init; }
}
