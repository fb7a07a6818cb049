using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

internal sealed class DeviceQueries(Database database, ActivityLog log, ActivityMover mover, IOptions<ActivityOptions> activity, TimeProvider time) :
    IQueryHandler<GetDevice, DeviceView?>,
    IQueryHandler<IsDeviceKnown, bool>,
    IQueryHandler<GetDeviceStates, IReadOnlyList<DeviceView>>,
    IQueryHandler<ListDevices, Page<DeviceView>>
{
    // Subscriptions run out by themselves, so those counted at the last write are counted again.
    private const string Select = $"""
        SELECT d.client_id, d.username, d.name, d.tags, d.message_interval AS message_interval_seconds,
          d.status, d.since, d.confidence, d.last_online_at, d.last_offline_at, d.last_reason, d.last_raw_reason,
          coalesce(d.flapping_until > @now, 0) AS flapping, d.evidence,
          {DevicePick.ActivitySql} AS activity, a.last_message_at, a.last_topic, a.last_seen_at,
          nullif(d.node, '') AS node, d.connected_at, d.ip, d.port, d.protocol, d.protocol_version, d.keep_alive AS keep_alive_seconds,
          d.clean_start, d.expiry AS expiry_seconds,
          CASE d.subscription_count WHEN 0 THEN 0 ELSE
            (SELECT count(*) FROM subscriptions s WHERE s.client_no = d.client_no AND s.subscribed_at IS NOT NULL AND (s.ends_at IS NULL OR s.ends_at > @now))
          END AS subscription_count,
          d.session_count, a.published AS messages_published, a.delivered AS messages_delivered, a.dropped AS messages_dropped,
          d.first_seen_at, a.version,
          d.client_no, d.node AS session_node, d.connected_at AS session_start, d.peer, d.subscription_count AS subscriptions_written
        FROM devices d JOIN device_activity a ON a.client_no = d.client_no
        """;

    public Task<DeviceView?> Handle(GetDevice request, CancellationToken cancellationToken) => Task.FromResult(log.ReadTogether(() =>
    {
        using var connection = database.OpenForReading();
        return Read(connection, "WHERE d.client_id = @client", new { client = request.Client.Value }).Select(row => Present(row.View)).SingleOrDefault();
    }));

    public Task<bool> Handle(IsDeviceKnown request, CancellationToken cancellationToken)
    {
        using var connection = database.OpenForReading();
        return Task.FromResult(connection.ExecuteScalar<bool>("SELECT EXISTS (SELECT 1 FROM devices WHERE client_id = @client)", new { client = request.Client.Value }));
    }

    public Task<IReadOnlyList<DeviceView>> Handle(GetDeviceStates request, CancellationToken cancellationToken)
    {
        var asked = JsonSerializer.Serialize(request.Clients.Select(client => client.Value));
        var known = log.ReadTogether(() =>
        {
            using var connection = database.OpenForReading();
            return Read(connection, "WHERE d.client_id IN (SELECT value FROM json_each(@asked))", new { asked }).ToDictionary(row => row.View.ClientId, row => Present(row.View));
        });
        return Task.FromResult<IReadOnlyList<DeviceView>>(
            [.. request.Clients.Select(client => known.GetValueOrDefault(client.Value)).OfType<DeviceView>()]);
    }

    public async Task<Page<DeviceView>> Handle(ListDevices request, CancellationToken cancellationToken)
    {
        var pick = new DevicePick(request.Filter, request.Sort, request.Page.Cursor, time.GetUtcNow(), activity.Value.ExpectedInterval);
        if (!pick.ReadsActivity) return log.ReadTogether(() => Read(request, pick, Present));

        await mover.CatchUpAsync(cancellationToken);
        return Read(request, pick, view => view); // as it was picked
    }

    private Page<DeviceView> Read(ListDevices request, DevicePick pick, Func<DeviceView, DeviceView> shown)
    {
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);

        var numbers = pick.Read(connection, request.Page.Limit + 1);
        var more = numbers.Count > request.Page.Limit;
        if (more) numbers.RemoveAt(numbers.Count - 1);
        var rows = Read(connection, "WHERE d.client_no IN (SELECT value FROM json_each(@numbers))", new { numbers = JsonSerializer.Serialize(numbers) })
            .ToDictionary(row => row.Key.ClientNo, row => row.View);
        var next = more ? pick.CursorAfter(numbers[^1], rows[numbers[^1]]) : null;
        return new([.. numbers.Select(number => shown(rows[number]))], next)
        {
            Count = request.Count ? pick.Count(connection) : null,
        };
    }

    private IEnumerable<(Key Key, DeviceView View)> Read(SqliteConnection connection, string where, object parameters)
    {
        var all = new DynamicParameters(parameters);
        all.Add("now", time.GetUtcNow().ToMs());
        all.Add("interval", (long?)activity.Value.ExpectedInterval?.TotalMilliseconds);
        return connection.Query<DeviceView, Key, (Key, DeviceView)>($"{Select} {where}", (view, key) => (key, Complete(view, key)), all, splitOn: "client_no");
    }

    private static DeviceView Complete(DeviceView view, Key key)
    {
        view.SessionId = key.SessionStart is { } start ? SessionId.Of(view.ClientId, key.SessionNode, start, key.Peer) : null;
        view.SubscriptionsRunOut = Math.Max(0, key.SubscriptionsWritten - view.SubscriptionCount);
        return view;
    }

    /// <summary>With what is not in the table yet.</summary>
    private DeviceView Present(DeviceView view)
    {
        if (log.Find(view.ClientId) is not { } newer || newer.Version <= view.Version || newer.RestsOn > view.Version) return view;

        var interval = view.MessageIntervalSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : activity.Value.ExpectedInterval;
        (view.LastSeenAt, view.LastMessageAt, view.LastTopic) = (newer.LastSeenAt.ToTime(), newer.LastMessageAt.ToTime(), newer.LastTopic);
        (view.MessagesPublished, view.MessagesDelivered, view.MessagesDropped) = (newer.Published, newer.Delivered, newer.Dropped);
        view.Activity = ActivityOptions.StatusOf(view.LastMessageAt, interval, time.GetUtcNow());
        view.Version = newer.Version;
        return view;
    }

    /// <summary>What the view is made of beyond what it shows.</summary>
    private sealed record Key
    {
        public long ClientNo { get; init; }
        public string? SessionNode { get; init; }
        public long? SessionStart { get; init; }
        public string? Peer { get; init; }
        public int SubscriptionsWritten { get; init; }
    }
}
