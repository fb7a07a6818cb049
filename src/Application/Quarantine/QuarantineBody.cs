using WebhookService.Application.Common;

namespace WebhookService.Application.Quarantine;

/// <summary>Keeps a body that nothing could be made of, so that it is not lost: brokers never send it again after a 4xx.</summary>
/// <param name="Source">The source it was sent to.</param>
/// <param name="Code">Why, as a stable word: `malformed`, `too-large`, `unsupported-media-type` …</param>
/// <param name="Reason">Why, as a sentence for people.</param>
/// <param name="Truncated">True when only the beginning was kept.</param>
public sealed record QuarantineBody(
    string Source, string Code, string Reason, string? Parameter, string? ContentType, byte[] Body, bool Truncated, DateTimeOffset ReceivedAt) : ICommand<long>;

internal sealed class QuarantineBodyHandler(IQuarantine quarantine) : ICommandHandler<QuarantineBody, long>
{
    public async Task<long> Handle(QuarantineBody command, CancellationToken cancellationToken) =>
        await quarantine.AddAsync(command, cancellationToken);
}

/// <summary>The store of refused bodies.</summary>
public interface IQuarantine
{
    /// <returns>The number under which the body can be read again.</returns>
    ValueTask<long> AddAsync(QuarantineBody body, CancellationToken cancellation);

    /// <returns>False if there is none of that number.</returns>
    ValueTask<bool> RemoveAsync(long id, CancellationToken cancellation);

    /// <summary>Notes one more attempt that failed.</summary>
    ValueTask NoteAttemptAsync(long id, string reason, DateTimeOffset at, CancellationToken cancellation);
}
