using Dapper;
using WebhookService.Application.Common;
using WebhookService.Bench.Fleet;
using WebhookService.Domain.Devices;

namespace WebhookService.Bench.Ingest;

/// <summary>
/// A new database whose clients have been there before, an hour each time and once a day: what a service finds that has run for months, but for
/// indexes as dense as nothing that grew. A round of all clients comes after the other, so that the sessions of one lie far apart in the file.
/// </summary>
internal static class Past
{
    private const int Hour = 3_600_000;

    /// <summary>SQL that counts the sessions of before that are as they were written.</summary>
    public static string CountUnchanged(long before) =>
        $"SELECT count(*) FROM sessions WHERE connected_at < {before} AND opened AND closed_at = connected_at + {Hour} AND end_at = closed_at AND ended_by = 'event'";

    /// <param name="sessions">Of each client, all of them over.</param>
    public static void WriteTo(string path, int sessions)
    {
        using var connection = BulkDatabase.Create(path);
        connection.CreateFunction("client_id", (long client) => RequestTemplate.ClientId((int)client), isDeterministic: true);
        connection.CreateFunction("username", (long client) => RequestTemplate.Username((int)client), isDeterministic: true);
        var aside = new IndexesAside(connection);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        connection.Execute(
            """
            BEGIN;
            CREATE TEMP TABLE past AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < @Clients - 1)
              SELECT i + 1 AS no, client_id(i) AS id, username(i) AS username, '10.16.0.77' AS ip, @FirstPort + i AS port FROM n;
            INSERT INTO clients (client_no, client_id) SELECT no, id FROM past;
            CREATE TEMP TABLE rounds AS WITH RECURSIVE n(i) AS (SELECT @sessions UNION ALL SELECT i - 1 FROM n WHERE i > 1) SELECT i, @now - 86400000 * i AS at FROM n;
            INSERT INTO sessions (client_no, node, connected_at, peer, opened, time_is_arrival, username, ip, port, protocol, protocol_version, keep_alive, clean_start,
              expiry, closed_at, closed_reason, closed_raw, end_at, end_reason, end_raw, ended_by, published_start, delivered_start, dropped_start,
              published_end, delivered_end, dropped_end)
            SELECT no, 'emqx@10.0.0.1', at + no, ip || ':' || port, 1, 0, username, ip, port, 'MQTT', '5', 60, 1,
              0, at + no + @Hour, @network, 'tcp_closed', at + no + @Hour, @network, 'tcp_closed', 'event', 0, 0, 0, 0, 0, 0
            FROM rounds CROSS JOIN past;
            INSERT INTO devices (client_no, client_id, username, first_seen_at, status, confidence, fresh_confidence, since, evidence, last_online_at, last_offline_at,
              last_reason, last_raw_reason, session_count, subscription_count, node, connected_at, peer, ip, port, protocol, protocol_version, keep_alive, clean_start,
              expiry)
            SELECT no, id, username, @now - 86400000 * @sessions + no, 2, 0, 0, @now - 86400000 + @Hour + no, 'session-end', @now - 86400000 + no, @now - 86400000 + @Hour + no,
              @network, 'tcp_closed', @sessions, 0, 'emqx@10.0.0.1', @now - 86400000 + no, ip || ':' || port, ip, port, 'MQTT', '5', 60, 1, 0
            FROM past;
            INSERT INTO device_activity (client_no, last_seen_at, published, delivered, dropped, version, status)
            SELECT no, @now - 86400000 + @Hour + no, 0, 0, 0, 2 * @sessions, 2 FROM past;
            COMMIT;
            """, new { EmqxBodies.Clients, RequestTemplate.FirstPort, Hour, sessions, now, network = Words.Of(DisconnectReason.Network) });
        aside.PutBack(CancellationToken.None);
        connection.Execute("PRAGMA journal_mode=WAL");
    }
}
