using System.Text.Json;
using Dapper;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Sessions;

namespace WebhookService.Infrastructure.Devices;

/// <summary>
/// Devices in two tables: `devices` changes when a device connects or is described, `device_activity` with every message, by way of
/// <see cref="ActivityLog"/>. A device is written once a transaction, however often it was saved in it.
/// </summary>
internal sealed class DeviceRepository : IDeviceRepository, IUnitOfWorkPart
{
    private const string Find = $"""
        SELECT a.last_seen_at, a.last_message_at, a.last_topic, a.published, a.delivered, a.dropped, a.sign_at, a.sign_peer, a.version,
          d.first_seen_at, d.username, d.name, d.tags, d.message_interval,
          d.status, d.confidence, d.fresh_confidence, d.gone_at, d.since, d.evidence, d.last_online_at, d.last_offline_at, d.last_reason, d.last_raw_reason, d.flapping_until,
          d.connected_at, d.node, d.peer, {ConnectionColumns.All}, d.session_count, d.subscription_count,
          d.offline_confirmed_at, d.verify_at, d.lapsed_takeover, d.subscription_ends_at, d.stale_at, d.alive_until, d.silent, d.flapping, l.due_at
        FROM devices d JOIN device_activity a USING (client_no) LEFT JOIN deadlines l USING (client_no)
        WHERE d.client_no = ?
        """;

    /// <summary>
    /// The columns of `devices`, those together that change together. SQLite writes each index whose columns an UPDATE names, whatever their values, and
    /// `devices` has many: so it names what changed.
    /// </summary>
    private static readonly (string Columns, Action<Statement, Saved> Bind)[] Parts =
    [
        ("username, name, tags, message_interval", (to, device) => to
            .Add(device.Username).Add(device.Profile.Name)
            .Add(device.Profile.Tags.Count == 0 ? "{}" : JsonSerializer.Serialize(device.Profile.Tags)).Add((long?)device.Profile.MessageInterval?.TotalSeconds)),
        ("node, ip", (to, device) => to.Add(device.Session?.Node).Add(device.Session?.Details.Ip)),
        ("last_reason", (to, device) => to.Add(device.Connectivity.LastReason is { } reason ? Words.Of(reason) : null)),
        ("status, since, connected_at", (to, device) => to.Add((long)device.Connectivity.Status).Add(device.Connectivity.Since.ToMs()).Add(device.Session?.ConnectedAt.ToMs())),
        (
            """
            confidence, evidence, last_online_at, last_offline_at, last_raw_reason, flapping_until, fresh_confidence, gone_at, session_count, subscription_count,
            peer, port, protocol, protocol_version, keep_alive, clean_start, expiry, more
            """,
            (to, device) =>
            {
                var (now, session, details) = (device.Connectivity, device.Session, device.Session?.Details);
                to.Add((long)now.Confidence).Add(now.Evidence).Add(now.LastOnlineAt.ToMs()).Add(now.LastOfflineAt.ToMs()).Add(now.LastRawReason).Add(now.FlappingUntil.ToMs())
                    .Add((long)now.FreshConfidence).Add(now.GoneAt.ToMs()).Add(device.SessionCount).Add(device.SubscriptionCount)
                    .Add(session?.Peer).Add(details?.Port).Add(details?.Protocol).Add(details?.ProtocolVersion).Add(details?.KeepAliveSeconds).Add(details?.CleanStart)
                    .Add(details?.ExpirySeconds).Add(details?.More);
            }),
        (
            "offline_confirmed_at, verify_at, lapsed_takeover, subscription_ends_at, stale_at, alive_until, silent, flapping",
            (to, device) =>
            {
                var pending = device.Pending;
                to.Add(pending.OfflineConfirmedAt.ToMs()).Add(pending.VerifyAt.ToMs()).Add(pending.LapsedTakeover.ToMs()).Add(pending.SubscriptionEndsAt.ToMs())
                    .Add(pending.StaleAt.ToMs()).Add(pending.AliveUntil.ToMs()).Add(pending.IsSilent).Add(pending.IsFlapping);
            }),
    ];

