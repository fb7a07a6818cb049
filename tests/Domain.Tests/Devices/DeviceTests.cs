using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Domain.Tests.Sessions;
using static WebhookService.Domain.Sessions.Confidence;
using static WebhookService.Domain.Sessions.ConnectivityStatus;

namespace WebhookService.Domain.Tests.Devices;

public sealed class DeviceTests
{
    private static readonly Observation Seen = new(AHistory.Now, PresenceRules.Default);

    [Fact]
    public void A_new_device_is_discovered_and_unknown()
    {
        var device = Device.Discovered(AHistory.Client, AHistory.At(5));

        Assert.Equal((Unknown, Inferred, "none"), (device.Connectivity.Status, device.Connectivity.Confidence, device.Connectivity.Evidence));
        Assert.Equal(new DeviceDiscovered(AHistory.Client, AHistory.At(5)), Assert.Single(device.TakeEvents()));
        Assert.Empty(device.TakeEvents());
    }

    [Fact]
    public void A_session_makes_it_online_and_its_end_offline_with_one_event_each()
    {
        var device = ADevice.OnlineSince(10, "10.0.0.1:1");
        Assert.Equal((Online, Confirmed, "session"), device.State);
        Assert.Equal(new DeviceWentOnline(AHistory.Client, AHistory.At(10), Confirmed, "n1", "10.0.0.1", "session", Cause.Event, false), Assert.Single(device.Events()));

        device.Disconnected(10, 20, "keepalive_timeout");
        Assert.Equal((Offline, Confirmed, "session-end"), device.State);
        Assert.Equal(
            new DeviceWentOffline(AHistory.Client, AHistory.At(20), Confirmed, DisconnectReason.KeepaliveTimeout, "keepalive_timeout", "session-end", Cause.Event, false),
            Assert.Single(device.Events()));
    }

    [Fact]
    public void A_takeover_and_its_successor_are_no_change_of_status()
    {
        var device = ADevice.OnlineSince(10);
        device.Events();

        device.Disconnected(10, 20, "takenover");
        Assert.Equal((Online, Inferred, "takeover"), device.State);

        device.Connected(20.002);
        Assert.Equal((Online, Confirmed, "session"), device.State);
        Assert.Empty(device.Events());
    }

    [Fact]
    public void It_counts_sessions_and_subscriptions_and_keeps_the_last_username()
    {
        var device = new ADevice().Connected(10, username: "u1").Subscribed(11).Connected(20).Connected(20).Device;

        Assert.Equal((2, 1, "u1"), (device.SessionCount, device.SubscriptionCount, device.Username));
        Assert.Equal(AHistory.At(20), device.Session!.ConnectedAt);
    }

    // ---- evidence of life --------------------------------------------------------------------------------------------

    [Fact]
    public void Traffic_well_after_the_end_means_a_connect_was_lost()
    {
        var device = ADevice.OfflineSince(20);
        device.Events();

        device.Showed(25.001);

        Assert.Equal((Online, Inferred, "sign-of-life"), device.State);
        Assert.Equal(AHistory.At(25.001), device.Connectivity.Since);
        Assert.Equal(Inferred, Assert.IsType<DeviceWentOnline>(Assert.Single(device.Events())).Confidence);
    }

    [Theory]
    [InlineData(19)]
    [InlineData(20)]
    [InlineData(25)]
    public void Traffic_before_the_end_or_within_the_guard_is_no_evidence(double at)
    {
        var device = ADevice.OfflineSince(20);

        device.Showed(at);

        Assert.Equal((Offline, Confirmed, "session-end"), device.State);
    }

    [Fact]
    public void A_late_will_of_the_dead_connection_is_no_evidence_whenever_it_comes()
    {
        Assert.Equal(Offline, ADevice.OfflineSince(20, "10.0.0.1:1").Showed(60, "10.0.0.1:1").State.Status);
        Assert.Equal(Offline, ADevice.OnlineSince(1, "10.0.0.1:1").Showed(60, "10.0.0.1:1").Disconnected(1, 20, peer: "10.0.0.1:1").State.Status);
    }

    [Fact]
    public void A_late_will_does_not_hide_the_sign_of_another_connection()
    {
        var device = ADevice.OfflineSince(20, "10.0.0.1:1").Showed(60, "10.0.0.1:2").Showed(61, "10.0.0.1:1");

        device.Subscribed(30);

        Assert.Equal((Online, Inferred, "sign-of-life"), device.State);
    }

    [Fact]
    public void Traffic_without_broker_time_is_no_evidence()
    {
        Assert.Equal(Offline, ADevice.OfflineSince(20).Showed(null).State.Status);
    }

    [Fact]
    public void A_sign_that_came_before_the_older_end_counts_as_well()
    {
        var device = ADevice.OnlineSince(10).Showed(60);

        device.Disconnected(10, 20);

        Assert.Equal((Online, Inferred, "sign-of-life"), device.State);
    }

    [Fact]
    public void A_device_of_which_only_traffic_is_known_is_online_by_inference()
    {
        Assert.Equal((Online, Inferred, "sign-of-life"), new ADevice().Showed(10).State);
    }

    [Fact]
    public void An_end_after_the_sign_makes_it_offline_again()
    {
        var device = ADevice.OfflineSince(20).Showed(60);

        device.Disconnected(50, 70);

        Assert.Equal((Offline, Confirmed, "session-end"), device.State);
    }

