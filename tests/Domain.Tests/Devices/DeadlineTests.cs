using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Sessions.Confidence;
using static WebhookService.Domain.Sessions.ConnectivityStatus;
using static WebhookService.Domain.Tests.Sessions.AHistory;

namespace WebhookService.Domain.Tests.Devices;

/// <summary>The default rules: offline hold 60 s, takeover 10 s, verification 5 s, stale 900 s, unknown a day later.</summary>
public sealed class DeadlineTests
{
    private const double Day = 86_400;

    private static readonly PresenceRules Expecting = PresenceRules.Default with { MessageInterval = TimeSpan.FromSeconds(60) };

    private static AWatchedDevice Online(PresenceRules? rules = null, int? keepAlive = null) => new AWatchedDevice(rules).Connected(0, keepAlive);

    // ---- offline, and not back -------------------------------------------------------------------------------------------

    [Fact]
    public void Offline_is_confirmed_once_when_the_device_stayed_away_for_the_hold()
    {
        var device = Online().Later(10).Disconnected(0, 9, "keepalive_timeout");

        device.Watched(69.999);
        Assert.Equal("went-online@0 went-offline@10", device.Events);

        device.Watched(3 * Day);
        var confirmed = Assert.Single(device.TakeTold());
        Assert.Equal(
            new DeviceOfflineConfirmed(Client, At(70), Since: At(9), DisconnectReason.KeepaliveTimeout, "keepalive_timeout", Confirmed), confirmed.Event);
        Assert.Null(device.DueAt);
    }

    [Fact]
    public void Offline_is_not_confirmed_of_a_device_that_returned()
    {
        var device = Online().Later(10).Disconnected(0, 10).Watched(69).Connected(69).Watched(600);

        Assert.Equal("went-online@0 went-offline@10 went-online@69", device.Events);
    }

    [Fact]
    public void A_return_that_is_told_together_with_its_end_starts_the_hold_anew()
    {
        var device = Online().Later(10).Disconnected(0, 10).Watched(40).Disconnected(30, 35).Watched(99);
        Assert.Equal("went-online@0 went-offline@10", device.Events);

        device.Watched(100);
        Assert.Equal("offline-confirmed@100", device.Events);
    }

    [Fact]
    public void Facts_that_say_nothing_new_of_the_end_leave_the_hold_alone()
    {
        var device = Online().Later(10).Disconnected(0, 10).Watched(40).Disconnected(-50, -40).Disconnected(0, 10).Watched(70);

        Assert.Equal("went-online@0 went-offline@10 offline-confirmed@70", device.Events);
    }

    [Fact]
    public void An_end_that_a_fast_clock_puts_ahead_of_ours_is_held_from_then_on()
    {
        var device = Online().Later(10).Disconnected(0, 25).Watched(84);
        Assert.Equal("went-online@0 went-offline@10", device.Events);

        Assert.Equal("offline-confirmed@85", device.Watched(85).Events);
    }

    [Fact]
    public void An_offline_that_was_confirmed_is_confirmed_again_only_after_a_return()
    {
        var device = Online().Later(10).Disconnected(0, 10).Watched(70).Quiet();

        device.Later(100).Disconnected(80, 90).Watched(500).Connected(500).Later(510).Disconnected(500, 510).Watched(Day);

        Assert.Equal("went-online@500 went-offline@510 offline-confirmed@570", device.Events);
    }

    // ---- silence ---------------------------------------------------------------------------------------------------------

    [Fact]
    public void A_device_is_silent_once_when_its_message_is_overdue_and_resumes_with_the_next()
    {
        var device = Online(Expecting).Later(10).Published(10).Quiet();

        device.Watched(600);
        Assert.Equal(new DeviceWentSilent(Client, At(70), At(10), 60), Assert.Single(device.TakeTold()).Event);

        device.Later(610).Published(610);
        Assert.Equal(new DeviceResumed(Client, At(610), 600), Assert.Single(device.TakeTold()).Event);
        Assert.Equal("went-silent@670", device.Watched(800).Events);
    }

    [Fact]
    public void Its_own_interval_goes_before_that_of_all()
    {
        var device = Online(Expecting).Later(10).Expects(300).Published(10).Quiet();

        Assert.Equal("", device.Watched(309).Events);
        Assert.Equal(300, ((DeviceWentSilent)Assert.Single(device.Watched(310).TakeTold()).Event).ExpectedIntervalSeconds);
    }

    [Fact]
    public void A_shorter_interval_counts_from_the_last_message()
    {
        var device = Online().Later(10).Published(10).Watched(100).Quiet().Expects(120);

        Assert.Equal("described@100 went-silent@130", device.Watched(200).Events);
    }

