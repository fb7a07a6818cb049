using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// The writer's rows by one number, `$key` in the SQL. Prepared once: Dapper would have the statement prepared anew each time, and where a fleet is larger than
/// what is remembered it runs for every report.
/// </summary>
/// <param name="parserOf">Where a row is no object, or more than one: makes what reads it.</param>
internal sealed class PreparedQuery<TRow>(UnitOfWork work, string sql, Func<DbDataReader, Func<DbDataReader, TRow>>? parserOf = null)
{
    private SqliteCommand? command;
    private Func<DbDataReader, TRow>? parse;

    public List<TRow> Read(long key)
    {
        if (command is null)
        {
            command = work.Connection.CreateCommand(); // goes with the connection
            command.CommandText = sql;
            command.Parameters.Add("$key", SqliteType.Integer);
        }
        command.Parameters[0].Value = key;
        using var reader = command.ExecuteReader();
        parse ??= parserOf?.Invoke(reader) ?? reader.GetRowParser<TRow>();
        var rows = new List<TRow>();
        while (reader.Read()) rows.Add(parse(reader));
        return rows;
    }
}
