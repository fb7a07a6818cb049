using Dapper;
using Microsoft.Data.Sqlite;

namespace WebhookService.Bench.Fleet;

/// <summary>Things that are in the file, to ask for; read from it, so that any file of the service can be measured.</summary>
internal sealed class FleetSample
{
    private const int Size = 2_000;
    private readonly Random random = new(7);

    public FleetSample(string path)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ConnectionString);
        connection.Open();
        Devices = connection.ExecuteScalar<long>("SELECT count(*) FROM devices");
        Sessions = connection.ExecuteScalar<long>("SELECT count(*) FROM sessions");
        Messages = connection.ExecuteScalar<long>("SELECT coalesce(max(message_no), 0) FROM messages");
        Online = connection.ExecuteScalar<long>("SELECT count(*) FROM devices WHERE status = 1");
        var newest = connection.ExecuteScalar<long>("SELECT max(client_no) FROM devices");
        ClientIds = Look(connection, newest, "SELECT client_id FROM devices WHERE client_no >= @no ORDER BY client_no LIMIT 1");
        Usernames = Look(connection, newest, "SELECT username FROM devices WHERE client_no >= @no AND username IS NOT NULL ORDER BY client_no LIMIT 1");
        Nodes = [.. connection.Query<string>("SELECT DISTINCT node FROM devices WHERE node IS NOT NULL")];
        Published = [.. Enumerable.Range(0, Size).Select(_ => connection.QueryFirst<(string, string)>(
            """
            SELECT c.client_id, t.topic FROM messages m JOIN clients c USING (client_no) JOIN topics t USING (topic_no)
            WHERE m.message_no >= @no ORDER BY m.message_no LIMIT 1
            """, new { no = random.NextInt64(Messages) }))];
    }

    public long Devices { get; }
    public long Sessions { get; }
    public long Messages { get; }
    public long Online { get; }
    public string[] ClientIds { get; }
    public string[] Usernames { get; }
    public string[] Nodes { get; }

    /// <summary>Client ids and topics of messages, so that who publishes much is asked for often.</summary>
    public (string ClientId, string Topic)[] Published { get; }

    public T Any<T>(T[] from) => from[random.Next(from.Length)];

    private string[] Look(SqliteConnection connection, long newest, string sql) =>
        [.. Enumerable.Range(0, Size).Select(_ => connection.QueryFirstOrDefault<string>(sql, new { no = random.NextInt64(newest) + 1 })).OfType<string>()];
}
