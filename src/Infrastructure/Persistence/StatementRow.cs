using System.Text;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// The row at which a statement stands. Values are taken in the order of the columns, each once, as they are bound: without boxing, and a text that is known
/// (<see cref="SharedTexts"/>) without making it anew.
/// </summary>
internal ref struct StatementRow(nint statement)
{
    private int next;

    public long Number() => SqliteBinding.NumberIn(statement, next++);

    public long? NumberOrNull()
    {
        if (!IsNull()) return Number();
        next++;
        return null;
    }

    public bool Flag() => Number() != 0;

    public bool? FlagOrNull() => NumberOrNull() is { } value ? value != 0 : null;

    public string? Text() => IsNull() ? Null() : Encoding.UTF8.GetString(SqliteBinding.TextIn(statement, next++));

    public string? Text(SharedTexts texts) => IsNull() ? Null() : texts.Of(SqliteBinding.TextIn(statement, next++));

    private readonly bool IsNull() => SqliteBinding.IsNullIn(statement, next);

    private string? Null()
    {
        next++;
        return null;
    }
}

/// <summary>Makes something of a row.</summary>
internal delegate T RowReader<out T>(ref StatementRow row);
