using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Sessions;

/// <summary>A client's recent sessions, farewells and subscriptions as one set; of what was loaded, only rows that changed are written.</summary>
internal sealed class SessionRepository : ISessionRepository, IUnitOfWorkPart
{
    private const string Identity = "node, connected_at, peer";

    private const string Content = $"""
        opened, time_is_arrival, {ConnectionColumns.All}, closed_at, closed_reason, closed_raw, closed_expiry,
        end_at, end_reason, end_raw, ended_by, alive_until, coarse, listed_at,
        published_start, delivered_start, dropped_start, published_end, delivered_end, dropped_end
        """;

    private const string Select = $"SELECT session_no, {Identity}, {Content} FROM sessions";

    private const string FindSession = $"{Select} WHERE client_no = ?1 AND connected_at = ?2 AND node = ?3 AND (peer IS NULL OR ?4 IS NULL OR peer = ?4)";

    private const string FindNeighbours = $"""
        SELECT * FROM ({Select} WHERE client_no = ?1 AND connected_at > ?2 ORDER BY connected_at LIMIT 1)
        UNION ALL
        SELECT * FROM ({Select} WHERE client_no = ?1 AND connected_at <= ?2 ORDER BY connected_at DESC LIMIT 1)
        """;

    private const string SelectFarewells = "SELECT farewell_no, node, peer, at, reason, raw_reason, kind, matched, expiry, alive_until FROM farewells";

    /// <summary>When the session began that the device's state rests on, which is not the newest where the clocks of broker nodes differ.</summary>
    private const string DevicesOwn = "SELECT connected_at FROM devices WHERE client_no = ?1";

    /// <summary>From the index alone: the sessions themselves each lie on a page of their own.</summary>
    private static readonly string FindStarts = $"SELECT connected_at FROM sessions WHERE client_no = ? ORDER BY connected_at DESC LIMIT {SessionSet.Window}";

