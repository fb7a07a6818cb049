using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Sessions.SubscriptionEndedBy;

namespace WebhookService.Domain.Tests.Sessions;

public sealed class SubscriptionTests
{
    private const long Forever = 4_294_967_295;
    private static readonly (double?, SubscriptionEndedBy?) NoEnd = (null, null);

    private readonly AHistory history = new();

    [Fact]
    public void It_lasts_while_its_session_does()
    {
        history.Connected(10, expiry: 0, clean: true);

        Assert.Equal(Outcome.Applied, history.Subscribed(11, qos: 1));
        Assert.Equal(NoEnd, history.EndOf());
        Assert.Equal(["SessionStarted", "SubscriptionStarted"], history.Events());
        Assert.Equal(1, history.Set.SubscriptionsAt(AHistory.Now));
    }

    [Fact]
    public void The_same_report_twice_is_one_and_a_new_one_takes_its_options()
    {
        history.Connected(10);
        history.Subscribed(11, qos: 0);

        Assert.Equal(Outcome.Repeated, history.Subscribed(11, qos: 0));
        Assert.Equal(Outcome.Applied, history.Subscribed(12, qos: 2));
        Assert.Equal(Outcome.Repeated, history.Subscribed(11, qos: 0));
        Assert.Equal(2, Assert.Single(history.Set.Subscriptions).Options.Qos);
    }

    [Fact]
    public void Of_two_in_one_millisecond_the_higher_QoS_stands_whichever_came_first()
    {
        history.Subscribed(11, "up", qos: 0);
        history.Subscribed(11, "up", qos: 1);
        history.Subscribed(11, "down", qos: 1);
        history.Subscribed(11, "down", qos: 0);

        Assert.All(history.Set.Subscriptions, one => Assert.Equal(1, one.Options.Qos));
    }

    [Fact]
    public void Unsubscribing_ends_it()
    {
        history.Connected(10);
        history.Subscribed(11);
        history.Events();

        Assert.Equal(Outcome.Applied, history.Unsubscribed(20));
        Assert.Equal((20, Unsubscribed), history.EndOf());
        Assert.Equal(["SubscriptionEnded"], history.Events());
        Assert.Equal(Outcome.Repeated, history.Unsubscribed(20));
    }

    [Fact]
    public void An_unsubscribe_that_overtook_the_subscribe_ends_it_as_well()
    {
        history.Connected(10);
        history.Unsubscribed(20);

        Assert.Equal(Outcome.Overtaken, history.Subscribed(11));
        Assert.Equal((20, Unsubscribed), history.EndOf());
        Assert.Equal(["SessionStarted", "SubscriptionStarted", "SubscriptionEnded"], history.Events());
    }

