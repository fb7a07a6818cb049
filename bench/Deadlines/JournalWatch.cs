using Microsoft.Data.Sqlite;

namespace WebhookService.Bench.Deadlines;

/// <summary>
/// Reads the journal as it grows and notes when each confirmed offline can be read, which is after its commit. It looks every few
/// milliseconds, so lateness is told too long rather than too short.
/// </summary>
internal sealed class JournalWatch(string path, DeadlineFleet fleet)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);

    private readonly Dictionary<Wave, List<double>> lateness = [];

    /// <summary>Entries that no wave explains, or that came twice.</summary>
    public int Wrong { get; private set; }

    public Timings Of(Wave wave)
    {
        lock (lateness) return new Timings(lateness.GetValueOrDefault(wave) is { } all ? [.. all] : []);
    }

    public int Met(Wave wave) => Of(wave).Count;

    public async Task FollowAsync(CancellationToken stop)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, Mode = SqliteOpenMode.ReadOnly }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT seq, client_no, type_no = (SELECT type_no FROM event_types WHERE name = 'device.offline-confirmed') FROM journal WHERE seq > $after ORDER BY seq
            """;
        var after = command.Parameters.Add("$after", SqliteType.Integer);
        var (last, told) = (0L, new HashSet<long>());
        while (!stop.IsCancellationRequested)
        {
            after.Value = last;
            using (var reader = command.ExecuteReader())
            {
                var now = 0d;
                while (reader.Read())
                {
                    if (now == 0) now = (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds; // what this look sees was there by now
                    last = reader.GetInt64(0);
                    if (!reader.IsDBNull(2) && reader.GetInt64(2) == 1) Note(reader.GetInt64(1), now, told);
                }
            }
            await Task.Delay(Interval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Note(long clientNo, double now, HashSet<long> told)
    {
        if (fleet.Find(clientNo) is not var (wave, dueAt) || !told.Add(clientNo) || now < dueAt)
        {
            Wrong++;
            return;
        }
        lock (lateness)
        {
            if (!lateness.TryGetValue(wave, out var all)) lateness[wave] = all = [];
            all.Add(now - dueAt);
        }
    }
}