    private readonly UnitOfWork work;
    private readonly ClientNames clients;
    private readonly Journal.Journal journal;
    private readonly ClientEvents clientEvents;
    private readonly ForgottenMessages messages;
    private readonly Deadlines.Deadlines deadlines;
    private readonly ActivityLog activity;
    private readonly TimeProvider time;
    private readonly Lazy<Statement> insert;
    private readonly Dictionary<int, Lazy<Statement>> updates = [];
    private readonly Lazy<Statement> find;
    private readonly Lazy<Statement> saveDeadline;
    private readonly Lazy<Statement> dropDeadline;
    private readonly SharedTexts texts;
    private readonly GenerationCache<ClientId, Entry> known = new(16_384);
    private readonly HashSet<Entry> changed = [];

    public DeviceRepository(
        UnitOfWork work, ClientNames clients, Journal.Journal journal, ClientEvents clientEvents, ForgottenMessages messages, Deadlines.Deadlines deadlines, ActivityLog activity,
        TimeProvider time, SharedTexts texts)
    {
        (this.work, this.clients, this.journal, this.clientEvents, this.messages) = (work, clients, journal, clientEvents, messages);
        (this.deadlines, this.activity, this.time, this.texts) = (deadlines, activity, time, texts);
        var all = string.Join(", ", Parts.Select(part => part.Columns));
        insert = work.Prepare($"INSERT OR REPLACE INTO devices (client_no, client_id, first_seen_at, {all}) VALUES (?, ?, ?, {Statement.Marks(all)})");
        find = work.Prepare(Find);
        saveDeadline = work.Prepare("INSERT INTO deadlines (client_no, due_at) VALUES (?, ?) ON CONFLICT (client_no) DO UPDATE SET due_at = excluded.due_at");
        dropDeadline = work.Prepare("DELETE FROM deadlines WHERE client_no = ?");
        work.Enlist(this);
    }

    public ValueTask<Device?> FindAsync(ClientId id, CancellationToken cancellation)
    {
        if (known.TryGet(id, out var entry)) return ValueTask.FromResult<Device?>(entry.Device);
        if (clients.Find(id.Value) is not { } clientNo || Read(id, clientNo) is not { } read) return ValueTask.FromResult<Device?>(null);

        known.Set(id, read);
        return ValueTask.FromResult<Device?>(read.Device);
    }

    /// <summary>By itself: what the lambda captures is made when the method begins, also for devices that are known.</summary>
    private Entry? Read(ClientId id, long clientNo)
    {
        var logged = activity.FindWithin(id.Value);
        return find.Value.Add(clientNo).Rows((ref StatementRow row) => Read(ref row, id, clientNo, logged)).SingleOrDefault();
    }

    public ValueTask SaveAsync(Device device, CancellationToken cancellation)
    {
        if (!known.TryGet(device.Id, out var entry))
            known.Set(device.Id, entry = new Entry(clients.NumberOf(device.Id.Value), device));
        journal.Append(device.TakeEvents());
        changed.Add(entry);
        return ValueTask.CompletedTask;
    }

    public void Flush()
    {
        foreach (var entry in changed)
        {
            var (device, present) = (entry.Device, Saved.From(entry.Device));
            var atMostWaits = entry.Saved is { } saved && present == saved with { Pending = present.Pending };
            if (entry.Saved != present)
            {
                Save(entry, present);
                entry.Saved = present;
            }
            if (entry.Version != device.Version)
            {
                if (!atMostWaits) entry.InTable = device.Version;
                var values = Activity.Of(entry.ClientNo, device, restsOn: entry.InTable);
                if (atMostWaits) activity.Append(device.Id.Value, values);
                else activity.Write(device.Id.Value, values);
                entry.Version = device.Version;
            }
            FlushDeadline(entry);
        }
        changed.Clear();
        activity.Flush(); // what was appended here: as the older part it had its turn before
    }

