using System.ComponentModel.DataAnnotations;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>`Storage`: where the data is kept.</summary>
public sealed class StorageOptions
{
    [Required]
    public string ConnectionString { get; set; } = "Data Source=data/webhooks.db";

    /// <summary>The database: `Sqlite`.</summary>
    [RegularExpression("(?i)^sqlite$", ErrorMessage = "Storage:Provider knows 'Sqlite' only.")]
    public string Provider { get; init; } = "Sqlite";

    /// <summary>Entries of an index that are gathered in memory (up to 60 bytes each, for half as many more) before they are written together.</summary>
    [Range(1, 10_000_000)]
    public int EntriesOfRun { get; init; } = 131_072;
}
