using WebhookService.Application.Common;

namespace WebhookService.Application.Quarantine;

/// <summary>Deletes a refused body, after a retry that succeeded or because nobody needs it. False if there is none of that number.</summary>
public sealed record ReleaseFromQuarantine(long Id) : ICommand<bool>;

internal sealed class ReleaseFromQuarantineHandler(IQuarantine quarantine) : ICommandHandler<ReleaseFromQuarantine, bool>
{
    public async Task<bool> Handle(ReleaseFromQuarantine command, CancellationToken cancellationToken) =>
        await quarantine.RemoveAsync(command.Id, cancellationToken);
}

/// <summary>Notes that a refused body was tried again in vain.</summary>
public sealed record NoteQuarantineAttempt(long Id, string Reason, DateTimeOffset At) : ICommand<bool>;

internal sealed class NoteQuarantineAttemptHandler(IQuarantine quarantine) : ICommandHandler<NoteQuarantineAttempt, bool>
{
    public async Task<bool> Handle(NoteQuarantineAttempt command, CancellationToken cancellationToken)
    {
        await quarantine.NoteAttemptAsync(command.Id, command.Reason, command.At, cancellationToken);
        return true;
    }
}