    [Fact]
    public void An_interval_that_is_over_already_tells_at_the_next_look()
    {
        var device = Online().Later(10).Published(10).Watched(100).Quiet().Expects(30);

        Assert.Equal("described@100 went-silent@100", device.Watched(100).Events);
    }

    [Fact]
    public void Messages_in_time_keep_it_active()
    {
        var device = Online(Expecting).Quiet();

        for (var at = 10; at < 2_000; at += 59) device.Watched(at).Published(at);

        Assert.Equal("", device.Events);
    }

    [Fact]
    public void A_message_that_came_late_and_is_overdue_itself_does_not_resume()
    {
        var device = Online(Expecting).Later(10).Published(10).Watched(200).Quiet();

        device.Published(100);
        Assert.Equal("", device.Events);

        device.Published(190);
        Assert.Equal(90, ((DeviceResumed)Assert.Single(device.TakeTold()).Event).SilentSeconds);
    }

    [Fact]
    public void A_message_older_than_the_last_says_nothing()
    {
        var device = Online(Expecting).Later(50).Published(50).Published(20).Quiet();

        Assert.Equal("went-silent@110", device.Watched(200).Events);
    }

    [Fact]
    public void Who_never_sent_and_of_whom_nothing_is_expected_is_never_silent()
    {
        var never = Online(Expecting, keepAlive: 0).Quiet();
        var unexpected = Online(keepAlive: 0).Published(1).Quiet();

        Assert.Equal(("", ""), (never.Watched(30 * Day).Events, unexpected.Watched(30 * Day).Events));
        Assert.Null(never.DueAt);
    }

    [Fact]
    public void Silence_and_absence_are_told_apart()
    {
        var device = Online(Expecting).Later(10).Published(10).Disconnected(0, 10).Quiet();

        Assert.Equal("went-silent@70 offline-confirmed@70", string.Join(' ', device.Watched(100).Events.Split(' ').OrderDescending()));
    }

    // ---- staleness -------------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData(null, 900)]
    [InlineData(60, 900)]        // 1.5 × 60 s is less than what an idle client may be quiet for
    [InlineData(600, 900)]
    [InlineData(1_000, 1_500)]
    public void Online_is_stale_when_the_keep_alive_and_the_rule_are_over(int? keepAlive, double after)
    {
        var device = Online(keepAlive: keepAlive).Quiet();

        Assert.Equal("", device.Watched(after - 1).Events);
        Assert.Equal(new DeviceWentStale(Client, At(after), At(0)), Assert.Single(device.Watched(after + 900).TakeTold()).Event);
        Assert.Equal((ConnectivityStatus.Online, Stale), device.State);
    }

    [Fact]
    public void A_switched_off_keep_alive_is_never_stale()
    {
        var device = Online(keepAlive: 0).Quiet();

        Assert.Equal("", device.Watched(30 * Day).Events);
    }

    [Fact]
    public void Every_message_and_the_brokers_list_put_it_off()
    {
        var device = Online().Quiet().Watched(800).Published(800).Watched(1_699);
        Assert.Equal("", device.Events);

        device.Listed(0, 1_690).Watched(2_589);
        Assert.Equal("", device.Events);
        Assert.Equal("went-stale@2590", device.Watched(2_600).Events);
    }

    [Fact]
    public void A_complete_list_of_the_broker_is_evidence_of_all_that_were_online()
    {
        var device = Online().Quiet();
        device.ListedAt = At(850);

        Assert.Equal("", device.Watched(1_749).Events);
        Assert.Equal("went-stale@1750", device.Watched(1_750).Events);
    }

    [Fact]
    public void A_list_of_just_before_the_start_makes_nothing_due_earlier()
    {
        var device = Online().Restarted(2_000).Quiet();
        device.ListedAt = At(1_990);

        Assert.Equal("", device.Watched(2_929).Events);
        Assert.Equal("went-stale@2930", device.Watched(2_930).Events);
    }

    [Fact]
    public void Devices_that_live_by_the_list_look_earlier_each_at_its_own_time()
    {
        var looks = Enumerable.Range(0, 100).Select(second =>
        {
            var device = new AWatchedDevice().Later(second * 7).Connected(second * 7);
            device.ListedAt = At(890);
            return device.Watched(1_600).Look().DueAt;
        }).ToList();

        Assert.All(looks, look => Assert.InRange(look!.Value, 1_600, 1_790));
        Assert.True(looks.Distinct().Count() > 10);
    }

