using System.Collections.Concurrent;
using Dapper;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>
/// What changes of a device with every message. Its row in `device_activity` lies at a random place, so it is not written each time: the new
/// values are appended to `activity_log`, stay in memory for readers, and are moved to the table some thousand at a time, in the table's order.
/// Of what the table, the log and the memory say of a device, the highest version holds. See decision 0015.
/// </summary>
internal sealed class ActivityLog : IUnitOfWorkPart
{
    private const string Columns = "client_no, last_seen_at, last_message_at, last_topic, published, delivered, dropped, sign_at, sign_peer, version, status";

    private const string Upsert = $"""
        INSERT INTO device_activity ({Columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (client_no) DO UPDATE SET
          last_seen_at = excluded.last_seen_at, last_message_at = excluded.last_message_at, last_topic = excluded.last_topic,
          published = excluded.published, delivered = excluded.delivered, dropped = excluded.dropped,
          sign_at = excluded.sign_at, sign_peer = excluded.sign_peer, version = excluded.version, status = excluded.status
        WHERE excluded.version > device_activity.version
        """;

    /// <summary>Rows that are written between two looks at the clock.</summary>
    private const int AtOnce = 64;

    /// <summary>Makes earlier rows of a client void.</summary>
    private static readonly Activity Gone = new();

    private readonly UnitOfWork work;
    private readonly Lazy<Statement> append;
    private readonly Lazy<Statement> upsert;
    private readonly Lazy<Statement> remove;
    private readonly ConcurrentDictionary<string, Activity> pending = new(concurrencyLevel: 1, capacity: 1_024, StringComparer.Ordinal);
    private readonly Dictionary<string, Activity> appended = new(StringComparer.Ordinal);
    private readonly List<KeyValuePair<string, Activity>> moved = [];
    private long next;      // number of the next row
    private long committed; // rows up to this one are pending, or were
    private bool incomplete; // rows were appended in this transaction that are not known

    public ActivityLog(UnitOfWork work)
    {
        this.work = work;
        append = work.Prepare($"INSERT INTO activity_log (no, rests_on, {Columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        upsert = work.Prepare(Upsert);
        remove = work.Prepare($"DELETE FROM activity_log WHERE no IN (SELECT no FROM activity_log WHERE no <= ? ORDER BY no LIMIT {AtOnce}) RETURNING 1");
        work.Enlist(this);
    }

    /// <summary>Whether anything is not in the table yet.</summary>
    public bool IsEmpty => pending.IsEmpty;

    /// <summary>
    /// What is committed of a client and not in the table yet; null if that is nothing. For a reader it holds where it is newer than the row and
    /// <see cref="Activity.RestsOn"/> is not.
    /// </summary>
    public Activity? Find(string client) => pending.GetValueOrDefault(client) is { Version: > 0 } known ? known : null;

    /// <summary>The same for the writer, in its transaction.</summary>
    public Activity? FindWithin(string client)
    {
        Recall();
        return appended.TryGetValue(client, out var known) ? known : Find(client);
    }

    /// <summary>In the transaction that changes the device.</summary>
    public void Append(string client, Activity values)
    {
        Recall();
        Bind(append.Value.Add(++next).Add(values.RestsOn), values).Run();
        appended[client] = values;
    }

    /// <summary>Writes the row of the table at once, for a device whose other rows change too, so that lists by status never tell two tales.</summary>
    public void Write(string client, Activity values)
    {
        if (FindWithin(client) is { } earlier && earlier.Version >= values.Version) Forget(client, values.ClientNo); // of a device that was deleted by hand
        Bind(upsert.Value, values).Run();
    }

    /// <summary>The device was deleted in this transaction.</summary>
    public void Forget(string client, long clientNo) => Append(client, Gone with { ClientNo = clientNo });

    /// <summary>What there is to move now, in the order of the table.</summary>
    public Moving Begin()
    {
        var upTo = Volatile.Read(ref committed);
        var some = pending.ToArray(); // at one moment: the writer goes on
        Array.Sort(some, (one, other) => one.Value.ClientNo.CompareTo(other.Value.ClientNo));
        return new(Array.ConvertAll(some, one => one.Key), upTo);
    }

    /// <summary>Moves a part of it, in a transaction of the writer.</summary>
    /// <returns>Where to go on in the next transaction; null after the last.</returns>
    public Moving? Move(Moving moving, StepTime time)
    {
        var place = moving.Place;
        while (place < moving.Clients.Length)
        {
            var client = moving.Clients[place++];
            if (pending.TryGetValue(client, out var values))
            {
                if (values.Version > 0) Bind(upsert.Value, values).Run();
                moved.Add(new(client, values));
            }
            if (place % AtOnce == 0 && time.IsOver) return moving with { Place = place };
        }
        while (remove.Value.Add(moving.UpTo).Number() is not null)
            if (time.IsOver) return moving with { Place = place };
        return null;
    }

    /// <summary>Reads what the log holds from before.</summary>
    public void Opened()
    {
        pending.Clear();
        (committed, next) = (0, 0);
        incomplete = true;
        Committed();
    }

    public void Flush() { } // rows are appended as they come

    public void Forget()
    {
        appended.Clear();
        moved.Clear();
        incomplete = true;
    }

    public void Committed()
    {
        foreach (var one in moved) pending.TryRemove(one); // unless there is something newer
        moved.Clear();
        Recall();
        foreach (var (client, values) in appended) pending[client] = values;
        appended.Clear();
        Volatile.Write(ref committed, next);
    }

    /// <summary>Reads the rows of this transaction that were forgotten, if any were.</summary>
    private void Recall()
    {
        if (!incomplete) return;
        next = committed;
        var rows = work.Connection.Query<long, string, Activity, (long No, string Client, Activity Values)>(
            $"SELECT l.no, c.client_id, l.* FROM activity_log l JOIN clients c USING (client_no) WHERE l.no > @committed ORDER BY l.no",
            (no, client, values) => (no, client, values), new { committed }, splitOn: "client_id,no");
        foreach (var (no, client, values) in rows) (next, appended[client]) = (no, values);
        incomplete = false;
    }

    private static Statement Bind(Statement statement, Activity values) => statement
        .Add(values.ClientNo).Add(values.LastSeenAt).Add(values.LastMessageAt).Add(values.LastTopic)
        .Add(values.Published).Add(values.Delivered).Add(values.Dropped).Add(values.SignAt).Add(values.SignPeer).Add(values.Version).Add(values.Status);

    /// <summary>Clients whose values are moved to the table, from a place on, and the rows of the log that can go then.</summary>
    public sealed record Moving(string[] Clients, long UpTo, int Place = 0);
}
