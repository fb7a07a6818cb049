namespace WebhookService.Application.Journal;

/// <summary>Rings when a commit added to the journal, so that who follows it need not ask again and again.</summary>
public interface IJournalBell
{
    /// <summary>The newest sequence number that is committed; 0 while nothing has happened.</summary>
    long Head { get; }

    /// <summary>Waits until the journal holds more than that sequence number.</summary>
    ValueTask WaitBeyondAsync(long seq, CancellationToken cancellation);
}
