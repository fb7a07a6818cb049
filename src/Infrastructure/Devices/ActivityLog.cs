using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dapper;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>
/// What changes of a device with every message. Its row in `device_activity` lies at a random place, so it is not written each time: the new
/// values are appended to `activity_log`, a row for each transaction, stay in memory for readers, and are moved to the table some thousand at a time, in the table's order.
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
        """;

    private const string Entries = """
        SELECT l.no, c.client_id, e.value FROM activity_log l, json_each(l.entries) e JOIN clients c ON c.client_no = e.value ->> 0
        WHERE l.no > @committed ORDER BY l.no, e.key
        """;

    /// <summary>Rows that are written between two looks at the clock.</summary>
    private const int AtOnce = 64;

    /// <summary>Rows of the log, each of a whole transaction, that are removed between two looks at the clock.</summary>
    private const int RemovedAtOnce = 8;

    private const int Tries = 5;

    public static readonly JsonWriterOptions AsItIs = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly UnitOfWork work;
    private readonly Lazy<Statement> append;
    private readonly Lazy<Statement> write;
    private readonly Lazy<Statement> move;
    private readonly Lazy<Statement> lowest;
    private readonly Lazy<Statement> remove;
    private readonly List<Activity> unwritten = []; // of what was appended in this transaction
    private readonly ArrayBufferWriter<byte> entries = new();
    private readonly Lock gate = new(); // of what is pending: the writer changes it, readers ask
    private readonly Dictionary<string, Activity> pending = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Activity> appended = new(StringComparer.Ordinal);
    private readonly HashSet<string> gone = new(StringComparer.Ordinal); // in this transaction
    private readonly List<(string Client, long Version)> moved = [];
    private long next;      // number of the next row
    private long committed; // rows up to this one are pending, or were
    private long moves;     // transactions in which something was moved
    private bool incomplete; // rows were appended in this transaction that are not known

    public ActivityLog(UnitOfWork work)
    {
        this.work = work;
        append = work.Prepare("INSERT INTO activity_log (no, entries) VALUES (?, ?)");
        write = work.Prepare(Upsert);
        move = work.Prepare(Upsert + " WHERE excluded.version > device_activity.version");
        lowest = work.Prepare("SELECT min(no) FROM activity_log WHERE no <= ?");
        remove = work.Prepare("DELETE FROM activity_log WHERE no <= ?");
        work.Enlist(this);
    }

    /// <summary>Whether anything is not in the table yet.</summary>
    public bool IsEmpty => pending.Count == 0;

    /// <summary>
    /// What is committed of a client and not in the table yet; null if that is nothing. For a reader it holds where it is newer than the row and
    /// <see cref="Activity.RestsOn"/> is not.
    /// </summary>
    public Activity? Find(string client)
    {
        lock (gate) return pending.TryGetValue(client, out var known) && known.Version > 0 ? known : null;
    }

    /// <summary>
    /// Reads the table and then asks <see cref="Find"/>, both of one moment: what is moved to the table in between is in neither, so then it is read
    /// again. Where that happens time after time, what is shown may be a second old.
    /// </summary>
    public T ReadTogether<T>(Func<T> read)
    {
        for (var tries = 1; ; tries++)
        {
            var before = Volatile.Read(ref moves);
            var result = read();
            if (Volatile.Read(ref moves) == before || tries == Tries) return result;
        }
    }

    /// <summary>As <see cref="Find"/>, for the writer in its transaction.</summary>
    public Activity? FindWithin(string client)
    {
        Recall();
        return appended.TryGetValue(client, out var known) ? known : Find(client);
    }

    /// <summary>In the transaction that changes the device. It is in the log when that is flushed.</summary>
    public void Append(string client, Activity values)
    {
        Recall();
        unwritten.Add(values);
        Remember(client, values);
    }

    /// <summary>Writes the row of the table at once, for a device whose other rows change too, so that lists by status never tell two tales.</summary>
    public void Write(string client, Activity values)
    {
        if (FindWithin(client) is { } earlier && earlier.Version >= values.Version) Forget(client, values.ClientNo); // of a device that was deleted by hand
        Bind(write.Value, values).Run();
    }

    /// <summary>The device was deleted in this transaction.</summary>
    public void Forget(string client, long clientNo) => Append(client, new Activity { ClientNo = clientNo }); // makes earlier rows void

    /// <summary>What there is to move now, in the order of the table.</summary>
    public Moving Begin()
    {
        var upTo = Volatile.Read(ref committed);
        string[] clients;
        long[] numbers;
        lock (gate) (clients, numbers) = ([.. pending.Keys], [.. pending.Values.Select(values => values.ClientNo)]);
        Array.Sort(numbers, clients);
        return new(clients, upTo);
    }

    /// <summary>Moves a part of it, in a transaction of the writer.</summary>
    /// <returns>Where to go on in the next transaction; null after the last.</returns>
    public Moving? Move(Moving moving, StepTime time)
    {
        Recall();
        var place = moving.Place;
        while (place < moving.Clients.Length)
        {
            var client = moving.Clients[place++];
            if (pending.TryGetValue(client, out var values))
            {
                if (values.Version > 0 && !gone.Contains(client)) Bind(move.Value, values).Run();
                moved.Add((client, values.Version));
            }
            if (place % AtOnce == 0 && time.IsOver) return moving with { Place = place };
        }
        while (lowest.Value.Add(moving.UpTo).Number() is > 0 and var first)
        {
            remove.Value.Add(Math.Min(moving.UpTo, first + RemovedAtOnce)).Run();
            if (time.IsOver) return moving with { Place = place };
        }
        return null;
    }

    /// <summary>Reads what the log holds from before.</summary>
    public void Opened()
    {
        lock (gate) pending.Clear();
        committed = 0; // but no number is given again: a part that is being moved may still remove rows by it
        incomplete = true;
        Committed();
    }

    /// <summary>Writes what was appended since the last flush, as one row.</summary>
    public void Flush()
    {
        if (unwritten.Count == 0) return;
        entries.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(entries, AsItIs))
        {
            json.WriteStartArray();
            foreach (var values in unwritten) values.WriteTo(json);
            json.WriteEndArray();
        }
        append.Value.Add(++next).AddText(entries.WrittenSpan).Run();
        unwritten.Clear();
    }

    public void Forget()
    {
        unwritten.Clear();
        appended.Clear();
        gone.Clear();
        moved.Clear();
        incomplete = true;
    }

    public void Committed()
    {
        Recall();
        lock (gate)
        {
            if (moved.Count > 0) Volatile.Write(ref moves, moves + 1);
            foreach (var (client, version) in moved)
                if (pending.TryGetValue(client, out var now) && now.Version == version) pending.Remove(client); // else there is something newer
            foreach (var (client, values) in appended) pending[client] = values;
        }
        moved.Clear();
        appended.Clear();
        gone.Clear();
        Volatile.Write(ref committed, next);
    }

    /// <summary>Reads the rows of this transaction that were forgotten, if any were.</summary>
    private void Recall()
    {
        if (!incomplete) return;
        foreach (var (no, client, entry) in work.Connection.Query<(long, string, string)>(Entries, new { committed }))
        {
            next = Math.Max(next, no);
            Remember(client, Activity.Read(entry));
        }
        incomplete = false;
    }

    private void Remember(string client, Activity values)
    {
        appended[client] = values;
        if (values.Version == 0) gone.Add(client);
    }

    private static Statement Bind(Statement statement, Activity values) => statement
        .Add(values.ClientNo).Add(values.LastSeenAt).Add(values.LastMessageAt).Add(values.LastTopic)
        .Add(values.Published).Add(values.Delivered).Add(values.Dropped).Add(values.SignAt).Add(values.SignPeer).Add(values.Version).Add(values.Status);

    /// <summary>Clients whose values are moved to the table, from a place on, and the rows of the log that can go then.</summary>
    public sealed record Moving(string[] Clients, long UpTo, int Place = 0);
}