    [Fact]
    public void Fresh_evidence_of_a_stale_device_is_told_once()
    {
        var device = Online().Watched(2_000).Quiet();

        device.Published(2_000).Later(2_001).Published(2_001);

        Assert.Equal(new DeviceHeardAgain(Client, At(2_000), Confirmed), Assert.Single(device.TakeTold()).Event);
        Assert.Equal((ConnectivityStatus.Online, Confirmed), device.State);
    }

    [Fact]
    public void Evidence_that_is_too_old_itself_changes_nothing()
    {
        var device = Online().Watched(2_000).Quiet();

        device.Published(1_000).Subscribed(900);

        Assert.Equal("subscription.started@2000", device.Events);
        Assert.Equal((ConnectivityStatus.Online, Stale), device.State);
    }

    [Fact]
    public void A_takeover_is_evidence_of_its_own_time()
    {
        var device = Online().Later(5).Published(5).Later(880).Published(880).Later(3_000).Quiet();

        device.Disconnected(0, 2_999, "takenover").Watched(3_009);

        Assert.Equal("", device.Events); // not stale by the message of long before
    }

    [Fact]
    public void A_device_that_the_list_misses_is_doubted_once_and_heard_again_whatever_its_keep_alive()
    {
        var device = Online(keepAlive: 0).Quiet().Later(100).Doubted().Doubted();
        Assert.Equal("went-stale@100", device.Events);

        device.Later(120).Published(119);
        Assert.Equal("heard-again@120", device.Events);
    }

    [Fact]
    public void A_stale_device_that_leaves_goes_offline_with_its_reason()
    {
        var device = Online().Watched(2_000).Quiet();

        device.Disconnected(0, 1_999, "kicked").Watched(2_060);

        Assert.Equal("went-offline@2000 offline-confirmed@2060", device.Events);
    }

    // ---- giving up -------------------------------------------------------------------------------------------------------

    [Fact]
    public void What_is_stale_for_too_long_is_unknown_and_known_again_with_the_next_evidence()
    {
        var device = Online().Quiet().Later(10).Published(10).Watched(910 + Day - 1);
        Assert.Equal("went-stale@910", device.Events);

        device.Watched(910 + Day);
        Assert.Equal(new DeviceWentUnknown(Client, At(910 + Day), At(10)), Assert.Single(device.TakeTold(), one => one.Event is not SessionEnded).Event);
        Assert.Equal((Unknown, Inferred), device.State);
        Assert.Equal("", device.Watched(30 * Day).Events);
        Assert.Null(device.DueAt);

        Assert.Equal("went-online@2592000", device.Published(30 * Day).Events);
    }

    [Fact]
    public void A_device_that_lived_by_the_brokers_list_is_given_up_after_it_was_stale_for_a_day_not_a_day_after_its_last_report()
    {
        var device = Online().Quiet();
        device.ListedAt = At(3 * Day);
        Assert.Equal("", device.Watched((3 * Day) + 899).Events);

        device.Watched((4 * Day) + 899);
        Assert.Equal($"went-stale@{(3 * Day) + 900}", device.Events);
        Assert.Equal(At(3 * Day), device.Device.Pending.AliveUntil);

        Assert.Equal($"went-unknown@{(4 * Day) + 900}", device.Watched((4 * Day) + 900).Events);
    }

    [Fact]
    public void The_last_evidence_of_an_unknown_device_may_be_its_connect()
    {
        var device = Online().Watched(900 + Day);

        Assert.Equal(At(0), Assert.Single(device.TakeTold().Select(one => one.Event).OfType<DeviceWentUnknown>()).LastEvidenceAt);
    }

    [Fact]
    public void Nothing_is_given_up_where_the_rule_is_never()
    {
        var device = Online(PresenceRules.Default with { ExpireAfter = null }).Quiet();

        Assert.Equal("went-stale@900", device.Watched(400 * Day).Events);
    }

    // ---- takeovers and verification --------------------------------------------------------------------------------------

    [Fact]
    public void A_takeover_whose_successor_stays_unknown_counts_as_an_end_where_nobody_can_be_asked()
    {
        var device = Online().Later(20).Disconnected(0, 19, "takenover").Watched(29).Quiet();

        device.Watched(200);

        Assert.Equal("went-offline@30 offline-confirmed@90", device.Events);
        Assert.Equal((Offline, Inferred), device.State);
    }

