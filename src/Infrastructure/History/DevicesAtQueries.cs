using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Application.Sessions;
using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.History;

/// <summary>
/// The fleet at a past time: client ids are walked in their order, the timeline of each is drawn around that time, and what passes the
/// filters is shown. The cost of a page is that of the devices walked, never of how much of the ledger lies before.
/// </summary>
internal sealed class DevicesAtQueries(Database database, TimeProvider time) : IQueryHandler<ListDevicesAt, Page<DeviceViewAt>>
{
    /// <summary>Devices looked at in one go where few of them pass.</summary>
    private const int Chunk = 1_000;

    private const string SelectSessions = """
        SELECT session_no, node, peer, connected_at, username, ip, port, protocol, protocol_version, keep_alive, clean_start, expiry
        FROM sessions WHERE session_no IN (SELECT value FROM json_each(@numbers))
        """;

    private const string SelectDevices = "SELECT client_no, username, name, tags FROM devices WHERE client_no IN (SELECT value FROM json_each(@numbers))";

    /// <summary>The newest end by then that was no takeover: of a session, and of one that nobody saw begin.</summary>
    private const string SelectLastEnds = """
        SELECT n.value AS device, s.end_at AS at, s.end_reason AS reason, s.end_raw AS raw, f.at AS lone_at, f.reason AS lone_reason, f.raw_reason AS lone_raw
        FROM json_each(@numbers) n
        LEFT JOIN sessions s ON s.session_no = (
          SELECT e.session_no FROM sessions e INDEXED BY sessions_key
          WHERE e.client_no = n.value AND e.connected_at <= @at AND e.end_at <= @at AND e.end_reason <> 'takeover' ORDER BY e.connected_at DESC LIMIT 1)
        LEFT JOIN farewells f ON f.farewell_no = (
          SELECT e.farewell_no FROM farewells e INDEXED BY farewells_client
          WHERE e.client_no = n.value AND e.at <= @at AND e.kind = 0 AND e.matched = 0 AND e.reason <> 'takeover' ORDER BY e.at DESC LIMIT 1)
        """;

    public Task<Page<DeviceViewAt>> Handle(ListDevicesAt request, CancellationToken cancellationToken)
    {
        var (limit, cursor) = request.Page;
        var now = time.GetUtcNow() is var clock && clock > request.At ? clock : request.At.AddMilliseconds(1); // the time itself has come
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);

