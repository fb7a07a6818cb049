using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Retention;

/// <summary>Rows that grow for ever if nobody removes them. One class for each kind, next to those that write it; nothing to register.</summary>
internal interface IRetained
{
    /// <summary>In kebab-case, for metrics and people.</summary>
    string Kind { get; }

    RetentionLimit Limit { get; }

    /// <summary>When the oldest that is kept had come in; null if nothing that could go is kept, or it came in just now.</summary>
    DateTimeOffset? OldestAt(SqliteConnection reader);

    /// <summary>What goes next. Only looks, beside the writer.</summary>
    /// <param name="pressure">By which part the database is too large, so that the oldest goes whatever the bounds of this kind; null if it is not.</param>
    /// <returns>Null if nothing is to go.</returns>
    RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure);
}

/// <summary>A kind whose rows have numbers that grow and are never given twice; its age is that of its <see cref="RetentionMarks"/>.</summary>
internal interface IMarked : IRetained
{
    /// <summary>The lowest number that is to be judged, and the highest one given. The lowest is beyond the highest if there are none.</summary>
    (long Oldest, long Newest) Span(SqliteConnection reader);
}

/// <param name="Over">By which part of a bound it is exceeded: 0.1 is a tenth too much. The more, the more of the writer's time it is given.</param>
/// <param name="Remove">
/// Removes some rows, as many as there is time for but at least one if one is to go, and tells how many. Runs in the writer's transaction, and
/// again if that is rolled back.
/// </param>
internal sealed record RetentionStep(double Over, Func<StepTime, long> Remove)
{
    /// <summary>What follows in the same transaction if something was removed.</summary>
    public Func<ValueTask>? Then { get; init; }
}
