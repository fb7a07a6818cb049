using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using static WebhookService.Infrastructure.Tests.ADatabase;

namespace WebhookService.Infrastructure.Tests.Devices;

/// <summary>Asks SQLite how it would read a page: along an index, from the cursor on, without sorting.</summary>
public sealed class DevicePickPlanTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    public static TheoryData<DeviceSortKey, bool, int> Walks()
    {
        var walks = new TheoryData<DeviceSortKey, bool, int>();
        foreach (var key in Enum.GetValues<DeviceSortKey>())
            for (var statuses = 0; statuses <= 3; statuses++)
            {
                walks.Add(key, false, statuses);
                walks.Add(key, true, statuses);
            }
        return walks;
    }

    [Theory]
    [MemberData(nameof(Walks))]
    public async Task No_page_of_a_list_by_status_is_sorted(DeviceSortKey key, bool descending, int statuses)
    {
        var filter = new DeviceFilter { Status = [.. Enum.GetValues<ConnectivityStatus>().Take(statuses)] };
        for (var i = 0; i < 9; i++) database.Device($"d{i}", status: i % 3, name: "n", username: "u", lastSeen: Now, connected: Now);
        var sort = new DeviceSort(key, descending);

        var plans = Plans(filter, sort, null).Concat(Plans(filter, sort, await CursorOf(filter, sort))).ToList();

        Assert.NotEmpty(plans);
        Assert.All(plans, plan =>
        {
            Assert.DoesNotContain("TEMP B-TREE", plan, StringComparison.Ordinal);
            Assert.DoesNotMatch(@"SCAN [da]\b(?! USING (COVERING )?INDEX)", plan);
        });
    }

    [Theory]
    [InlineData(DeviceSortKey.ClientId, false, "client_id>?")]
    [InlineData(DeviceSortKey.ClientId, true, "client_id<?")]
    [InlineData(DeviceSortKey.LastSeenAt, true, "status=? AND last_seen_at=? AND client_no<?", "status=? AND last_seen_at>? AND last_seen_at<?")]
    [InlineData(DeviceSortKey.ConnectedAt, false, "status=? AND connected_at=? AND client_no>?", "status=? AND connected_at>?")]
    [InlineData(DeviceSortKey.FirstSeenAt, false, "first_seen_at=? AND client_no>?", "first_seen_at>?")]
    [InlineData(DeviceSortKey.Name, true, "name=? AND client_id<?", "name<?")]
    [InlineData(DeviceSortKey.Username, false, "username=? AND client_id>?", "username>?")]
    public async Task A_later_page_starts_at_the_cursor(DeviceSortKey key, bool descending, params string[] ranges)
    {
        for (var i = 0; i < 9; i++) database.Device($"d{i}", name: "n", username: "u", lastSeen: Now, connected: Now);
        var sort = new DeviceSort(key, descending);

        var plan = Plans(new(), sort, await CursorOf(new(), sort)).First();

        Assert.All(ranges, range => Assert.Contains(range, plan, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_later_page_of_a_prefix_starts_at_the_cursor_and_ends_with_the_prefix()
    {
        for (var i = 0; i < 9; i++) database.Device($"d{i}");
        var filter = new DeviceFilter { ClientId = ClientIdPattern.Parse("d*"), Status = [ConnectivityStatus.Online] };
        var sort = new DeviceSort(DeviceSortKey.ClientId, false);

        var plan = Assert.Single(Plans(filter, sort, await CursorOf(filter, sort)));

        Assert.Contains("devices_status (status=? AND client_id>? AND client_id<?)", plan, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DeviceSortKey.ClientId)]
    [InlineData(DeviceSortKey.LastSeenAt)]
    public void Few_devices_of_a_user_lead_to_themselves(DeviceSortKey key)
    {
        database.Device("d", username: "u");

        var plan = Plans(new() { Username = "u", Status = [ConnectivityStatus.Online, ConnectivityStatus.Offline] }, new(key, true), null).First();

        Assert.Contains("devices_username (username=?", plan, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_rare_leads_to_itself()
    {
        database.Device("d");
        var sort = new DeviceSort(DeviceSortKey.ClientId, false);

        Assert.Contains("devices_reason (last_reason=?)", Plans(new() { Reason = [DisconnectReason.Kicked] }, sort, null).First(), StringComparison.Ordinal);
        Assert.Contains("devices_unsure (confidence=?)", Plans(new() { Confidence = [Confidence.Stale, Confidence.Inferred] }, sort, null).First(), StringComparison.Ordinal);
        Assert.Contains("devices_flapping (flapping_until>?)", Plans(new() { Flapping = true }, sort, null).First(), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_devices_of_a_user_are_met_along_the_order()
    {
        database.InOneTransaction(() =>
        {
            for (var i = 0; i < 2_100; i++) database.Device($"d{i}", username: "u", lastSeen: Now);
        });

        var plan = Plans(new() { Username = "u" }, new(DeviceSortKey.LastSeenAt, true), null).First();

        Assert.Contains("device_activity_last_seen", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("TEMP B-TREE", plan, StringComparison.Ordinal);
    }

    private List<string> Plans(DeviceFilter filter, DeviceSort sort, string? cursor)
    {
        using var connection = database.Database.OpenForReading();
        var pick = new DevicePick(filter, sort, cursor, Now, null);
        pick.Prepare(connection);
        pick.Parameters.Add("limit", 50);
        return [.. pick.Parts().Select(part => string.Join('\n', connection.Query<(int, int, int, string Detail)>($"EXPLAIN QUERY PLAN {part}", pick.Parameters).Select(row => row.Detail)))];
    }

    private async Task<string> CursorOf(DeviceFilter filter, DeviceSort sort)
    {
        var queries = new DeviceQueries(database.Database, database.ActivityLog, database.ActivityMover, Microsoft.Extensions.Options.Options.Create(new ActivityOptions()), database.Time);
        var page = await queries.Handle(new ListDevices(filter, sort, new(2, null), false), default);
        return page.Next!;
    }
}
