using WebhookService.Application.Common;

namespace WebhookService.Application.Quarantine;

/// <summary>A refused body with its bytes; null if there is none of that number.</summary>
public sealed record GetQuarantined(long Id) : IQuery<QuarantinedBody?>;

public sealed record QuarantinedBody(QuarantinedView About, byte[] Body);