    [Fact]
    public void Subscribing_again_after_an_unsubscribe_starts_anew()
    {
        history.Connected(10);
        history.Subscribed(11);
        history.Unsubscribed(20);

        history.Subscribed(21);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Theory]
    [InlineData("5", null, 0L)]         // MQTT 5 without expiry
    [InlineData("4", true, null)]       // MQTT 3.1.1, clean session
    [InlineData("3", true, null)]
    public void A_session_that_ends_with_its_connection_takes_it_along(string protocol, bool? clean, long? expiry)
    {
        history.Connected(10, clean: clean, expiry: expiry, protocol: protocol);
        history.Subscribed(11);

        history.Disconnected(10, at: 20);

        Assert.Equal((20, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void Where_the_broker_says_nothing_of_expiry_no_end_is_claimed()
    {
        history.Connected(10, protocol: "4");
        history.Subscribed(11);

        history.Disconnected(10, at: 20);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Fact]
    public void A_persistent_session_keeps_it_until_its_expiry()
    {
        history.Connected(10, expiry: 7200);
        history.Subscribed(11);

        history.Disconnected(10, at: 20);

        Assert.Equal((7220, Expired), history.EndOf());
        Assert.Equal((1, 0), (history.Set.SubscriptionsAt(AHistory.At(7219)), history.Set.SubscriptionsAt(AHistory.At(7220))));
    }

    [Fact]
    public void An_expiry_of_all_ones_never_ends_it()
    {
        history.Connected(10, expiry: Forever);
        history.Subscribed(11);

        history.Disconnected(10, at: 20);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Theory]
    [InlineData(60L, 80.0, Expired)]
    [InlineData(0L, 20.0, SubscriptionEndedBy.SessionEnd)]
    [InlineData(Forever, null, null)]
    public void The_expiry_of_DISCONNECT_overrides_that_of_CONNECT(long expiry, double? end, SubscriptionEndedBy? by)
    {
        history.Connected(10, expiry: 7200);
        history.Subscribed(11);

        history.Disconnected(10, at: 20, expiry: expiry);

        Assert.Equal((end, by), history.EndOf());
    }

    [Fact]
    public void A_resumed_session_keeps_it()
    {
        history.Connected(10, expiry: 60, clean: false);
        history.Subscribed(11);
        history.Disconnected(10, at: 20);

        history.Connected(30, expiry: 60, clean: false);
        Assert.Equal(NoEnd, history.EndOf());

        history.Disconnected(30, at: 40);
        Assert.Equal((100, Expired), history.EndOf());
    }

    [Fact]
    public void A_session_that_comes_back_after_its_expiry_has_lost_it()
    {
        history.Connected(10, expiry: 60, clean: false);
        history.Subscribed(11);
        history.Disconnected(10, at: 20);

        history.Connected(81, expiry: 60, clean: false);

        Assert.Equal((80, Expired), history.EndOf());
    }

    [Fact]
    public void A_clean_start_ends_it()
    {
        history.Connected(10, expiry: 7200, clean: false);
        history.Subscribed(11);
        history.Disconnected(10, at: 20);

        history.Connected(30, clean: true);

        Assert.Equal((30, CleanStart), history.EndOf());
    }

    [Fact]
    public void A_clean_start_ends_one_that_was_made_before_all_we_know()
    {
        history.Subscribed(5);

        history.Connected(30, clean: true);

        Assert.Equal((30, CleanStart), history.EndOf());
    }

    [Theory]
    [InlineData("discarded")]
    [InlineData("kicked")]
    public void The_broker_drops_it_with_the_session(string reason)
    {
        history.Connected(10, expiry: 7200, clean: false);
        history.Subscribed(11);

        history.Disconnected(10, at: 20, reason);

        Assert.Equal((20, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void The_broker_drops_it_also_when_the_end_is_told_with_a_time_after_the_new_connect()
    {
        history.Connected(10, expiry: 7200);
        history.Subscribed(11);

        history.Connected(20, expiry: 7200);
        history.Disconnected(10, at: 20.04, "discarded"); // EMQX 5.9 to 6.1

        Assert.Equal((20.04, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void A_takeover_passes_it_on()
    {
        history.Connected(10, expiry: 7200, clean: false);
        history.Subscribed(11);

        history.Disconnected(10, at: 20, "takenover");
        history.Connected(20, expiry: 7200, clean: false);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Fact]
    public void One_reported_after_its_session_had_ended_is_told_and_ended()
    {
        history.Connected(10, expiry: 0);
        history.Disconnected(10, at: 20);
        history.Events();

        Assert.Equal(Outcome.Overtaken, history.Subscribed(11));
        Assert.Equal((20, SubscriptionEndedBy.SessionEnd), history.EndOf());
        Assert.Equal(["SubscriptionStarted", "SubscriptionEnded"], history.Events());
    }

    [Fact]
    public void One_made_long_after_the_last_known_end_belongs_to_a_session_whose_connect_was_lost()
    {
        history.Connected(10, expiry: 0);
        history.Disconnected(10, at: 20);

        Assert.Equal(Outcome.Applied, history.Subscribed(60));
        Assert.Equal(NoEnd, history.EndOf());
    }

    [Fact]
    public void One_made_in_the_second_of_two_sessions_of_one_millisecond_is_not_ended_by_the_first()
    {
        history.Connected(10, peer: "10.0.0.1:2", expiry: 0);
        history.Disconnected(10, at: 10, peer: "10.0.0.1:2");
        history.Connected(10, peer: "10.0.0.1:1", expiry: 0);

        history.Subscribed(11);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Fact]
    public void An_absurd_expiry_is_for_ever()
    {
        history.Connected(10, expiry: long.MaxValue);
        history.Subscribed(11);

        history.Disconnected(10, at: 20);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Fact]
    public void An_end_older_than_the_window_is_not_forgotten_with_its_session()
    {
        history.Connected(0, expiry: 0, clean: false);
        history.Subscribed(1);
        history.Disconnected(0, at: 2);
        for (var i = 1; i <= SessionSet.Window; i++) history.Connected(i * 100, clean: false);
        history.Set.Trim(history.Rules);

        history.Connected(90_000, clean: false);

        Assert.Equal((2, SubscriptionEndedBy.SessionEnd), history.EndOf());
        Assert.Equal((2, SubscriptionEndedBy.SessionEnd), history.Restarted().EndOf());
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(false, 7200)]
    public void An_end_a_little_after_the_next_connect_stands_when_its_session_is_let_go(bool clean, long expiry)
    {
        history.Connected(0, expiry: 0, clean: true);
        history.Subscribed(10);
        history.Connected(100, expiry: expiry, clean: clean);
        history.Disconnected(0, at: 100.005, "takenover");
        Assert.Equal((100.005, SubscriptionEndedBy.SessionEnd), history.EndOf());

        for (var i = 1; i <= 12; i++)
        {
            history.Connected(i * 1000, expiry: expiry, clean: clean);
            history.Set.Trim(history.Rules);
            Assert.Equal((100.005, SubscriptionEndedBy.SessionEnd), history.EndOf());
        }
    }

    [Fact]
    public void One_older_than_the_window_that_was_passed_on_lasts_and_ends_with_its_heir()
    {
        history.Connected(0, expiry: 7200, clean: false);
        history.Subscribed(1);
        for (var i = 1; i <= SessionSet.Window; i++) history.Connected(i * 100, expiry: 7200, clean: false);
        history.Set.Trim(history.Rules);
        Assert.Equal(NoEnd, history.EndOf());

        history.Connected(9000, clean: true);

        Assert.Equal((9000, CleanStart), history.EndOf());
    }

    // ---- the 4.x plugin: no times, but `session_terminated` ----------------------------------------------------------

    [Fact]
    public void Without_a_time_it_belongs_to_the_session_that_is_live()
    {
        history.Connected(10);

        history.Subscribed(null, arrivesAt: 5); // our clock is behind the broker's

        Assert.Equal(("n1", AHistory.At(10)), Assert.Single(history.Set.Subscriptions).MadeIn);
    }

    [Fact]
    public void Without_a_time_it_ends_with_its_session_also_when_our_clock_is_ahead()
    {
        history.Connected(10);
        history.Subscribed(null, arrivesAt: 41);
        history.Disconnected(10, at: 20);

        history.Terminated(arrivesAt: 50);

        Assert.Equal((41, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void Without_a_time_and_before_its_connect_it_waits_for_the_session_that_fits()
    {
        history.Connected(10);
        history.Disconnected(10, at: 20);
        history.Terminated(arrivesAt: 20.002);

        history.Subscribed(null, arrivesAt: 30.004);
        history.Connected(30);

        Assert.Equal(NoEnd, history.EndOf());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Session_terminated_ends_it_before_or_after_the_disconnect(bool before)
    {
        history.Connected(10);
        history.Subscribed(null, arrivesAt: 11);

        if (before) history.Terminated(arrivesAt: 20.001);
        history.Disconnected(10, at: 20);
        if (!before) history.Terminated(arrivesAt: 20.003);

        Assert.Equal((20, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void Session_terminated_of_an_earlier_session_spares_those_made_in_a_later_one()
    {
        history.Connected(10);
        history.Disconnected(10, at: 20);
        history.Terminated(arrivesAt: 20.003);
        history.Connected(30);
        history.Subscribed(null, arrivesAt: 31);

        history.Disconnected(30, at: 40); // persistent: kept until further notice
        Assert.Equal(NoEnd, history.EndOf());

        history.Terminated(arrivesAt: 7240, reason: "expired");
        Assert.Equal((40, SubscriptionEndedBy.SessionEnd), history.EndOf());
    }

    [Fact]
    public void Session_terminated_sent_twice_concerns_one_session()
    {
        history.Connected(10);
        history.Subscribed(null, arrivesAt: 11, filter: "kept");
        history.Disconnected(10, at: 20);
        history.Connected(30);
        history.Disconnected(30, at: 40);

        history.Terminated(arrivesAt: 40.001);
        history.Terminated(arrivesAt: 40.050);

        Assert.False(history.Session(10).Terminated);
        Assert.True(history.Session(30).Terminated);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    public void A_filter_that_MQTT_could_not_carry_is_refused(string filter)
    {
        var refused = Assert.Throws<DomainException>(() => history.Subscribed(1, filter));

        Assert.Equal("topic", refused.Parameter);
    }
}
