namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Numbers for the rows of a table, in the order of their giving, none twice: also not when the newest rows were deleted, for readers keep
/// them as positions and references.
/// </summary>
internal sealed class Sequence(UnitOfWork work, string name, string table, string column)
{
    private readonly Lazy<Statement> read = work.Prepare(ReadLast(name, table, column));

    private readonly Lazy<Statement> write = work.Prepare(
        $"INSERT INTO counters (name, value) VALUES ('{name}', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");

    private long? last;
    private bool given;

    /// <summary>The number that was given last; 0 before the first.</summary>
    public long Last => last ??= read.Value.Number() ?? 0;

    /// <summary>The SQL that reads it.</summary>
    public static string ReadLast(string name, string table, string column) =>
        $"SELECT max(coalesce((SELECT value FROM counters WHERE name = '{name}'), 0), coalesce((SELECT max({column}) FROM {table}), 0))";

    public long Next()
    {
        last = Last + 1;
        given = true;
        return last.Value;
    }

    public void Flush()
    {
        if (!given) return;
        write.Value.Add(last).Run();
        given = false;
    }

    public void Forget() => (last, given) = (null, false);
}