        var page = new List<DeviceViewAt>();
        for (var size = limit + 1; ; size = Chunk)
        {
            var walked = Walk(connection, request.Filter, cursor, size, now);
            foreach (var device in Show(connection, request, walked, now, cancellationToken))
            {
                if (page.Count == limit) return Task.FromResult(new Page<DeviceViewAt>(page, DevicePick.CursorAfter(page[^1].ClientId)));
                page.Add(device);
            }
            if (walked.Count < size) return Task.FromResult(new Page<DeviceViewAt>(page, null));
            cursor = DevicePick.CursorAfter(connection.ExecuteScalar<string>("SELECT client_id FROM devices WHERE client_no = @last", new { last = walked[^1] })!);
        }
    }

    private static List<long> Walk(SqliteConnection connection, DeviceFilterAt filter, string? cursor, int size, DateTimeOffset now)
    {
        var lasting = new DeviceFilter { ClientId = filter.ClientId, Text = filter.Text, Tags = filter.Tags };
        return new DevicePick(lasting, new(DeviceSortKey.ClientId, Descending: false), cursor, now, expectedInterval: null).Read(connection, size);
    }

    private static IEnumerable<DeviceViewAt> Show(SqliteConnection connection, ListDevicesAt request, List<long> walked, DateTimeOffset now, CancellationToken cancellation)
    {
        var (at, filter) = (request.At, request.Filter);
        var parameters = new DynamicParameters(new { numbers = JsonSerializer.Serialize(walked) });
        var devices = new LedgerReader(connection)
            .Read("devices d", "WHERE d.client_no IN (SELECT value FROM json_each(@numbers))", parameters, at, at.AddMilliseconds(1), now, cancellation)
            .Where(device => WasSeen(device, at))
            .Select(device => (Device: device, Then: Timeline.Of(device.Ledger, now).First(stretch => stretch.From <= at && at < stretch.To)))
            .Where(one => filter.Status.Count == 0 || filter.Status.Contains(one.Then.Status))
            .ToDictionary(one => one.Device.Number);
        var sessions = connection.Query<SessionRow>(SelectSessions, new { numbers = JsonSerializer.Serialize(devices.Values.Select(one => one.Then.Session).OfType<long>()) })
            .ToDictionary(row => row.SessionNo);
        var described = connection.Query<DeviceRow>(SelectDevices, new { numbers = JsonSerializer.Serialize(devices.Keys) }).ToDictionary(row => row.ClientNo);
        var passed = walked.Where(number => devices.TryGetValue(number, out var one) && Passes(described[number], SessionOf(one.Then))).ToList();
        var ends = connection.Query<EndRow>(SelectLastEnds, new { numbers = JsonSerializer.Serialize(passed), at }).ToDictionary(row => row.Device);
        return passed
            .Select(number => View(devices[number].Device, devices[number].Then, described[number], SessionOf(devices[number].Then), ends[number]))
            .Where(view => filter.Reason.Count == 0 || (view.LastReason is { } reason && filter.Reason.Contains(Words.Read<DisconnectReason>(reason))));

        SessionRow? SessionOf(Stretch then) => then.Session is { } number ? sessions[number] : null;

        bool Passes(DeviceRow device, SessionRow? session) =>
            (filter.Username is null || (session?.Username ?? device.Username) == filter.Username)
            && (filter.Node is null || session?.Node == filter.Node)
            && (filter.Ip is null || session?.Ip == filter.Ip);
    }

    private static bool WasSeen(DeviceHistory device, DateTimeOffset at) =>
        device.FirstSeenAt <= at || device.Ledger.Sessions is [{ } first, ..] && first.Start <= at || device.Ledger.Farewells is [{ } farewell, ..] && farewell.At <= at;

    private static DeviceViewAt View(DeviceHistory device, Stretch then, DeviceRow described, SessionRow? session, EndRow ends)
    {
        var end = ends.LoneAt > (ends.At ?? long.MinValue) ? (At: ends.LoneAt, Reason: ends.LoneReason, Raw: ends.LoneRaw) : (ends.At, ends.Reason, ends.Raw);
        // The end that made it offline is the last one; of others that are told for the same time it is the one that counts.
        var (left, reason) = then.Status is ConnectivityStatus.Offline ? (then.From, then.Reason is { } why ? Words.Of(why) : null) : (end.At.ToTime(), end.Reason);
        return new DeviceViewAt
        {
            ClientId = device.ClientId,
            Username = session?.Username ?? described.Username,
            Name = described.Name,
            Tags = described.Tags,
            Status = then.Status,
            Since = then.From == DateTimeOffset.MinValue ? null : then.From,
            Confidence = then.Confidence,
            LastOnlineAt = session?.ConnectedAt.ToTime(),
            LastOfflineAt = left,
            LastReason = reason,
            LastRawReason = end.At.ToTime() == left && end.Reason == reason ? end.Raw : null,
            Evidence = then.Evidence,
            SessionId = session is null ? null : SessionId.Of(device.ClientId, session.Node, session.ConnectedAt, session.Peer),
            Node = session is { Node.Length: > 0 } ? session.Node : null,
            ConnectedAt = session?.ConnectedAt.ToTime(),
            Ip = session?.Ip,
            Port = session?.Port,
            Protocol = session?.Protocol,
            ProtocolVersion = session?.ProtocolVersion,
            KeepAliveSeconds = session?.KeepAlive,
            CleanStart = session?.CleanStart,
            ExpirySeconds = session?.Expiry,
            FirstSeenAt = device.FirstSeenAt,
        };
    }

    private sealed record DeviceRow
    {
        public long ClientNo { get; init; }
        public string? Username { get; init; }
        public string? Name { get; init; }
        public string Tags { get; init; } = "{}";
    }

    private sealed record EndRow
    {
        public long Device { get; init; }
        public long? At { get; init; }
        public string? Reason { get; init; }
        public string? Raw { get; init; }
        public long? LoneAt { get; init; }
        public string? LoneReason { get; init; }
        public string? LoneRaw { get; init; }
    }

    private sealed record SessionRow
    {
        public long SessionNo { get; init; }
        public string Node { get; init; } = "";
        public string? Peer { get; init; }
        public long ConnectedAt { get; init; }
        public string? Username { get; init; }
        public string? Ip { get; init; }
        public int? Port { get; init; }
        public string? Protocol { get; init; }
        public string? ProtocolVersion { get; init; }
        public int? KeepAlive { get; init; }
        public bool? CleanStart { get; init; }
        public long? Expiry { get; init; }
    }
}
