using Dapper;
using WebhookService.Bench.Fleet;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Deadlines;

/// <summary>So many devices fall due within a stretch of time, at random moments of it.</summary>
/// <param name="Start">Milliseconds after the beginning of the measurement.</param>
/// <param name="Breath">Milliseconds after its end in which nothing else falls due.</param>
internal sealed record Wave(string Name, int PerSecond, int Seconds, long Start, int Breath, bool WithIngest)
{
    public int Devices => PerSecond * Seconds;
    public long End => Start + (Seconds * 1_000L);
}

/// <summary>
/// A database in which every device has a deadline: those of the waves are offline and to be confirmed so, all others are online and due in a
/// time that the benchmark does not see.
/// </summary>
internal sealed class DeadlineFleet(int devices, IReadOnlyList<Wave> waves)
{
    private const long Never = 4_102_444_800_000; // 2100

    /// <summary>Spreads the devices of a wave over the whole file; shares no factor with round numbers.</summary>
    private const long Stride = 7_919;

    private readonly Dictionary<long, (Wave Wave, long After)> due = [];
    private long beginning;

    /// <summary>The wave a device belongs to and when it is due, by the machine's clock.</summary>
    public (Wave Wave, long DueAt)? Find(long clientNo) => due.TryGetValue(clientNo, out var one) ? (one.Wave, beginning + one.After) : null;

    /// <returns>When the measurement begins, in milliseconds since 1970: <paramref name="lead"/> after everything is written.</returns>
    public long WriteTo(string path, TimeSpan lead)
    {
        Plan();
        using var connection = BulkDatabase.Create(path);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var aside = new IndexesAside(connection);
        connection.Execute(
            """
            BEGIN;
            CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @devices) SELECT i FROM n;
            INSERT INTO clients SELECT i, printf('sensor-%07d', i) FROM n;
            INSERT INTO devices (client_no, client_id, username, first_seen_at, status, confidence, fresh_confidence, since, evidence, last_online_at,
              session_count, subscription_count, node, connected_at, peer, ip, port, protocol, protocol_version, keep_alive, clean_start, expiry)
            SELECT i, printf('sensor-%07d', i), 'site-' || (i % 500), @now - 86400000 - i, 1, 0, 0, @now - i, 'session', @now - i,
              1, 0, 'emqx@10.0.0.' || (i % 5), @now - i, '10.1.0.7:' || (i % 60000), '10.1.0.7', i % 60000, 'MQTT', '5', 60, 1, 0
            FROM n;
            INSERT INTO device_activity (client_no, last_seen_at, published, delivered, dropped, version, status) SELECT i, @now - i, 0, 0, 0, 1, 1 FROM n;
            INSERT INTO deadlines SELECT i, @Never FROM n;
            """, new { devices, now, Never });
        using (var offline = new Statement(connection, "UPDATE devices SET status = 2, evidence = 'session-end', last_reason = 'keepalive-timeout', offline_confirmed_at = ? WHERE client_no = ?"))
        using (var activity = new Statement(connection, "UPDATE device_activity SET status = 2 WHERE client_no = ?"))
        using (var deadline = new Statement(connection, "UPDATE deadlines SET due_at = ? WHERE client_no = ?"))
            foreach (var (clientNo, (_, after)) in due)
            {
                offline.Add(after).Add(clientNo).Run();
                activity.Add(clientNo).Run();
                deadline.Add(after).Add(clientNo).Run();
            }
        connection.Execute("COMMIT");
        aside.PutBack(CancellationToken.None);

        beginning = (TimeProvider.System.GetUtcNow() + lead).ToUnixTimeMilliseconds();
        connection.Execute(
            """
            UPDATE devices SET offline_confirmed_at = offline_confirmed_at + @beginning WHERE offline_confirmed_at IS NOT NULL;
            UPDATE deadlines SET due_at = due_at + @beginning WHERE due_at < @Never;
            PRAGMA journal_mode=WAL;
            """, new { beginning, Never });
        return beginning;
    }

    private void Plan()
    {
        var (random, next) = (new Random(1), 0L);
        foreach (var wave in waves)
            for (var i = 0; i < wave.Devices; i++)
                due.Add(1 + (++next * Stride % devices), (wave, wave.Start + (long)(random.NextDouble() * wave.Seconds * 1_000)));
    }
}