    [Fact]
    public void Inferred_presence_holds_since_the_first_sign()
    {
        var device = ADevice.OfflineSince(20).Showed(60).Showed(90);

        device.Subscribed(15);

        Assert.Equal(AHistory.At(60), device.Connectivity.Since);
    }

    [Fact]
    public void The_connect_that_comes_late_replaces_inference()
    {
        var device = ADevice.OfflineSince(20).Showed(60);
        device.Events();

        device.Connected(50);

        Assert.Equal((Online, Confirmed, "session"), device.State);
        Assert.Equal(AHistory.At(50), device.Connectivity.Since);
        Assert.Empty(device.Events());
    }

    [Fact]
    public void Its_last_offline_time_and_reason_stay_known_while_it_is_online()
    {
        var device = ADevice.OfflineSince(20, reason: "tcp_closed").Connected(30);

        Assert.Equal(
            (AHistory.At(30), AHistory.At(20), DisconnectReason.Network, "tcp_closed"),
            (device.Connectivity.LastOnlineAt, device.Connectivity.LastOfflineAt, device.Connectivity.LastReason, device.Connectivity.LastRawReason));
    }

    // ---- activity, counters, version ---------------------------------------------------------------------------------

    [Fact]
    public void Messages_are_counted_and_the_newest_is_the_last_whatever_came_last()
    {
        var device = new ADevice().Device;

        device.Published("new", AHistory.At(20), Seen);
        device.Published("old", AHistory.At(10), Seen);
        device.Received();
        device.Lost();

        Assert.Equal(new Traffic(2, 1, 1), device.Traffic);
        Assert.Equal((AHistory.At(20), "new", AHistory.At(20)), (device.LastMessageAt, device.LastTopic, device.LastSeenAt));
    }

    [Fact]
    public void Every_change_raises_the_version_and_nothing_else_does()
    {
        var device = new ADevice().Device;
        var versions = new List<long> { device.Version };

        device.Seen(AHistory.At(20));
        versions.Add(device.Version);
        device.Published("t", AHistory.At(10), Seen);
        versions.Add(device.Version);
        device.Received();
        versions.Add(device.Version);
        device.Describe(DeviceProfile.Empty, AHistory.Now, PresenceRules.Default);
        versions.Add(device.Version);
        Assert.Equal(versions.Distinct().Order(), versions);

        device.Seen(AHistory.At(15));
        Assert.Equal(versions[^1], device.Version);
    }

    [Fact]
    public void Messages_and_signs_of_a_device_online_allocate_nothing()
    {
        var device = ADevice.OnlineSince(10).Device;
        for (var i = 0; i < 100; i++) Tell(i);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 100; i < 200; i++) Tell(i);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Tell(int second)
        {
            device.Published("t", AHistory.Noon.AddSeconds(second), Seen);
            device.Showed(AHistory.Noon.AddSeconds(second), "10.0.0.1:1", Seen);
        }
    }

    // ---- what people say ---------------------------------------------------------------------------------------------

    [Fact]
    public void Describing_replaces_the_profile_and_is_told()
    {
        var device = new ADevice().Device;
        device.TakeEvents();

        device.Describe(new DeviceProfile("Pump", new Dictionary<string, string> { ["site"] = "Ulm" }, TimeSpan.FromMinutes(1)), AHistory.At(5), PresenceRules.Default);

        Assert.Equal(("Pump", 60d), (device.Profile.Name, Assert.IsType<DeviceDescribed>(Assert.Single(device.TakeEvents())).MessageIntervalSeconds));
    }

    public static TheoryData<string, DeviceProfile> TooMuch => new()
    {
        { "name", new DeviceProfile("", Tags(), null) },
        { "name", new DeviceProfile(new string('n', 201), Tags(), null) },
        { "tags", new DeviceProfile(null, Tags([.. Enumerable.Range(0, 51).Select(i => ($"t{i}", ""))]), null) },
        { "tags", new DeviceProfile(null, Tags(("", "v")), null) },
        { "tags", new DeviceProfile(null, Tags((new string('k', 101), "v")), null) },
        { "tags.site", new DeviceProfile(null, Tags(("site", new string('v', 501))), null) },
        { "expectations.messageIntervalSeconds", new DeviceProfile(null, Tags(), TimeSpan.FromMilliseconds(999)) },
        { "expectations.messageIntervalSeconds", new DeviceProfile(null, Tags(), TimeSpan.FromDays(366)) },
    };

    [Theory]
    [MemberData(nameof(TooMuch))]
    public void A_profile_out_of_range_is_refused_and_names_the_field(string parameter, DeviceProfile profile)
    {
        var device = new ADevice().Device;
        var version = device.Version;

        var refused = Assert.Throws<DomainException>(() => device.Describe(profile, AHistory.Now, PresenceRules.Default));

        Assert.Equal((parameter, version), (refused.Parameter, device.Version));
    }

    [Fact]
    public void A_profile_at_its_limits_is_taken()
    {
        var tags = Tags([.. Enumerable.Range(0, 50).Select(i => ($"{i}".PadLeft(100, 'k'), new string('v', 500)))]);

        var profile = new DeviceProfile(new string('n', 200), tags, TimeSpan.FromDays(365));

        Assert.Same(profile, profile.Checked());
    }

    private static Dictionary<string, string> Tags(params (string Key, string Value)[] tags) => tags.ToDictionary(tag => tag.Key, tag => tag.Value);
}
