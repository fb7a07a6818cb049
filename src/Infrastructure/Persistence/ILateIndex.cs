namespace WebhookService.Infrastructure.Persistence;

/// <summary>An index that is written after the rows it speaks of, many entries at once: each of them alone would change a page.</summary>
internal interface ILateIndex
{
    /// <summary>For log lines.</summary>
    string Name { get; }

    /// <summary>Whether there are entries enough to be written.</summary>
    bool IsWaiting { get; }

    /// <summary>Waits until there are.</summary>
    Task WhenManyAsync(CancellationToken cancellation);

    /// <summary>What can be done beside the writer, before <see cref="Write"/>.</summary>
    void Prepare() { }

    /// <summary>Writes some, in a transaction of the writer.</summary>
    void Write(StepTime time);

    /// <summary>Removes some of what speaks of rows that are gone, in a transaction of the writer.</summary>
    /// <returns>Whether there is more of it.</returns>
    bool RemoveOutdated(StepTime time) => false;
}