    [Fact]
    public void A_successor_that_comes_late_brings_it_back()
    {
        var device = Online().Quiet().Later(20).Disconnected(0, 19, "takenover").Watched(31);

        device.Connected(19.002).Watched(600);

        Assert.Equal("went-offline@30 went-online@31", device.Events);
        Assert.Equal((ConnectivityStatus.Online, Confirmed), device.State);
    }

    [Fact]
    public void Nothing_that_is_told_again_revives_a_takeover_that_lapsed()
    {
        var device = Online().Later(20).Disconnected(0, 19, "takenover").Watched(31).Quiet();

        device.Disconnected(-50, -40).Subscribed(5).Watched(600);

        Assert.Equal("subscription.started@31 subscription.ended@31 offline-confirmed@90", device.Events);
        Assert.Equal(Offline, device.State.Item1);
    }

    [Fact]
    public void A_successor_in_time_leaves_nothing_to_do()
    {
        var device = Online().Quiet().Later(20).Disconnected(0, 19, "takenover").Connected(19.002).Watched(800);

        Assert.Equal(("", 0), (device.Events, device.Wishes.Count));
    }

    [Fact]
    public void The_broker_is_asked_once_for_a_takeover_and_for_what_is_only_inferred()
    {
        var takenOver = new AWatchedDevice { CanVerify = true }.Connected(0).Later(20).Disconnected(0, 19, "takenover").Watched(800);
        var inferred = new AWatchedDevice { CanVerify = true }.Later(20).Showed(20).Watched(800);

        Assert.Equal((Wish.Verification, 30), Assert.Single(takenOver.Wishes));
        Assert.Equal((Wish.Verification, 25), Assert.Single(inferred.Wishes));
        Assert.Equal(ConnectivityStatus.Online, takenOver.State.Item1); // the answer decides
        Assert.Equal(Offline, takenOver.Unverifiable().State.Item1);
        Assert.Equal(ConnectivityStatus.Online, inferred.Unverifiable().State.Item1);
    }

    [Fact]
    public void The_broker_is_asked_for_a_stale_device_but_not_for_a_confirmed_one()
    {
        var device = new AWatchedDevice { CanVerify = true }.Connected(0).Watched(5_000);

        Assert.Equal((Wish.Verification, 900), Assert.Single(device.Wishes));
    }

    [Fact]
    public void Nobody_who_can_not_be_asked_is_asked()
    {
        var device = new AWatchedDevice().Later(20).Showed(20).Watched(800);

        Assert.Empty(device.Wishes);
        Assert.Equal((ConnectivityStatus.Online, Inferred), device.State);
    }

    // ---- flapping --------------------------------------------------------------------------------------------------------

    [Fact]
    public void Flapping_is_told_at_its_start_and_at_its_end_and_not_in_between()
    {
        var device = new AWatchedDevice();
        for (var at = 0; at < 600; at += 20) device.Watched(at).Connected(at).Watched(at + 10).Disconnected(at, at + 10);

        var told = device.TakeTold();
        Assert.Equal(100, Assert.Single(told, one => one.Name == "started-flapping").At);                            // the sixth start
        Assert.All(told.Select(one => one.Event).OfType<DeviceWentOnline>(), one => Assert.Equal(one.At >= At(100), one.Flapping));

        device.Watched(3_000);
        Assert.Equal("offline-confirmed@650 stopped-flapping@1140", device.Events); // fewer than three within ten minutes: those of 560 and 580
    }

    [Fact]
    public void A_device_calms_down_only_when_few_starts_are_left_in_the_window()
    {
        var device = new AWatchedDevice();
        for (var at = 0; at <= 100; at += 20) device.Watched(at).Connected(at);
        device.Quiet();

        for (var at = 290; at < 4_000; at += 190) device.Watched(at).Connected(at); // three in ten minutes: not the six that begin it

        Assert.Equal("", device.Events);
        Assert.Equal("stopped-flapping@4120", device.Watched(4_200).Events);
    }

    [Fact]
    public void Flapping_that_the_rules_do_not_call_so_any_more_ends_with_the_next_fact()
    {
        var device = new AWatchedDevice();
        for (var at = 0; at <= 100; at += 20) device.Watched(at).Connected(at);
        device.Quiet();

        device.Restarted(110, PresenceRules.Default with { FlappingStarts = 20 }).Connected(111);

        Assert.Equal("stopped-flapping@110", device.Events);
    }

    // ---- subscriptions ---------------------------------------------------------------------------------------------------