    private void Save(Entry entry, Saved present)
    {
        if (entry.Saved is not { } before)
        {
            insert.Value.Add(entry.ClientNo).Add(entry.Device.Id.Value).Add(entry.Device.FirstSeenAt.ToMs());
            foreach (var part in Parts) part.Bind(insert.Value, present);
            insert.Value.Run();
            return;
        }
        bool[] parts =
        [
            (before.Username, before.Profile) != (present.Username, present.Profile),
            (before.Session?.Node, before.Session?.Details.Ip) != (present.Session?.Node, present.Session?.Details.Ip),
            before.Connectivity.LastReason != present.Connectivity.LastReason,
            (before.Connectivity.Status, before.Connectivity.Since, before.Session?.ConnectedAt)
                != (present.Connectivity.Status, present.Connectivity.Since, present.Session?.ConnectedAt),
            before != present with { Pending = before.Pending },
            before.Pending != present.Pending,
        ];
        var update = Update(parts).Value;
        for (var i = 0; i < Parts.Length; i++)
            if (parts[i]) Parts[i].Bind(update, present);
        update.Add(entry.ClientNo).Run();
    }

    /// <summary>Prepared when it is first used: most combinations never are.</summary>
    private Lazy<Statement> Update(bool[] parts)
    {
        var key = parts.Aggregate(0, (bits, part) => (bits << 1) | (part ? 1 : 0));
        if (updates.TryGetValue(key, out var known)) return known;
        var columns = string.Join(", ", Parts.Zip(parts).Where(part => part.Second).Select(part => part.First.Columns));
        return updates[key] = work.Prepare($"UPDATE devices SET ({columns}) = ({Statement.Marks(columns)}) WHERE client_no = ?");
    }

    private void FlushDeadline(Entry entry)
    {
        var due = entry.Device.DueAt?.AddTicks(TimeSpan.TicksPerMillisecond - 1).ToMs(); // rounded up, so that it is due when the worker looks
        if (due == entry.DueAt) return;
        if (due is null) dropDeadline.Value.Add(entry.ClientNo).Run();
        else saveDeadline.Value.Add(entry.ClientNo).Add(due).Run();
        entry.DueAt = due;
        if (due is { } at) deadlines.Armed(at);
    }

    /// <param name="logged">What the device did by the activity log, which may be older than its row.</param>
    private Entry Read(ref StatementRow row, ClientId id, long clientNo, Activity? logged)
    {
        var last = new Activity
        {
            LastSeenAt = row.NumberOrNull(),
            LastMessageAt = row.NumberOrNull(),
            LastTopic = row.Text(texts),
            Published = row.Number(),
            Delivered = row.Number(),
            Dropped = row.Number(),
            SignAt = row.NumberOrNull(),
            SignPeer = row.Text(texts),
            Version = row.Number(),
        };
        var inTable = last.Version;
        if (logged?.Version > inTable) last = logged.Value;

        var (firstSeenAt, username, profile) = (row.Number().ToTime(), row.Text(texts), ReadProfile(ref row));
        var connectivity = new Connectivity
        {
            Status = (ConnectivityStatus)row.Number(),
            Confidence = (Confidence)row.Number(),
            FreshConfidence = (Confidence)row.Number(),
            GoneAt = row.NumberOrNull().ToTime(),
            Since = row.NumberOrNull().ToTime(),
            Evidence = row.Text(texts)!,
            LastOnlineAt = row.NumberOrNull().ToTime(),
            LastOfflineAt = row.NumberOrNull().ToTime(),
            LastReason = row.Text(texts) is { } reason ? Words.Read<DisconnectReason>(reason) : null,
            LastRawReason = row.Text(texts),
            FlappingUntil = row.NumberOrNull().ToTime(),
        };
        var (connectedAt, node, peer, details) = (row.NumberOrNull(), row.Text(texts), row.Text(texts), ConnectionColumns.Read(ref row, texts));
        var (sessions, subscriptions) = (row.Number(), (int)row.Number());
        var pending = new Pending
        {
            OfflineConfirmedAt = row.NumberOrNull().ToTime(),
            VerifyAt = row.NumberOrNull().ToTime(),
            LapsedTakeover = row.NumberOrNull().ToTime(),
            SubscriptionEndsAt = row.NumberOrNull().ToTime(),
            StaleAt = row.NumberOrNull().ToTime(),
            AliveUntil = row.NumberOrNull().ToTime(),
            IsSilent = row.Flag(),
            IsFlapping = row.Flag(),
        };
        var dueAt = row.NumberOrNull();

        var device = Device.Restore(
            id, firstSeenAt, username, profile, connectivity, connectedAt is { } at ? new CurrentSession(node!, at.ToTime(), peer, details) : null,
            subscriptions, last.LastSeenAt.ToTime(), last.LastMessageAt.ToTime(), last.LastTopic, sessions, new Traffic(last.Published, last.Delivered, last.Dropped),
            last.SignAt is { } sign ? (sign.ToTime(), last.SignPeer) : null, pending, dueAt.ToTime(), last.Version);
        return new(clientNo, device) { Saved = Saved.From(device), Version = device.Version, InTable = inTable, DueAt = dueAt };
    }

