using Dapper;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Sessions;

/// <summary>A client's recent sessions, farewells and subscriptions as one set; of what was loaded, only rows that changed are written.</summary>
internal sealed class SessionRepository : ISessionRepository, IUnitOfWorkPart
{
    private const string FindSession = """
        SELECT * FROM sessions
        WHERE client_no = @ClientNo AND connected_at = @ConnectedAt AND node = @Node AND (peer IS NULL OR @Peer IS NULL OR peer = @Peer)
        """;

    private const string FindNeighbours = """
        SELECT * FROM (SELECT * FROM sessions WHERE client_no = @ClientNo AND connected_at > @ConnectedAt ORDER BY connected_at LIMIT 1)
        UNION ALL
        SELECT * FROM (SELECT * FROM sessions WHERE client_no = @ClientNo AND connected_at <= @ConnectedAt ORDER BY connected_at DESC LIMIT 1)
        """;

    /// <summary>When the session began that the device's state rests on, which is not the newest where the clocks of broker nodes differ.</summary>
    private const string DevicesOwn = "SELECT connected_at FROM devices WHERE client_no = $key";

    /// <summary>From the index alone: the sessions themselves each lie on a page of their own.</summary>
    private static readonly string FindStarts = $"SELECT connected_at FROM sessions WHERE client_no = $key ORDER BY connected_at DESC LIMIT {SessionSet.Window}";

    private const string FindSubscriptions = "SELECT * FROM subscriptions WHERE client_no = $key";

    private const string Identity = "client_no, node, connected_at, peer";

    private const string Content = """
        opened, time_is_arrival, username, ip, port, protocol, protocol_version, keep_alive,
        clean_start, expiry, more, closed_at, closed_reason, closed_raw, closed_expiry, end_at, end_reason, end_raw, ended_by, alive_until, coarse, listed_at,
        published_start, delivered_start, dropped_start, published_end, delivered_end, dropped_end
        """;

    private const string InsertFarewell = """
        INSERT INTO farewells (client_no, kind, node, peer, at, reason, raw_reason, expiry, alive_until, matched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        RETURNING farewell_no
        """;

    private const string SaveSubscription = """
        INSERT INTO subscriptions (client_no, filter, qos, no_local, retain_as_published, retain_handling, subscribed_at, unsubscribed_at,
          made_in_node, made_in_at, ends_at, ended_by, end_told)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (client_no, filter) DO UPDATE SET
          qos = excluded.qos, no_local = excluded.no_local, retain_as_published = excluded.retain_as_published,
          retain_handling = excluded.retain_handling, subscribed_at = excluded.subscribed_at, unsubscribed_at = excluded.unsubscribed_at,
          made_in_node = excluded.made_in_node, made_in_at = excluded.made_in_at, ends_at = excluded.ends_at, ended_by = excluded.ended_by,
          end_told = excluded.end_told
        """;

    private readonly UnitOfWork work;
    private readonly ClientNames clients;
    private readonly Journal.Journal journal;
    private readonly PresenceRules rules;
    private readonly SharedTexts texts;
    private readonly Lazy<Statement> insert;
    private readonly Lazy<Statement> update;
    private readonly Lazy<Statement> identify;
    private readonly Lazy<Statement> insertFarewell;
    private readonly Lazy<Statement> markFarewell;
    private readonly Lazy<Statement> saveSubscription;
    private readonly Newest usual;
    private readonly Newest window;
    private readonly PreparedQuery<long> findStarts;
    private readonly PreparedQuery<SubscriptionRow> findSubscriptions;
    private readonly GenerationCache<ClientId, Entry> known = new(32_768, entry => entry.Sessions.Count + entry.Farewells.Count + entry.Subscriptions.Count + 4);
    private readonly HashSet<Entry> changed = [];

