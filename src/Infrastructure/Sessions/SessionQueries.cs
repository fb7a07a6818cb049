using System.Globalization;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Sessions;

internal sealed class SessionQueries(Database database, ActivityMover activity, TimeProvider time) :
    IQueryHandler<ListSessions, Page<SessionView>>,
    IQueryHandler<ListSubscriptions, Page<SubscriptionView>>
{
    /// <summary>What a session carried is the difference of its device's counters; they were not seen at the start of one born closed.</summary>
    private const string SelectSessions = """
        SELECT s.session_no AS number, c.client_id, s.node, s.connected_at AS at, s.connected_at, s.end_at, s.end_reason AS reason, s.end_raw AS raw_reason, s.ended_by,
          s.ip, s.port, s.protocol, s.protocol_version, s.username, s.keep_alive, s.clean_start, s.expiry, s.more, s.peer, s.opened,
          coalesce(s.published_end, a.published, s.published_start) - s.published_start AS published,
          coalesce(s.delivered_end, a.delivered, s.delivered_start) - s.delivered_start AS delivered,
          coalesce(s.dropped_end, a.dropped, s.dropped_start) - s.dropped_start AS dropped
        FROM sessions s
        """;

    /// <summary>Reported ends of sessions that nobody saw begin.</summary>
    private const string SelectFarewells = """
        SELECT f.farewell_no AS number, c.client_id, f.node, f.at, NULL AS connected_at, f.at AS end_at, f.reason, f.raw_reason, 'event' AS ended_by,
          f.peer, 0 AS opened
        FROM farewells f
        """;

    private const string SelectSubscriptions = """
        SELECT filter, qos, no_local, retain_as_published, retain_handling, subscribed_at, ends_at FROM subscriptions
        WHERE client_no = (SELECT client_no FROM devices WHERE client_id = @client) AND filter > @after
          AND subscribed_at IS NOT NULL AND (ends_at IS NULL OR ends_at > @now)
        ORDER BY filter LIMIT @limit
        """;

    public async Task<Page<SessionView>> Handle(ListSessions request, CancellationToken cancellationToken)
    {
        var place = Cursor.Read<Place>(request.Page.Cursor);
        if (place is { Source: < 0 or > 1 }) throw Cursor.Foreign();
        if (request.Filter.Open is not false) await activity.CatchUpAsync(cancellationToken); // what live sessions carried so far
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);

        var limit = request.Page.Limit;
        var rows = new List<Row>();
        foreach (var (sql, parameters) in Parts(connection, request.Filter, place, limit + 1)) rows.AddRange(connection.Query<Row>(sql, parameters));
        rows.Sort(Row.NewestFirst);
        var next = rows.Count > limit ? Cursor.Of(rows[limit - 1].Place) : null;
        return new([.. rows.Take(limit).Select(row => row.ToView())], next);
    }

    public Task<Page<SubscriptionView>> Handle(ListSubscriptions request, CancellationToken cancellationToken)
    {
        var after = Cursor.Read<FilterPlace>(request.Page.Cursor)?.Filter ?? "";
        using var connection = database.OpenForReading();
        var rows = connection.Query<SubscriptionRow>(
            SelectSubscriptions, new { client = request.Client.Value, after, now = time.GetUtcNow().ToMs(), limit = request.Page.Limit + 1 }).ToList();
        var next = rows.Count > request.Page.Limit ? Cursor.Of(new FilterPlace(rows[request.Page.Limit - 1].Filter)) : null;
        return Task.FromResult(new Page<SubscriptionView>([.. rows.Take(request.Page.Limit).Select(row => row.ToView())], next));
    }

    /// <summary>Sessions and lone farewells stand in two tables, each with an index by time; a page is the newer rows of both.</summary>
    internal static IEnumerable<(string Sql, DynamicParameters Parameters)> Parts(SqliteConnection connection, SessionFilter filter, Place? place, int limit)
    {
        long? client = null;
        if ((filter.Client?.Value ?? (filter.ClientId is { IsPrefix: false } exact ? exact.Text : null)) is { } id)
        {
            client = connection.ExecuteScalar<long?>("SELECT client_no FROM devices WHERE client_id = @id", new { id });
            if (client is null) yield break;
        }

        yield return Part(0);
        // Of those only the end is known: no username, and surely not open.
        if (filter is { Username: null, Open: not true }) yield return Part(1);

        (string, DynamicParameters) Part(int source)
        {
            var (alias, at, number) = source == 0 ? ("s", "s.connected_at", "s.session_no") : ("f", "f.at", "f.farewell_no");
            var where = new List<string>();
            var parameters = new DynamicParameters();
            parameters.Add("limit", limit);
            if (source == 1) where.Add("f.kind = 0 AND f.matched = 0");
            Add(client, "client", $"{alias}.client_no = @client");
            if (filter.ClientId is { IsPrefix: true, Text.Length: > 0 } prefix)
            {
                Add(prefix.Text, "prefix", "c.client_id >= @prefix");
                Add(TextPrefix.End(prefix.Text), "end", "c.client_id < @end");
            }
            Add(filter.Username, "username", "s.username = @username");
            Add(filter.Node, "node", $"{alias}.node = @node");
            Add(filter.Ip, "ip", source == 0 ? "s.ip = @ip" : "(substr(f.peer, 1, length(@ip) + 1) = @ip || ':' OR substr(f.peer, 1, length(@ip) + 3) = '[' || @ip || ']:')");
            if (filter.Reason.Count > 0)
                where.Add($"{(source == 0 ? "s.end_reason" : "f.reason")} IN ({string.Join(", ", filter.Reason.Select(reason => $"'{Words.Of(reason)}'"))})");
            if (filter.Status.Count > 0) where.Add($"c.status IN ({string.Join(", ", filter.Status.Select(status => (int)status))})");
            if (source == 0 && filter.Open is { } open) where.Add(open ? "s.end_at IS NULL" : "s.end_at IS NOT NULL");
            Add(filter.From.ToMs(), "from", source == 0 ? "(s.end_at IS NULL OR s.end_at >= @from)" : "f.at >= @from");
            Add(filter.To.ToMs(), "to", place is null ? $"{at} < @to" : $"+{at} < @to"); // with a cursor the walk starts there
            if (place is not null)
            {
                // One order over both tables: time, then sessions before farewells, then number.
                parameters.Add("time", place.At);
                parameters.Add("number", place.Source == source ? place.Number : place.Source < source ? long.MaxValue : long.MinValue);
                where.Add($"({at}, {number}) < (@time, @number)");
            }
            var sql = $"""
                {(source == 0 ? SelectSessions : SelectFarewells)}
                CROSS JOIN devices c ON c.client_no = {alias}.client_no {(source == 0 ? "LEFT JOIN device_activity a ON a.client_no = s.client_no" : "")}
                {(where.Count == 0 ? "" : $"WHERE {string.Join(" AND ", where)}")}
                ORDER BY {at} DESC, {number} DESC LIMIT @limit
                """;
            return (sql, parameters);

            void Add(object? value, string name, string condition)
            {
                if (value is null) return;
                parameters.Add(name, value);
                where.Add(condition);
            }
        }
    }

    /// <summary>Where a page ended. Source 0: sessions, 1: farewells.</summary>
    internal sealed record Place(long At, int Source, long Number);

    private sealed record FilterPlace(string? Filter);

    private sealed record Row
    {
        public long Number { get; init; }
        public string ClientId { get; init; } = "";
        public string? Node { get; init; }
        public long At { get; init; }
        public long? ConnectedAt { get; init; }
        public long? EndAt { get; init; }
        public string? Reason { get; init; }
        public string? RawReason { get; init; }
        public string? EndedBy { get; init; }
        public string? Ip { get; init; }
        public int? Port { get; init; }
        public string? Protocol { get; init; }
        public string? ProtocolVersion { get; init; }
        public string? Username { get; init; }
        public int? KeepAlive { get; init; }
        public bool? CleanStart { get; init; }
        public long? Expiry { get; init; }
        public string? More { get; init; }
        public string? Peer { get; init; }
        public bool Opened { get; init; }
        public long Published { get; init; }
        public long Delivered { get; init; }
        public long Dropped { get; init; }

        public Place Place => new(At, ConnectedAt is null ? 1 : 0, Number);

        public static int NewestFirst(Row left, Row right)
        {
            var (one, other) = (left.Place, right.Place);
            var byTime = other.At.CompareTo(one.At);
            if (byTime != 0) return byTime;
            var bySource = one.Source.CompareTo(other.Source);
            return bySource != 0 ? bySource : other.Number.CompareTo(one.Number);
        }

        public SessionView ToView()
        {
            var (ip, port) = Ip is null && Peer is not null ? Address(Peer) : (Ip, Port);
            return new SessionView
            {
                Id = ConnectedAt is { } start ? SessionId.Of(ClientId, Node, start, Peer) : SessionId.OfUnknownStart(ClientId, Node, At, Peer),
                ClientId = ClientId,
                Node = Node is { Length: > 0 } ? Node : null,
                ConnectedAt = ConnectedAt.ToTime(),
                EndedAt = EndAt.ToTime(),
                Reason = Reason,
                RawReason = RawReason,
                DurationSeconds = EndAt is { } end && ConnectedAt is { } from ? Math.Max(0, end - from) / 1000.0 : null,
                EndedBy = EndedBy,
                Ip = ip,
                Port = port,
                Protocol = Protocol,
                ProtocolVersion = ProtocolVersion,
                Username = Username,
                KeepAliveSeconds = KeepAlive,
                CleanStart = CleanStart,
                ExpirySeconds = Expiry,
                Details = More is null ? null : new RawJson(More),
                MessagesPublished = Opened ? Published : null,
                MessagesDelivered = Opened ? Delivered : null,
                MessagesDropped = Opened ? Dropped : null,
            };
        }

        /// <summary>"ip:port"; the address may be IPv6, with brackets or without.</summary>
        private static (string? Ip, int? Port) Address(string peer)
        {
            var colon = peer.LastIndexOf(':');
            return colon > 0 && int.TryParse(peer.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                ? (peer[..colon].Trim('[', ']'), port)
                : (null, null);
        }
    }

    private sealed record SubscriptionRow
    {
        public string Filter { get; init; } = "";
        public int Qos { get; init; }
        public bool? NoLocal { get; init; }
        public bool? RetainAsPublished { get; init; }
        public int? RetainHandling { get; init; }
        public long SubscribedAt { get; init; }
        public long? EndsAt { get; init; }

        public SubscriptionView ToView()
        {
            var (group, topicFilter) = Split(Filter);
            return new SubscriptionView
            {
                Filter = Filter,
                TopicFilter = topicFilter,
                SharedGroup = group,
                Qos = Qos,
                NoLocal = NoLocal,
                RetainAsPublished = RetainAsPublished,
                RetainHandling = RetainHandling,
                SubscribedAt = SubscribedAt.ToTime(),
                EndsAt = EndsAt.ToTime(),
            };
        }

        /// <summary>`$share/group/filter` (MQTT 5.0, 4.8.2) and EMQX's `$queue/filter`.</summary>
        private static (string? Group, string Filter) Split(string filter)
        {
            if (filter.StartsWith("$queue/", StringComparison.Ordinal)) return ("$queue", filter["$queue/".Length..]);
            if (!filter.StartsWith("$share/", StringComparison.Ordinal)) return (null, filter);
            var rest = filter["$share/".Length..];
            var slash = rest.IndexOf('/', StringComparison.Ordinal);
            return slash < 0 ? (null, filter) : (rest[..slash], rest[(slash + 1)..]);
        }
    }
}