    private static DeviceProfile ReadProfile(ref StatementRow row)
    {
        var (name, tags, interval) = (row.Text(), row.Text()!, row.NumberOrNull());
        if (name is null && tags is "{}" && interval is null) return DeviceProfile.Empty;
        return new(name, JsonSerializer.Deserialize<Dictionary<string, string>>(tags)!, interval is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
    }

    public void Forget()
    {
        known.Clear();
        changed.Clear();
    }

    public void Committed() => known.Age();

    public ValueTask<bool> ForgetAsync(ClientId id, int limit, CancellationToken cancellation)
    {
        if (clients.Find(id.Value) is not { } clientNo) return ValueTask.FromResult(true);

        work.Flush(); // what is deleted must not be written again at the end of the transaction, nor found in memory
        work.Forget();
        var connection = work.Connection;
        var here = new { ClientNo = clientNo, Client = id.Value };
        var removed = messages.Forget(clientNo, limit);
        using var index = clientEvents.Reader();
        var events = index.All(connection, clientNo).Take(limit).ToList();
        var these = new { ClientNo = clientNo, Events = "[" + string.Join(',', events.Select(one => one.Entry.No)) + "]" };
        // The journal leads to the deliveries that the client received.
        connection.Execute(
            """
            DELETE FROM deliveries WHERE client_no = @ClientNo AND message_no IN (SELECT j.message_no FROM json_each(@Events) e CROSS JOIN journal j ON j.seq = e.value);
            DELETE FROM journal WHERE seq IN (SELECT value FROM json_each(@Events));
            """, these);
        foreach (var (run, entry) in events) clientEvents.Remove(run, entry);
        if (removed + events.Count > 0) return ValueTask.FromResult(false);

        // The device itself goes last, so that a deletion that was broken off can be asked for again.
        connection.Execute(
            """
            DELETE FROM sessions WHERE client_no = @ClientNo;
            DELETE FROM farewells WHERE client_no = @ClientNo;
            DELETE FROM subscriptions WHERE client_no = @ClientNo;
            DELETE FROM deadlines WHERE client_no = @ClientNo;
            DELETE FROM dead_letters WHERE client = @Client;
            DELETE FROM notices WHERE subject = @Client AND kind <> 'dead-letter';
            DELETE FROM downlinks WHERE client_no = @ClientNo;
            DELETE FROM device_activity WHERE client_no = @ClientNo;
            DELETE FROM devices WHERE client_no = @ClientNo;
            """, here);
        activity.Forget(id.Value, clientNo);
        journal.Append([new DeviceForgotten(id.Value, time.GetUtcNow())]);
        return ValueTask.FromResult(true);
    }

    private sealed class Entry(long clientNo, Device device)
    {
        public long ClientNo { get; } = clientNo;
        public Device Device { get; } = device;

        /// <summary>As it stands in `devices`.</summary>
        public Saved? Saved { get; set; }

        /// <summary>As it stands in the activity log, or else in `device_activity`.</summary>
        public long? Version { get; set; }

        /// <summary>As it stood in `device_activity` when more than that was written.</summary>
        public long InTable { get; set; }

        /// <summary>As it stands in `deadlines`.</summary>
        public long? DueAt { get; set; }
    }

    /// <summary>All of a device that its row in `devices` is made of.</summary>
    private readonly record struct Saved(
        Connectivity Connectivity, CurrentSession? Session, DeviceProfile Profile, Pending Pending, string? Username, long SessionCount, int SubscriptionCount)
    {
        public static Saved From(Device device) => new(
            device.Connectivity, device.Session, device.Profile, device.Pending, device.Username, device.SessionCount, device.SubscriptionCount);
    }
}
