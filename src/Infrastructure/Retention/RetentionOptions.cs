using System.ComponentModel.DataAnnotations;

namespace WebhookService.Infrastructure.Retention;

/// <summary>`Retention`: how long and how much is kept; see docs/retention.md. The oldest goes first. 0 is no bound, everywhere.</summary>
public sealed class RetentionOptions : IValidatableObject
{
    public const long LeastDatabaseBytes = 1024 * 1024;

    /// <summary>How often is looked whether something is to go.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00", ErrorMessage = "Retention:Interval is 00:00:00.100 to 01:00:00.")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The part of the writer's time that removing may take while others write; more, up to the half, where it falls behind.</summary>
    [Range(0.01, 0.5, ErrorMessage = "Retention:WriterShare is 0.01 to 0.5.")]
    public double WriterShare { get; init; } = 0.1;

    /// <summary>
    /// Bytes of the database file that are in use, without its write-ahead log. Beyond it all kinds keep less: each the same part of its MaxAge.
    /// </summary>
    public long MaxDatabaseBytes { get; init; } = 50L * 1024 * 1024 * 1024;

    /// <summary>Messages with their deliveries. Counted are the numbers given to them, so that of a device that was forgotten still counts.</summary>
    public RetentionLimit Messages { get; init; } = new() { MaxAge = TimeSpan.FromDays(30), MaxCount = 100_000_000 };

    /// <summary>The last message of each device and topic outlives <see cref="Messages"/>; so many of them at the most.</summary>
    [Range(0, long.MaxValue, ErrorMessage = "Retention:LatestMessages is 0 or more.")]
    public long LatestMessages { get; init; } = 1_000_000;

    public RetentionLimit Journal { get; init; } = new() { MaxAge = TimeSpan.FromDays(30), MaxCount = 200_000_000 };

    /// <summary>Ended sessions, by their end, and reported ends without a session. The newest session of each device stays.</summary>
    public RetentionLimit Sessions { get; init; } = new() { MaxAge = TimeSpan.FromDays(400), MaxCount = 50_000_000 };

    public RetentionLimit DeadLetters { get; init; } = new() { MaxAge = TimeSpan.FromDays(90), MaxCount = 100_000 };

    /// <summary>Messages to devices of which no more news is waited for. Counted are the numbers given to them.</summary>
    public RetentionLimit Downlinks { get; init; } = new() { MaxAge = TimeSpan.FromDays(30), MaxCount = 1_000_000 };

    public RetentionLimit Quarantine { get; init; } = new() { MaxAge = TimeSpan.FromDays(14), MaxCount = 10_000 };

    /// <summary>Bytes of the bodies in quarantine, each of which can be as large as a request.</summary>
    [Range(0, long.MaxValue, ErrorMessage = "Retention:QuarantineBytes is 0 or more.")]
    public long QuarantineBytes { get; init; } = 256 * 1024 * 1024;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MaxDatabaseBytes is not 0 and < LeastDatabaseBytes)
            yield return new($"Retention:MaxDatabaseBytes is {MaxDatabaseBytes}: give at least {LeastDatabaseBytes}, or 0 for no bound.");
        (string Name, RetentionLimit Limit)[] kinds =
        [
            (nameof(Messages), Messages), (nameof(Journal), Journal), (nameof(Sessions), Sessions), (nameof(DeadLetters), DeadLetters), (nameof(Downlinks), Downlinks),
            (nameof(Quarantine), Quarantine),
        ];
        foreach (var (name, limit) in kinds)
        {
            if (limit.MaxAge != TimeSpan.Zero && limit.MaxAge < TimeSpan.FromSeconds(1))
                yield return new($"Retention:{name}:MaxAge is {limit.MaxAge}: give at least 00:00:01 (30 days are \"30.00:00:00\"), or 0 for ever.");
            if (limit.MaxCount < 0) yield return new($"Retention:{name}:MaxCount is {limit.MaxCount}: give how many to keep, or 0 for no bound.");
        }
    }
}

/// <summary>The bounds of one kind.</summary>
public sealed class RetentionLimit
{
    /// <summary>Since it came in, by the service's clock. 0: for ever.</summary>
    public TimeSpan MaxAge { get; init; }

    /// <summary>How many are kept. 0: no bound.</summary>
    public long MaxCount { get; init; }

    /// <summary>Where age decides between kinds, one that is kept for ever counts as kept so long.</summary>
    internal TimeSpan Scale => MaxAge > TimeSpan.Zero ? MaxAge : TimeSpan.FromDays(400);
}