    private const string FindSubscriptions = """
        SELECT filter, qos, no_local, retain_as_published, retain_handling, subscribed_at, unsubscribed_at, made_in_node, made_in_at, ends_at, ended_by, end_told
        FROM subscriptions WHERE client_no = ?
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
    private readonly Lazy<Statement> insert;
    private readonly Lazy<Statement> update;
    private readonly Lazy<Statement> identify;
    private readonly Lazy<Statement> insertFarewell;
    private readonly Lazy<Statement> markFarewell;
    private readonly Lazy<Statement> saveSubscription;
    private readonly Newest usual;
    private readonly Newest window;
    private readonly Lazy<Statement> findSession;
    private readonly Lazy<Statement> findNeighbours;
    private readonly Lazy<Statement> findStarts;
    private readonly Lazy<Statement> findSubscriptions;
    private readonly RowReader<(long Number, Session Session)> readSession;
    private readonly RowReader<(long Number, Farewell Farewell)> readFarewell;
    private readonly RowReader<SubscriptionRow> readSubscription;

    /// <summary>
    /// A client with nine sessions takes some 5 kB, so these are some thousand to two thousand of them: whoever connects and is cut off again finds its own. A
    /// fleet that connects at once is larger than what could be kept.
    /// </summary>
    private readonly GenerationCache<ClientId, Entry> known = new(12_288, entry => entry.Sessions.Count + entry.Farewells.Count + entry.Subscriptions.Count + 4);
    private readonly HashSet<Entry> changed = [];

    public SessionRepository(UnitOfWork work, ClientNames clients, Journal.Journal journal, PresenceRules rules, SharedTexts texts)
    {
        (this.work, this.clients, this.journal, this.rules) = (work, clients, journal, rules);
        insert = work.Prepare($"INSERT INTO sessions (client_no, {Identity}, {Content}) VALUES (?, {Statement.Marks(Identity)}, {Statement.Marks(Content)}) RETURNING session_no");
        update = work.Prepare($"UPDATE sessions SET ({Content}) = ({Statement.Marks(Content)}) WHERE session_no = ?");
        identify = work.Prepare("UPDATE sessions SET connected_at = ?, peer = ? WHERE session_no = ?");
        (usual, window) = (new(work, SessionSet.Usual + 1, orSince: DevicesOwn), new(work, SessionSet.Window));
        (findSession, findNeighbours, findStarts, findSubscriptions) = (work.Prepare(FindSession), work.Prepare(FindNeighbours), work.Prepare(FindStarts), work.Prepare(FindSubscriptions));
        readSession = (ref StatementRow row) => (row.Number(), ReadSession(ref row, texts));
        readFarewell = (ref StatementRow row) => (row.Number(), ReadFarewell(ref row, texts));
        readSubscription = (ref StatementRow row) => SubscriptionRow.Read(ref row, texts);
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
            if (findSession.Value.Add(entry.ClientNo).Add(connectedAt.ToMs()).Add(node).Add(peer).Rows(readSession) is [var row, ..]) entry.Set.Recall(entry.Restored(row));
            else
                // A session that nobody knew, deep in the past: its neighbours decide when it ended, and it when the one before did.
                foreach (var neighbour in findNeighbours.Value.Add(entry.ClientNo).Add(connectedAt.ToMs()).Rows(readSession))
                    if (!entry.Set.Sessions.Any(known => entry.Sessions.TryGetValue(known, out var saved) && saved.Number == neighbour.Number))
                        entry.Set.Recall(entry.Restored(neighbour), newSuccessor: neighbour.Session.ConnectedAt <= connectedAt);
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

        entry = clients.Find(client.Value) is { } clientNo ? Read(client, clientNo) : new Entry(null, new SessionSet(client));
        known.Set(client, entry);
        return entry;
    }

    private Entry Read(ClientId client, long clientNo)
    {
        var subscriptions = findSubscriptions.Value.Add(clientNo).Rows(readSubscription);
        var entry = Read(client, clientNo, usual, subscriptions);
        if (!entry.Set.Sufficient(rules)) entry = Read(client, clientNo, window, subscriptions);
        else if (!entry.Set.TellsFlapping(rules)) entry.Set.Remember(findStarts.Value.Add(clientNo).Rows(static (ref StatementRow row) => row.Number().ToTime()));
        entry.Trim(rules);
        return entry;
    }

    private Entry Read(ClientId client, long clientNo, Newest newest, List<SubscriptionRow> subscriptions)
    {
        var entry = new Entry(clientNo, new SessionSet(client));
        var rows = newest.Sessions.Value.Add(clientNo).Rows(readSession);
        entry.Sessions.EnsureCapacity(rows.Count);
        var sessions = rows.ConvertAll(entry.Restored);
        var farewells = newest.Farewells.Value.Add(clientNo).Rows(readFarewell).ConvertAll(entry.Restored);
        entry.Set = SessionSet.Restore(client, sessions, isAll: sessions.Count < newest.Count, farewells, subscriptions.ConvertAll(entry.Restored), rules);
        return entry;
    }

    /// <summary>The client with all the sessions that a set may hold.</summary>
    private Entry Widened(ClientId client, Entry entry)
    {
        if (entry.Set.Sessions.Count >= SessionSet.Window) return entry;
        if (changed.Remove(entry)) Flush(entry);
        var clientNo = entry.ClientNo!.Value;
        entry = Read(client, clientNo, window, findSubscriptions.Value.Add(clientNo).Rows(readSubscription));
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
        if (!entry.Sessions.TryGetValue(session, out var saved))
        {
            var number = BindContent(BindIdentity(insert.Value.Add(entry.ClientNo), session), session).Number() ?? throw new InvalidOperationException("INSERT … RETURNING gave no number.");
            entry.Add(session, number);
            known.Grow(1);
        }
        else if (saved.Revision != session.Revision)
        {
            if ((saved.ConnectedAt, saved.Peer) != (session.ConnectedAt, session.Peer)) identify.Value.Add(session.ConnectedAt.ToMs()).Add(session.Peer).Add(saved.Number).Run();
            BindContent(update.Value, session).Add(saved.Number).Run(); // touches no index of those that begin with the client or the start
            entry.Sessions[session] = Saved.As(saved.Number, session);
        }
    }

    private static Statement BindIdentity(Statement statement, Session session) => statement.Add(session.Node).Add(session.ConnectedAt.ToMs()).Add(session.Peer);

    private static Statement BindContent(Statement statement, Session session)
    {
        var (details, closed, end, start, last) = (session.Details, session.Closed, session.End, session.TrafficAtStart, session.TrafficAtEnd);
        return statement
            .Add(session.Opened).Add(session.TimeIsArrival)
            .Add(details.Username).Add(details.Ip).Add(details.Port)
            .Add(details.Protocol).Add(details.ProtocolVersion).Add(details.KeepAliveSeconds).Add(details.CleanStart).Add(details.ExpirySeconds).Add(details.More)
            .Add(closed?.At.ToMs()).Add(closed is null ? null : Words.Of(closed.Reason)).Add(closed?.RawReason).Add(closed?.ExpirySeconds)
            .Add(end?.At.ToMs()).Add(end is null ? null : Words.Of(end.Reason)).Add(end?.RawReason).Add(end is null ? null : Words.Of(end.By)).Add(end?.AliveUntil.ToMs())
            .Add(session.IsCoarse).Add(session.ListedAt.ToMs())
            .Add(start.Published).Add(start.Delivered).Add(start.Dropped).Add(last?.Published).Add(last?.Delivered).Add(last?.Dropped);
    }

    private static Session ReadSession(ref StatementRow row, SharedTexts texts)
    {
        var (node, connectedAt, peer) = (row.Text(texts)!, row.Number().ToTime(), row.Text()); // hardly two connections have the same peer
        var (opened, timeIsArrival, details) = (row.Flag(), row.Flag(), ConnectionColumns.Read(ref row, texts));
        var (closedAt, closedReason, closedRaw, closedExpiry) = (row.NumberOrNull(), row.Text(texts), row.Text(texts), row.NumberOrNull());
        var (endAt, endReason, endRaw, endedBy, aliveUntil) = (row.NumberOrNull(), row.Text(texts), row.Text(texts), row.Text(texts), row.NumberOrNull());
        var (isCoarse, listedAt, start) = (row.Flag(), row.NumberOrNull(), new Traffic(row.Number(), row.Number(), row.Number()));
        var (published, delivered, dropped) = (row.NumberOrNull(), row.NumberOrNull(), row.NumberOrNull());

        var closed = closedAt is null ? null : new SessionEnd(closedAt.Value.ToTime(), Words.Read<DisconnectReason>(closedReason!), closedRaw, EndedBy.Event) { ExpirySeconds = closedExpiry };
        var end = closed ?? (endAt is null ? null // what it reported itself is its end, and was saved as such
            : new SessionEnd(endAt.Value.ToTime(), Words.Read<DisconnectReason>(endReason!), endRaw, Words.Read<EndedBy>(endedBy!)) { AliveUntil = aliveUntil.ToTime() });
        return Session.Restore(
            node, connectedAt, peer, opened, timeIsArrival, details, closed, end, start,
            published is null ? null : new Traffic(published.Value, delivered ?? 0, dropped ?? 0), isCoarse, listedAt.ToTime());
    }

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

    private static Farewell ReadFarewell(ref StatementRow row, SharedTexts texts)
    {
        var (node, peer, at, reason, raw) = (row.Text(texts), row.Text(), row.Number().ToTime(), row.Text(texts)!, row.Text(texts));
        var (kind, matched, expiry, aliveUntil) = ((FarewellKind)row.Number(), row.Flag(), row.NumberOrNull(), row.NumberOrNull().ToTime());
        return Farewell.Restore(node, peer, at, Words.Read<DisconnectReason>(reason), raw, kind, matched, expiry, aliveUntil);
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
            var last = $"(SELECT connected_at FROM sessions WHERE client_no = ?1 ORDER BY connected_at DESC LIMIT 1 OFFSET {count - 1})";
            var since = $"coalesce(min({last}, coalesce(({orSince}), {long.MaxValue})), {long.MinValue})";
            Count = count;
            Sessions = work.Prepare($"{Select} WHERE client_no = ?1 AND connected_at >= {since} ORDER BY connected_at DESC LIMIT {SessionSet.Window}");
            Farewells = work.Prepare($"{SelectFarewells} WHERE client_no = ?1 AND at >= {since} ORDER BY at DESC LIMIT {SessionSet.FarewellWindow}");
        }

        public int Count { get; }
        public Lazy<Statement> Sessions { get; }
        public Lazy<Statement> Farewells { get; }
    }

    /// <summary>A set and what of it is in the database.</summary>
    private sealed class Entry(long? clientNo, SessionSet set)
    {
        public long? ClientNo { get; set; } = clientNo;
        public SessionSet Set { get; set; } = set;
        public Dictionary<Session, Saved> Sessions { get; } = [];
        public Dictionary<Farewell, (long Number, bool Matched)> Farewells { get; } = [];
        public Dictionary<string, SubscriptionRow> Subscriptions { get; } = [];

        public void Add(Session session, long number)
        {
            Sessions.EnsureCapacity(Sessions.Count + 1); // by itself a dictionary doubles, and there are thousands of them
            Sessions[session] = Saved.As(number, session);
        }

        public Session Restored((long Number, Session Session) row)
        {
            Add(row.Session, row.Number);
            return row.Session;
        }

        public Farewell Restored((long Number, Farewell Farewell) row)
        {
            Farewells[row.Farewell] = (row.Number, row.Farewell.Matched);
            return row.Farewell;
        }

        public Subscription Restored(SubscriptionRow row)
        {
            Subscriptions[row.Filter] = row;
            return row.ToSubscription();
        }

        /// <summary>Now that all is written, the set may let go of what does not decide, and that need not be remembered here.</summary>
        public void Trim(PresenceRules rules)
        {
            Set.Trim(rules);
            KeepOnly(Set.Sessions, Sessions);
            KeepOnly(Set.Farewells, Farewells);
        }

        private static void KeepOnly<TOne, TSaved>(IReadOnlyList<TOne> kept, Dictionary<TOne, TSaved> saved)
            where TOne : notnull
        {
            if (saved.Count <= kept.Count) return;
            foreach (var one in saved.Keys)
                if (!kept.Contains(one)) saved.Remove(one); // which a dictionary allows meanwhile
        }
    }

    /// <summary>A session's row, and what of the session it holds: at every save of its client all sessions are looked at, of which mostly one changed.</summary>
    private readonly record struct Saved(long Number, int Revision, DateTimeOffset ConnectedAt, string? Peer)
    {
        public static Saved As(long number, Session session) => new(number, session.Revision, session.ConnectedAt, session.Peer);
    }

    private sealed record SubscriptionRow
    {
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

        public static SubscriptionRow Read(ref StatementRow row, SharedTexts texts) => new()
        {
            Filter = row.Text(texts)!,
            Qos = row.Number(),
            NoLocal = row.FlagOrNull(),
            RetainAsPublished = row.FlagOrNull(),
            RetainHandling = row.NumberOrNull(),
            SubscribedAt = row.NumberOrNull(),
            UnsubscribedAt = row.NumberOrNull(),
            MadeInNode = row.Text(texts),
            MadeInAt = row.NumberOrNull(),
            EndsAt = row.NumberOrNull(),
            EndedBy = row.Text(texts),
            EndTold = row.Flag(),
        };

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
