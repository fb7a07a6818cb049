using Dapper;
using WebhookService.Application.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.History;
using static WebhookService.Infrastructure.Tests.ADatabase;

namespace WebhookService.Infrastructure.Tests.History;

/// <summary>Asks SQLite how it would read the ledger: for each device a range of its sessions, and nothing sorted.</summary>
public sealed class LedgerReaderPlanTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    [Fact]
    public void Of_each_device_only_the_sessions_around_the_time_are_read()
    {
        for (var i = 0; i < 9; i++) database.Device($"d{i}", status: i % 3);

        var plan = PlanOf(new() { Status = [ConnectivityStatus.Online], Activity = [ActivityStatus.Active], Node = "n1" });

        Assert.Contains("SEARCH s USING INDEX sessions_key (client_no=? AND connected_at>? AND connected_at<?) LEFT-JOIN", plan, StringComparison.Ordinal);
        Assert.Contains("SEARCH before USING COVERING INDEX sessions_key (client_no=? AND connected_at<?)", plan, StringComparison.Ordinal);
        Assert.Contains("SEARCH after USING COVERING INDEX sessions_key (client_no=? AND connected_at>?)", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("TEMP B-TREE", plan, StringComparison.Ordinal);
    }

    [Fact]
    public void The_whole_fleet_is_met_in_the_order_of_its_rows()
    {
        var plan = PlanOf(new());

        Assert.Contains("SCAN d\n", plan, StringComparison.Ordinal);
        Assert.DoesNotMatch("SCAN (s|before|after|seen)\\b", plan);
    }

    [Fact]
    public void Few_devices_of_a_user_lead_to_themselves()
    {
        database.Device("d", username: "u");

        Assert.Contains("SEARCH d USING INDEX devices_username (username=?)", PlanOf(new() { Username = "u", Status = [ConnectivityStatus.Online] }), StringComparison.Ordinal);
        Assert.Contains("SEARCH d USING INDEX devices_client_id (client_id>? AND client_id<?)", PlanOf(new() { ClientId = new("d", IsPrefix: true) }), StringComparison.Ordinal);
    }

    private string PlanOf(DeviceFilter filter)
    {
        using var connection = database.Database.OpenForReading();
        var pick = new DevicePick(filter, AvailabilityQueries.InNoOrder, null, Now, null);
        var (tables, where) = pick.Passing(connection);
        pick.Parameters.Add("since", 0L);
        pick.Parameters.Add("until", 1L);
        return string.Join('\n', connection.Query<(int, int, int, string Detail)>($"EXPLAIN QUERY PLAN {LedgerReader.Statement(tables, where, isPast: true)}", pick.Parameters).Select(row => row.Detail));
    }
}