    public SessionRepository(UnitOfWork work, ClientNames clients, Journal.Journal journal, PresenceRules rules, SharedTexts texts)
    {
        (this.work, this.clients, this.journal, this.rules, this.texts) = (work, clients, journal, rules, texts);
        insert = work.Prepare($"INSERT INTO sessions ({Identity}, {Content}) VALUES ({Statement.Marks(Identity)}, {Statement.Marks(Content)}) RETURNING session_no");
        update = work.Prepare($"UPDATE sessions SET ({Content}) = ({Statement.Marks(Content)}) WHERE session_no = ?");
        identify = work.Prepare("UPDATE sessions SET connected_at = ?, peer = ? WHERE session_no = ?");
        (usual, window, findSubscriptions) = (new(work, SessionSet.Usual + 1, orSince: DevicesOwn), new(work, SessionSet.Window), new(work, FindSubscriptions));
        findStarts = new(work, FindStarts, static _ => static row => row.GetInt64(0));
        insertFarewell = work.Prepare(InsertFarewell);
        markFarewell = work.Prepare("UPDATE farewells SET matched = ? WHERE farewell_no = ?");
        saveSubscription = work.Prepare(SaveSubscription);
        work.Enlist(this);
    }

    public ValueTask<SessionSet> OfAsync(ClientId client, CancellationToken cancellation) => ValueTask.FromResult(Load(client).Set);

