namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Numbers for the rows of a table, in the order of their giving, none twice: also not when the newest rows were deleted, for readers keep
/// them as positions and references. The highest number is that of the newest row, or what a trigger noted when that was deleted.
/// </summary>
internal sealed class Sequence(UnitOfWork work, string name, string table, string column)
{
    private readonly Lazy<Statement> read = work.Prepare(ReadLast(name, table, column));

    private long? last;

    /// <summary>The number that was given last; 0 before the first.</summary>
    public long Last => last ??= read.Value.Number() ?? 0;

    /// <summary>The SQL that reads it.</summary>
    public static string ReadLast(string name, string table, string column) =>
        $"SELECT max(coalesce((SELECT value FROM counters WHERE name = '{name}'), 0), coalesce((SELECT max({column}) FROM {table}), 0))";

    /// <summary>For a row that is written in this transaction.</summary>
    public long Next()
    {
        last = Last + 1;
        return last.Value;
    }

    public void Forget() => last = null;
}