    [Fact]
    public void A_subscription_that_outlives_its_connection_ends_when_it_runs_out()
    {
        var device = new AWatchedDevice().Connected(0, expiry: 100).Later(5).Subscribed(5).Later(10).Disconnected(0, 10).Quiet();

        Assert.Equal(1, device.Watched(109).Device.SubscriptionCount);
        Assert.Equal("offline-confirmed@70", device.Events);
        Assert.Equal(new SubscriptionEnded(Client, At(110), "a/#", SubscriptionEndedBy.Expired), Assert.Single(device.Watched(500).TakeTold()).Event);
        Assert.Equal(0, device.Device.SubscriptionCount);
        Assert.Null(device.DueAt);
    }

    [Fact]
    public void A_return_before_that_keeps_it()
    {
        var device = new AWatchedDevice().Connected(0, expiry: 100).Later(5).Subscribed(5).Later(10).Disconnected(0, 10).Quiet();

        device.Watched(50).Connected(50, clean: false, expiry: 100).Watched(800);

        Assert.Equal(("went-online@50", 1), (device.Events, device.Device.SubscriptionCount));
    }

    // ---- after a start ---------------------------------------------------------------------------------------------------

    [Fact]
    public void What_fell_due_while_the_service_was_down_gets_its_time_again_after_the_grace()
    {
        var gone = Online().Later(10).Disconnected(0, 10).Quiet();
        var quiet = Online(Expecting, keepAlive: 0).Later(10).Published(10).Quiet();
        var idle = Online().Quiet();
        var taken = Online().Later(10).Disconnected(0, 10, "takenover").Quiet();
        var stale = Online().Watched(900).Quiet();

        string After(AWatchedDevice device, double seconds) => device.Restarted(3_600).Watched(3_600 + seconds).Events;

        Assert.Equal(("", "offline-confirmed@3690"), (After(gone, 89), gone.Watched(4_000).Events));
        Assert.Equal(("", "went-silent@3690"), (After(quiet, 89), quiet.Watched(4_000).Events));
        Assert.Equal(("", "went-stale@4530"), (After(idle, 929), idle.Watched(5_000).Events));
        Assert.Equal(("", "went-offline@3640"), (After(taken, 39), taken.Watched(3_650).Events));

        stale.TakeTold();
        stale.Restarted(3 * Day).Watched(4 * Day);
        Assert.Equal("", stale.Events);
        Assert.Equal("went-unknown@345630", stale.Watched(5 * Day).Events);
    }

    [Fact]
    public void What_falls_due_within_the_grace_gets_its_time_again_and_what_falls_due_after_it_is_on_time()
    {
        var within = Online().Later(10).Disconnected(0, 10).Quiet().Restarted(45).Watched(500);
        var after = Online().Later(10).Disconnected(0, 10).Quiet().Restarted(35).Watched(500);

        Assert.Equal("offline-confirmed@135", within.Events);
        Assert.Equal("offline-confirmed@70", after.Events);
    }

    [Fact]
    public void What_begins_after_the_start_is_on_time_within_the_grace()
    {
        var rules = PresenceRules.Default with { OfflineHold = TimeSpan.FromSeconds(5), MessageInterval = TimeSpan.FromSeconds(4) };
        var device = Online(rules).Restarted(100).Quiet().Later(101).Published(101).Later(102).Disconnected(0, 102);

        Assert.Equal("went-offline@102 went-silent@105 offline-confirmed@107", device.Watched(120).Events);
    }

    [Fact]
    public void A_subscription_that_ran_out_while_the_service_was_down_waits_for_the_grace_in_which_its_client_may_turn_up()
    {
        AWatchedDevice Device() => new AWatchedDevice().Connected(0, expiry: 100).Later(5).Subscribed(5).Later(10).Disconnected(0, 10).Quiet().Restarted(600);

        Assert.Equal("subscription.ended@630 offline-confirmed@690", Device().Watched(1_000).Events);
        Assert.Equal("went-online@610", Device().Watched(610).Connected(50, clean: false, expiry: 100).Watched(800).Events);
    }

    [Fact]
    public void Flapping_that_may_go_on_is_not_over_before_the_grace_is()
    {
        var device = new AWatchedDevice();
        for (var at = 0; at <= 100; at += 20) device.Watched(at).Connected(at);
        device.Quiet();

        Assert.Equal("stopped-flapping@2030", device.Restarted(2_000).Watched(2_100).Events);
    }

    [Fact]
    public void News_within_the_grace_saves_from_the_alarm()
    {
        var device = Online(Expecting).Later(10).Published(10).Quiet().Restarted(3_600).Watched(3_620);

        device.Published(3_000).Later(3_625).Published(3_610).Watched(3_669);

        Assert.Equal("", device.Events);
    }
}