    public ValueTask RecallAsync(ClientId client, string node, DateTimeOffset connectedAt, string? peer, CancellationToken cancellation)
    {
        var entry = Load(client);
        if (entry.Set.IsLate(node, connectedAt, peer)) entry = Widened(client, entry);
        if (entry.Set.Lacks(node, connectedAt, peer))
        {
            var key = new { entry.ClientNo, ConnectedAt = connectedAt.ToMs(), Node = node, Peer = peer };
            if (work.Connection.QueryFirstOrDefault<Row>(FindSession, key) is { } row) entry.Set.Recall(entry.Restored(row));
            else
                // A session that nobody knew, deep in the past: its neighbours decide when it ended, and it when the one before did.
                foreach (var neighbour in work.Connection.Query<Row>(FindNeighbours, key))
                    if (!entry.Set.Sessions.Any(known => entry.Sessions.TryGetValue(known, out var saved) && saved.Number == neighbour.SessionNo))
                        entry.Set.Recall(entry.Restored(neighbour), newSuccessor: neighbour.ConnectedAt <= key.ConnectedAt);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask RecallAsync(ClientId client, Farewell farewell, CancellationToken cancellation)
    {
        var entry = Load(client);
        if (entry.Set.Lacks(farewell)) Widened(client, entry);
        return ValueTask.CompletedTask;
    }

    public ValueTask RecallAsync(ClientId client, DateTimeOffset at, CancellationToken cancellation)
    {
        var entry = Load(client);
        if (entry.Set.Lacks(at)) Widened(client, entry);
        return ValueTask.CompletedTask;
    }

    public ValueTask SaveAsync(SessionSet sessions, CancellationToken cancellation)
    {
        var entry = Load(sessions.Client);
        if (entry.Set != sessions) throw new InvalidOperationException($"The sessions of {sessions.Client.Value} were read again since this set of them was.");
        journal.Append(sessions.TakeEvents());
        changed.Add(entry);
        return ValueTask.CompletedTask;
    }

    /// <summary>Some of the client's rows were deleted in this transaction, and nothing of it was left to write.</summary>
    public void Drop(ClientId client) => known.Remove(client);

    public void Flush()
    {
        foreach (var entry in changed)
        {
            Flush(entry);
            entry.Trim(rules);
        }
        changed.Clear();
    }

    public void Forget()
    {
        known.Clear();
        changed.Clear();
    }

    public void Committed() => known.Age();

    private Entry Load(ClientId client)
    {
        if (known.TryGet(client, out var entry)) return entry;

        entry = clients.Find(client.Value) is { } clientNo ? Read(client, clientNo) : new Entry(null, new SessionSet(client), texts);
        known.Set(client, entry);
        return entry;
    }

    private Entry Read(ClientId client, long clientNo)
    {
        var subscriptions = findSubscriptions.Read(clientNo);
        var entry = Read(client, clientNo, usual, subscriptions);
        if (!entry.Set.Sufficient(rules)) entry = Read(client, clientNo, window, subscriptions);
        else if (!entry.Set.TellsFlapping(rules)) entry.Set.Remember(findStarts.Read(clientNo).Select(at => at.ToTime()));
        entry.Trim(rules);
        return entry;
    }

    private Entry Read(ClientId client, long clientNo, Newest newest, List<SubscriptionRow> subscriptions)
    {
        var entry = new Entry(clientNo, new SessionSet(client), texts);
        var sessions = newest.Sessions.Read(clientNo).ConvertAll(entry.Restored);
        var farewells = newest.Farewells.Read(clientNo).ConvertAll(entry.Restored);
        entry.Set = SessionSet.Restore(client, sessions, isAll: sessions.Count < newest.Count, farewells, subscriptions.ConvertAll(entry.Restored), rules);
        return entry;
    }

    /// <summary>The client with all the sessions that a set may hold.</summary>
    private Entry Widened(ClientId client, Entry entry)
    {
        if (entry.Set.Sessions.Count >= SessionSet.Window) return entry;
        if (changed.Remove(entry)) Flush(entry);
        var clientNo = entry.ClientNo!.Value;
        entry = Read(client, clientNo, window, findSubscriptions.Read(clientNo));
        known.Set(client, entry);
        return entry;
    }

    private void Flush(Entry entry)
    {
        entry.ClientNo ??= clients.NumberOf(entry.Set.Client.Value);
        foreach (var session in entry.Set.Sessions) Flush(entry, session);
        foreach (var farewell in entry.Set.Farewells) Flush(entry, farewell);
        foreach (var subscription in entry.Set.Subscriptions) Flush(entry, subscription);
    }

    private void Flush(Entry entry, Session session)
    {
        var state = State.Of(session);
        if (!entry.Sessions.TryGetValue(session, out var saved))
        {
            var row = Row.From(entry.ClientNo!.Value, session);
            var number = BindContent(insert.Value.Add(row.ClientNo).Add(row.Node).Add(row.ConnectedAt).Add(row.Peer), row).Number()
                ?? throw new InvalidOperationException("INSERT … RETURNING gave no number.");
            entry.Add(session, number, state);
            known.Grow(1);
        }
        else if (saved.State != state)
        {
            var row = Row.From(entry.ClientNo!.Value, session);
            if ((saved.State.ConnectedAt, saved.State.Peer) != (state.ConnectedAt, state.Peer)) identify.Value.Add(row.ConnectedAt).Add(row.Peer).Add(saved.Number).Run();
            BindContent(update.Value, row).Add(saved.Number).Run(); // touches no index of those that begin with the client or the start
            entry.Sessions[session] = (saved.Number, state);
        }
    }

    private static Statement BindContent(Statement statement, Row row) => statement
        .Add(row.Opened).Add(row.TimeIsArrival).Add(row.Username).Add(row.Ip).Add(row.Port)
        .Add(row.Protocol).Add(row.ProtocolVersion).Add(row.KeepAlive).Add(row.CleanStart).Add(row.Expiry).Add(row.More)
        .Add(row.ClosedAt).Add(row.ClosedReason).Add(row.ClosedRaw).Add(row.ClosedExpiry)
        .Add(row.EndAt).Add(row.EndReason).Add(row.EndRaw).Add(row.EndedBy).Add(row.AliveUntil).Add(row.Coarse).Add(row.ListedAt)
        .Add(row.PublishedStart).Add(row.DeliveredStart).Add(row.DroppedStart).Add(row.PublishedEnd).Add(row.DeliveredEnd).Add(row.DroppedEnd);

    private void Flush(Entry entry, Farewell farewell)
    {
        if (entry.Farewells.TryGetValue(farewell, out var saved))
        {
            if (saved.Matched == farewell.Matched) return;
            markFarewell.Value.Add(farewell.Matched).Add(saved.Number).Run();
            entry.Farewells[farewell] = (saved.Number, farewell.Matched);
            return;
        }
        var number = insertFarewell.Value
            .Add(entry.ClientNo).Add((long)farewell.Kind).Add(farewell.Node).Add(farewell.Peer).Add(farewell.At.ToMs())
            .Add(Words.Of(farewell.Reason)).Add(farewell.RawReason).Add(farewell.ExpirySeconds).Add(farewell.AliveUntil.ToMs()).Add(farewell.Matched)
            .Number() ?? throw new InvalidOperationException("INSERT … RETURNING gave no number.");
        entry.Farewells[farewell] = (number, farewell.Matched);
        known.Grow(1);
    }

    private void Flush(Entry entry, Subscription subscription)
    {
        var row = SubscriptionRow.From(subscription);
        if (entry.Subscriptions.GetValueOrDefault(subscription.Filter) == row) return;

        saveSubscription.Value
            .Add(entry.ClientNo).Add(row.Filter).Add(row.Qos).Add(row.NoLocal).Add(row.RetainAsPublished).Add(row.RetainHandling)
            .Add(row.SubscribedAt).Add(row.UnsubscribedAt).Add(row.MadeInNode).Add(row.MadeInAt).Add(row.EndsAt).Add(row.EndedBy).Add(row.EndTold)
            .Run();
        if (entry.Subscriptions.TryAdd(subscription.Filter, row)) known.Grow(1);
        else entry.Subscriptions[subscription.Filter] = row;
    }

    /// <summary>The rows of so many of a client's newest sessions, or of as many as began since some moment if that is more, and of the farewells since.</summary>
    private sealed class Newest
    {
        public Newest(UnitOfWork work, int count, string orSince = "NULL")
        {
            var last = $"(SELECT connected_at FROM sessions WHERE client_no = $key ORDER BY connected_at DESC LIMIT 1 OFFSET {count - 1})";
            var since = $"coalesce(min({last}, coalesce(({orSince}), {long.MaxValue})), {long.MinValue})";
            Count = count;
            Sessions = new(work, $"SELECT * FROM sessions WHERE client_no = $key AND connected_at >= {since} ORDER BY connected_at DESC LIMIT {SessionSet.Window}");
            Farewells = new(work, $"SELECT * FROM farewells WHERE client_no = $key AND at >= {since} ORDER BY at DESC LIMIT {SessionSet.FarewellWindow}");
        }

        public int Count { get; }
        public PreparedQuery<Row> Sessions { get; }
        public PreparedQuery<FarewellRow> Farewells { get; }
    }

    /// <summary>A set and what of it is in the database.</summary>
    private sealed class Entry(long? clientNo, SessionSet set, SharedTexts texts)
    {
        public long? ClientNo { get; set; } = clientNo;
        public SessionSet Set { get; set; } = set;
        public Dictionary<Session, (long Number, State State)> Sessions { get; } = [];
        public Dictionary<Farewell, (long Number, bool Matched)> Farewells { get; } = [];
        public Dictionary<string, SubscriptionRow> Subscriptions { get; } = [];

        public void Add(Session session, long number, State state)
        {
            Sessions.EnsureCapacity(Sessions.Count + 1); // by itself a dictionary doubles, and there are thousands of them
            Sessions[session] = (number, state);
        }

        public Session Restored(Row row)
        {
            var session = row.ToSession(texts);
            Add(session, row.SessionNo, State.Of(session));
            return session;
        }

        public Farewell Restored(FarewellRow row)
        {
            var farewell = row.ToFarewell(texts);
            Farewells[farewell] = (row.FarewellNo, row.Matched);
            return farewell;
        }

        public Subscription Restored(SubscriptionRow row)
        {
            row = row with { ClientNo = 0, Filter = texts.Of(row.Filter), MadeInNode = texts.Of(row.MadeInNode), EndedBy = texts.Of(row.EndedBy) };
            Subscriptions[row.Filter] = row;
            return row.ToSubscription();
        }

        /// <summary>Now that all is written, the set may let go of what does not decide, and that need not be remembered here.</summary>
        public void Trim(PresenceRules rules)
        {
            Set.Trim(rules);
            if (Sessions.Count > Set.Sessions.Count) foreach (var gone in Sessions.Keys.Except(Set.Sessions).ToList()) Sessions.Remove(gone);
            if (Farewells.Count > Set.Farewells.Count) foreach (var gone in Farewells.Keys.Except(Set.Farewells).ToList()) Farewells.Remove(gone);
        }
    }

    /// <summary>What of a session may change: compared at every save of its client, of whose sessions mostly one did.</summary>
    private readonly record struct State(
        DateTimeOffset ConnectedAt, bool IsCoarse, string? Peer, bool Opened, bool TimeIsArrival, ConnectionDetails Details, DateTimeOffset? ListedAt,
        SessionEnd? Closed, SessionEnd? End, Traffic TrafficAtStart, Traffic? TrafficAtEnd)
    {
        public static State Of(Session session) => new(
            session.ConnectedAt, session.IsCoarse, session.Peer, session.Opened, session.TimeIsArrival, session.Details, session.ListedAt,
            session.Closed, session.End, session.TrafficAtStart, session.TrafficAtEnd);
    }

    private sealed record Row : ConnectionRow
    {
        public Row() { }

        private Row(ConnectionDetails details) : base(details) { }

        public long SessionNo { get; init; }
        public long ClientNo { get; init; }
        public string Node { get; init; } = "";
        public long ConnectedAt { get; init; }
        public string? Peer { get; init; }
        public bool Opened { get; init; }
        public bool TimeIsArrival { get; init; }
        public long? ClosedAt { get; init; }
        public string? ClosedReason { get; init; }
        public string? ClosedRaw { get; init; }
        public long? ClosedExpiry { get; init; }
        public long? EndAt { get; init; }
        public string? EndReason { get; init; }
        public string? EndRaw { get; init; }
        public string? EndedBy { get; init; }
        public long? AliveUntil { get; init; }
        public bool Coarse { get; init; }
        public long? ListedAt { get; init; }
        public long PublishedStart { get; init; }
        public long DeliveredStart { get; init; }
        public long DroppedStart { get; init; }
        public long? PublishedEnd { get; init; }
        public long? DeliveredEnd { get; init; }
        public long? DroppedEnd { get; init; }

        public static Row From(long clientNo, Session session)
        {
            var (closed, end) = (session.Closed, session.End);
            return new Row(session.Details)
            {
                ClientNo = clientNo,
                Node = session.Node,
                ConnectedAt = session.ConnectedAt.ToMs(),
                Peer = session.Peer,
                Opened = session.Opened,
                TimeIsArrival = session.TimeIsArrival,
                ClosedAt = closed?.At.ToMs(),
                ClosedReason = closed is null ? null : Words.Of(closed.Reason),
                ClosedRaw = closed?.RawReason,
                ClosedExpiry = closed?.ExpirySeconds,
                EndAt = end?.At.ToMs(),
                EndReason = end is null ? null : Words.Of(end.Reason),
                EndRaw = end?.RawReason,
                EndedBy = end is null ? null : Words.Of(end.By),
                AliveUntil = end?.AliveUntil.ToMs(),
                Coarse = session.IsCoarse,
                ListedAt = session.ListedAt.ToMs(),
                PublishedStart = session.TrafficAtStart.Published,
                DeliveredStart = session.TrafficAtStart.Delivered,
                DroppedStart = session.TrafficAtStart.Dropped,
                PublishedEnd = session.TrafficAtEnd?.Published,
                DeliveredEnd = session.TrafficAtEnd?.Delivered,
                DroppedEnd = session.TrafficAtEnd?.Dropped,
            };
        }

        public Session ToSession(SharedTexts texts) => Session.Restore(
            texts.Of(Node), ConnectedAt.ToTime(), texts.Of(Peer), Opened, TimeIsArrival,
            ToDetails(texts),
            ClosedAt is { } at
                ? new SessionEnd(at.ToTime(), Words.Read<DisconnectReason>(ClosedReason!), texts.Of(ClosedRaw), Domain.Sessions.EndedBy.Event) { ExpirySeconds = ClosedExpiry }
                : null,
            EndAt is { } end
                ? new SessionEnd(end.ToTime(), Words.Read<DisconnectReason>(EndReason!), texts.Of(EndRaw), Words.Read<EndedBy>(EndedBy!)) { AliveUntil = AliveUntil.ToTime() }
                : null,
            new Traffic(PublishedStart, DeliveredStart, DroppedStart),
            PublishedEnd is { } published ? new Traffic(published, DeliveredEnd ?? 0, DroppedEnd ?? 0) : null,
            Coarse, ListedAt.ToTime());
    }

    private sealed record FarewellRow
    {
        public long FarewellNo { get; init; }
        public long ClientNo { get; init; }
        public long Kind { get; init; }
        public string? Node { get; init; }
        public string? Peer { get; init; }
        public long At { get; init; }
        public string Reason { get; init; } = "";
        public string? RawReason { get; init; }
        public long? Expiry { get; init; }
        public long? AliveUntil { get; init; }
        public bool Matched { get; init; }

        public Farewell ToFarewell(SharedTexts texts) =>
            Farewell.Restore(texts.Of(Node), texts.Of(Peer), At.ToTime(), Words.Read<DisconnectReason>(Reason), texts.Of(RawReason), (FarewellKind)Kind, Matched, Expiry, AliveUntil.ToTime());
    }

    private sealed record SubscriptionRow
    {
        public long ClientNo { get; init; }
        public string Filter { get; init; } = "";
        public long Qos { get; init; }
        public bool? NoLocal { get; init; }
        public bool? RetainAsPublished { get; init; }
        public long? RetainHandling { get; init; }
        public long? SubscribedAt { get; init; }
        public long? UnsubscribedAt { get; init; }
        public string? MadeInNode { get; init; }
        public long? MadeInAt { get; init; }
        public long? EndsAt { get; init; }
        public string? EndedBy { get; init; }
        public bool EndTold { get; init; }

        public static SubscriptionRow From(Subscription subscription) => new()
        {
            Filter = subscription.Filter,
            Qos = subscription.Options.Qos,
            NoLocal = subscription.Options.NoLocal,
            RetainAsPublished = subscription.Options.RetainAsPublished,
            RetainHandling = subscription.Options.RetainHandling,
            SubscribedAt = subscription.SubscribedAt.ToMs(),
            UnsubscribedAt = subscription.UnsubscribedAt.ToMs(),
            MadeInNode = subscription.MadeIn?.Node,
            MadeInAt = subscription.MadeIn?.ConnectedAt.ToMs(),
            EndsAt = subscription.EndsAt.ToMs(),
            EndedBy = subscription.EndedBy is { } by ? Words.Of(by) : null,
            EndTold = subscription.EndIsTold,
        };

        public Subscription ToSubscription() => Subscription.Restore(
            Filter, new SubscriptionOptions((int)Qos, NoLocal, RetainAsPublished, (int?)RetainHandling),
            SubscribedAt.ToTime(), UnsubscribedAt.ToTime(),
            MadeInNode is null ? null : (MadeInNode, MadeInAt!.Value.ToTime()),
            EndsAt.ToTime(), EndedBy is null ? null : Words.Read<SubscriptionEndedBy>(EndedBy), EndTold);
    }
}
