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
    private const string Find = """
        SELECT d.*, a.last_seen_at, a.last_message_at, a.last_topic, a.published, a.delivered, a.dropped, a.sign_at, a.sign_peer, a.version, l.due_at
        FROM devices d JOIN device_activity a USING (client_no) LEFT JOIN deadlines l USING (client_no)
        WHERE d.client_no = $key
        """;

    /// <summary>
    /// The columns of `devices`, those together that change together. SQLite writes each index whose columns an UPDATE names, whatever their values, and
    /// `devices` has many: so it names what changed.
    /// </summary>
    private static readonly (string Columns, Action<Statement, Row> Bind)[] Parts =
    [
        ("username, name, tags, message_interval", (to, row) => to.Add(row.Username).Add(row.Name).Add(row.Tags).Add(row.MessageInterval)),
        ("node, ip", (to, row) => to.Add(row.Node).Add(row.Ip)),
        ("last_reason", (to, row) => to.Add(row.LastReason)),
        ("status, since, connected_at", (to, row) => to.Add(row.Status).Add(row.Since).Add(row.ConnectedAt)),
        (
            """
            confidence, evidence, last_online_at, last_offline_at, last_raw_reason, flapping_until, session_count, subscription_count,
            peer, port, protocol, protocol_version, keep_alive, clean_start, expiry, more, fresh_confidence, gone_at
            """,
            (to, row) => to
                .Add(row.Confidence).Add(row.Evidence).Add(row.LastOnlineAt).Add(row.LastOfflineAt).Add(row.LastRawReason).Add(row.FlappingUntil)
                .Add(row.SessionCount).Add(row.SubscriptionCount)
                .Add(row.Peer).Add(row.Port).Add(row.Protocol).Add(row.ProtocolVersion).Add(row.KeepAlive).Add(row.CleanStart).Add(row.Expiry).Add(row.More)
                .Add(row.FreshConfidence).Add(row.GoneAt)),
        (
            "offline_confirmed_at, verify_at, lapsed_takeover, subscription_ends_at, stale_at, alive_until, silent, flapping",
            (to, row) => to
                .Add(row.OfflineConfirmedAt).Add(row.VerifyAt).Add(row.LapsedTakeover).Add(row.SubscriptionEndsAt).Add(row.StaleAt).Add(row.AliveUntil)
                .Add(row.Silent).Add(row.Flapping)),
    ];

    private readonly UnitOfWork work;
    private readonly ClientNames clients;
    private readonly Journal.Journal journal;
    private readonly ClientEvents clientEvents;
    private readonly ForgottenMessages messages;
    private readonly Deadlines.Deadlines deadlines;
    private readonly ActivityLog activity;
    private readonly TimeProvider time;
    private readonly SharedTexts texts;
    private readonly Lazy<Statement> insert;
    private readonly Dictionary<int, Lazy<Statement>> updates = [];
    private readonly PreparedQuery<(Row Row, Activity Activity)> find;
    private readonly Lazy<Statement> saveDeadline;
    private readonly Lazy<Statement> dropDeadline;
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
        find = new(work, Find, reader =>
        {
            var (row, ofActivity) = (reader.GetRowParser<Row>(), reader.GetRowParser<Activity>());
            return at => (row(at), ofActivity(at));
        });
        saveDeadline = work.Prepare("INSERT INTO deadlines (client_no, due_at) VALUES (?, ?) ON CONFLICT (client_no) DO UPDATE SET due_at = excluded.due_at");
        dropDeadline = work.Prepare("DELETE FROM deadlines WHERE client_no = ?");
        work.Enlist(this);
    }

    public ValueTask<Device?> FindAsync(ClientId id, CancellationToken cancellation)
    {
        if (known.TryGet(id, out var entry)) return ValueTask.FromResult<Device?>(entry.Device);
        if (clients.Find(id.Value) is not { } clientNo) return ValueTask.FromResult<Device?>(null);
        if (find.Read(clientNo) is not [var (row, inTable)]) return ValueTask.FromResult<Device?>(null);

        var device = row.ToDevice(id, activity.FindWithin(id.Value) is { } newer && newer.Version > inTable.Version ? newer : inTable, texts);
        known.Set(id, new Entry(clientNo, device) { Saved = Saved.From(device), Version = device.Version, InTable = inTable.Version, DueAt = row.DueAt });
        return ValueTask.FromResult<Device?>(device);
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
        var row = Row.From(entry.ClientNo, entry.Device);
        if (entry.Saved is not { } before)
        {
            insert.Value.Add(row.ClientNo).Add(row.ClientId).Add(row.FirstSeenAt);
            foreach (var part in Parts) part.Bind(insert.Value, row);
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
            if (parts[i]) Parts[i].Bind(update, row);
        update.Add(row.ClientNo).Run();
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

    /// <summary>A row of `devices`.</summary>
    private sealed record Row : ConnectionRow
    {
        public Row() { }

        private Row(ConnectionDetails? details) : base(details) { }

        public long ClientNo { get; init; }
        public string ClientId { get; init; } = "";
        public string? Name { get; init; }
        public string Tags { get; init; } = "{}";
        public long? MessageInterval { get; init; }
        public long FirstSeenAt { get; init; }
        public long Status { get; init; }
        public long Confidence { get; init; }
        public long? Since { get; init; }
        public string Evidence { get; init; } = "";
        public long? LastOnlineAt { get; init; }
        public long? LastOfflineAt { get; init; }
        public string? LastReason { get; init; }
        public string? LastRawReason { get; init; }
        public long? FlappingUntil { get; init; }
        public long SessionCount { get; init; }
        public long SubscriptionCount { get; init; }
        public string? Node { get; init; }
        public long? ConnectedAt { get; init; }
        public string? Peer { get; init; }
        public long FreshConfidence { get; init; }
        public long? GoneAt { get; init; }
        public long? OfflineConfirmedAt { get; init; }
        public long? VerifyAt { get; init; }
        public long? LapsedTakeover { get; init; }
        public long? SubscriptionEndsAt { get; init; }
        public long? StaleAt { get; init; }
        public long? AliveUntil { get; init; }
        public bool Silent { get; init; }
        public bool Flapping { get; init; }

        /// <summary>Of `deadlines`; only read into it.</summary>
        public long? DueAt { get; init; }

        public static Row From(long clientNo, Device device)
        {
            var (is_, session, pending) = (device.Connectivity, device.Session, device.Pending);
            return new Row(session?.Details)
            {
                ClientNo = clientNo,
                ClientId = device.Id.Value,
                Username = device.Username,
                Name = device.Profile.Name,
                Tags = device.Profile.Tags.Count == 0 ? "{}" : JsonSerializer.Serialize(device.Profile.Tags),
                MessageInterval = (long?)device.Profile.MessageInterval?.TotalSeconds,
                FirstSeenAt = device.FirstSeenAt.ToMs(),
                Status = (long)is_.Status,
                Confidence = (long)is_.Confidence,
                Since = is_.Since.ToMs(),
                Evidence = is_.Evidence,
                LastOnlineAt = is_.LastOnlineAt.ToMs(),
                LastOfflineAt = is_.LastOfflineAt.ToMs(),
                LastReason = is_.LastReason is { } reason ? Words.Of(reason) : null,
                LastRawReason = is_.LastRawReason,
                FlappingUntil = is_.FlappingUntil.ToMs(),
                SessionCount = device.SessionCount,
                SubscriptionCount = device.SubscriptionCount,
                Node = session?.Node,
                ConnectedAt = session?.ConnectedAt.ToMs(),
                Peer = session?.Peer,
                FreshConfidence = (long)is_.FreshConfidence,
                GoneAt = is_.GoneAt.ToMs(),
                OfflineConfirmedAt = pending.OfflineConfirmedAt.ToMs(),
                VerifyAt = pending.VerifyAt.ToMs(),
                LapsedTakeover = pending.LapsedTakeover.ToMs(),
                SubscriptionEndsAt = pending.SubscriptionEndsAt.ToMs(),
                StaleAt = pending.StaleAt.ToMs(),
                AliveUntil = pending.AliveUntil.ToMs(),
                Silent = pending.IsSilent,
                Flapping = pending.IsFlapping,
            };
        }

        public Device ToDevice(ClientId id, Activity last, SharedTexts texts) => Device.Restore(
            id, FirstSeenAt.ToTime(), texts.Of(Username),
            new DeviceProfile(Name, JsonSerializer.Deserialize<Dictionary<string, string>>(Tags)!, MessageInterval is { } seconds ? TimeSpan.FromSeconds(seconds) : null),
            new Connectivity
            {
                Status = (ConnectivityStatus)Status,
                Confidence = (Confidence)Confidence,
                FreshConfidence = (Confidence)FreshConfidence,
                GoneAt = GoneAt.ToTime(),
                Since = Since.ToTime(),
                Evidence = texts.Of(Evidence),
                LastOnlineAt = LastOnlineAt.ToTime(),
                LastOfflineAt = LastOfflineAt.ToTime(),
                LastReason = LastReason is null ? null : Words.Read<DisconnectReason>(LastReason),
                LastRawReason = texts.Of(LastRawReason),
                FlappingUntil = FlappingUntil.ToTime(),
            },
            ConnectedAt is { } connectedAt
                ? new CurrentSession(texts.Of(Node!), connectedAt.ToTime(), texts.Of(Peer), ToDetails(texts))
                : null,
            (int)SubscriptionCount, last.LastSeenAt.ToTime(), last.LastMessageAt.ToTime(), texts.Of(last.LastTopic), SessionCount, new Traffic(last.Published, last.Delivered, last.Dropped),
            last.SignAt is { } sign ? (sign.ToTime(), texts.Of(last.SignPeer)) : null,
            new Pending
            {
                OfflineConfirmedAt = OfflineConfirmedAt.ToTime(),
                VerifyAt = VerifyAt.ToTime(),
                LapsedTakeover = LapsedTakeover.ToTime(),
                SubscriptionEndsAt = SubscriptionEndsAt.ToTime(),
                StaleAt = StaleAt.ToTime(),
                AliveUntil = AliveUntil.ToTime(),
                IsSilent = Silent,
                IsFlapping = Flapping,
            },
            DueAt.ToTime(), last.Version);
    }
}
