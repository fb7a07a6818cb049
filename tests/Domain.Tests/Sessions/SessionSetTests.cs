using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Sessions.Confidence;
using static WebhookService.Domain.Sessions.ConnectivityStatus;

namespace WebhookService.Domain.Tests.Sessions;

public sealed class SessionSetTests
{
    private readonly AHistory history = new();

    // ---- identity ----------------------------------------------------------------------------------------------------

    [Fact]
    public void A_client_of_whom_nothing_is_told_is_unknown()
    {
        Assert.Equal((Unknown, Inferred), history.State);
    }

    [Fact]
    public void A_connect_makes_it_online_since_then()
    {
        var outcome = history.Connected(10);

        Assert.Equal((Outcome.Applied, Online, Confirmed, AHistory.At(10)), (outcome, history.State.Status, history.State.Confidence, history.Presence.Since));
        Assert.Equal(["SessionStarted"], history.Events());
    }

    [Fact]
    public void A_repeated_connect_changes_nothing()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Events();

        Assert.Equal(Outcome.Repeated, history.Connected(10, peer: "10.0.0.1:1"));
        Assert.Empty(history.Events());
        Assert.Single(history.Set.Sessions);
    }

    [Fact]
    public void A_disconnect_ends_the_session_it_names()
    {
        history.Connected(10);

        var outcome = history.Disconnected(10, at: 20, "keepalive_timeout");

        Assert.Equal((Outcome.Applied, Offline, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Equal(
            (AHistory.At(20), AHistory.At(20), DisconnectReason.KeepaliveTimeout, "keepalive_timeout"),
            (history.Presence.Since, history.Presence.LastOfflineAt, history.Presence.LastReason, history.Presence.LastRawReason));
    }

    [Fact]
    public void A_disconnect_before_its_connect_is_remembered_and_the_session_born_closed()
    {
        history.Disconnected(10, at: 20);
        Assert.Equal((Offline, Confirmed), history.State);

        Assert.Equal(Outcome.Overtaken, history.Connected(10));
        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal(["SessionEnded", "SessionStarted"], history.Events());
    }

    [Fact]
    public void A_farewell_overtaken_by_a_reconnect_leaves_it_online()
    {
        history.Connected(10);
        history.Connected(30);

        history.Disconnected(10, at: 29, "takenover");

        Assert.Equal((Online, AHistory.At(30)), (history.State.Status, history.Presence.Since));
    }

    [Fact]
    public void A_second_disconnect_changes_neither_end_nor_reason()
    {
        history.Connected(10);
        history.Disconnected(10, at: 20);

        Assert.Equal(Outcome.Repeated, history.Disconnected(10, at: 20));
        Assert.Equal(Outcome.Repeated, history.Disconnected(10, at: 60, "takenover"));
        Assert.Equal((AHistory.At(20), "normal"), (history.Session(10).End!.At, history.Session(10).End!.RawReason));
    }

    [Fact]
    public void Of_two_disconnects_the_earlier_stands_though_it_came_later_and_that_is_news()
    {
        history.Connected(10);
        history.Disconnected(10, at: 60, "takenover");

        Assert.Equal(Outcome.Applied, history.Disconnected(10, at: 20));
        Assert.Equal((AHistory.At(20), "normal"), (history.Session(10).End!.At, history.Session(10).End!.RawReason));
    }

    [Fact]
    public void The_same_time_on_another_node_is_another_session()
    {
        history.Connected(10, node: "n1");
        history.Connected(10, node: "n2");

        history.Disconnected(10, at: 11, node: "n1");

        Assert.Equal((Online, "n2"), (history.State.Status, history.Presence.Decisive!.Node));
    }

    [Fact]
    public void Two_connects_in_one_millisecond_differ_by_peer()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(10, peer: "10.0.0.1:2");
        Assert.Equal((Online, Inferred), history.State);

        history.Disconnected(10, at: 10, "takenover", peer: "10.0.0.1:1");

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal("10.0.0.1:2", history.Presence.Decisive!.Peer);
    }

    [Fact]
    public void A_session_learns_its_peer_from_the_report_that_says_it()
    {
        history.Connected(10);
        history.Connected(10, peer: "10.0.0.1:1");

        history.Parted(20, peer: "10.0.0.1:1");

        Assert.Equal("10.0.0.1:1", Assert.Single(history.Set.Sessions).Peer);
        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Fact]
    public void Traffic_of_a_session_is_counted_from_its_start_to_its_end()
    {
        history.Connected(10, traffic: new Traffic(3, 0, 0));
        history.Disconnected(10, at: 20, traffic: new Traffic(8, 1, 0));
        history.Connected(30, traffic: new Traffic(9, 1, 0));

        var session = history.Session(10);
        Assert.Equal(new Traffic(5, 1, 0), session.TrafficAtEnd - session.TrafficAtStart);
    }

    [Fact]
    public void A_session_whose_end_came_first_carried_nothing_rather_than_less_than_nothing()
    {
        history.Disconnected(10, at: 20, traffic: new Traffic(3, 0, 0));
        history.Connected(10, traffic: new Traffic(8, 0, 0));

        var session = history.Session(10);
        Assert.Equal(new Traffic(0, 0, 0), session.TrafficAtEnd - session.TrafficAtStart);
    }

    // ---- superseding -------------------------------------------------------------------------------------------------

    [Fact]
    public void A_newer_connect_on_the_same_node_ends_the_older_session()
    {
        history.Connected(10);
        history.Connected(10.001);

        Assert.Equal(
            (AHistory.At(10.001), DisconnectReason.Takeover, EndedBy.Superseded),
            (history.Session(10).End!.At, history.Session(10).End!.Reason, history.Session(10).End!.By));
        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void A_late_older_connect_is_overtaken_and_changes_no_state()
    {
        history.Connected(30);

        Assert.Equal(Outcome.Overtaken, history.Connected(10));
        Assert.Equal((Online, AHistory.At(30)), (history.State.Status, history.Presence.Since));
    }

    [Fact]
    public void A_connect_on_another_node_ends_the_older_session_only_beyond_the_clock_tolerance()
    {
        history.Connected(10, node: "n1");
        history.Connected(11, node: "n2");
        Assert.Null(history.Session(10, "n1").End);

        history.Connected(11.001, node: "n3");

        Assert.Equal(EndedBy.Superseded, history.Session(10, "n1").End!.By);
        Assert.Null(history.Session(11, "n2").End);
    }

    [Fact]
    public void Two_that_may_both_be_live_are_online_with_doubt_until_one_is_taken_over()
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");
        Assert.Equal((Online, Inferred), history.State);

        history.Disconnected(10.5, at: 10.6, "takenover", node: "n2"); // the clock of n1 is behind

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal("n1", history.Presence.Decisive!.Node);
    }

    [Fact]
    public void When_the_one_by_its_clock_newer_leaves_the_other_is_online_with_doubt()
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");

        history.Disconnected(10.5, at: 60, node: "n2");

        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void When_one_left_that_may_have_been_the_newer_the_other_is_online_with_doubt()
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2"); // taken over by the first for all we know, and no version before 4.3.22 or 5.0.10 says so

        history.Disconnected(10, at: 20, node: "n1");

        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void One_that_was_certainly_older_casts_no_doubt_when_it_leaves()
    {
        history.Connected(10, node: "n1");
        history.Connected(11.5, node: "n2");

        history.Disconnected(10, at: 20, node: "n1");

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void A_successor_that_was_never_seen_open_supersedes_too()
    {
        history.Connected(10);

        history.Disconnected(30, at: 40);

        Assert.Equal(EndedBy.Superseded, history.Session(10).End!.By);
        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Fact]
    public void The_reported_end_replaces_the_concluded_one_without_a_second_event()
    {
        history.Connected(10);
        history.Connected(30);
        Assert.Equal(["SessionStarted", "SessionStarted", "SessionEnded"], history.Events());

        Assert.Equal(Outcome.Applied, history.Disconnected(10, at: 29.9, "discarded"));
        Assert.Equal((EndedBy.Event, "discarded"), (history.Session(10).End!.By, history.Session(10).End!.RawReason));
        Assert.Empty(history.Events());
    }

    // ---- takeover ----------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData("discarded")]
    [InlineData("takenover")]
    [InlineData("takeovered")]
    [InlineData("session_taken_over")]
    public void A_takeover_alone_never_means_offline(string word)
    {
        history.Connected(10);

        history.Disconnected(10, at: 20, word);
        Assert.Equal((Online, Inferred, AHistory.At(20)), (history.State.Status, history.State.Confidence, history.Presence.Since));

        history.Connected(20.003);
        Assert.Equal((Online, Confirmed, AHistory.At(20.003)), (history.State.Status, history.State.Confidence, history.Presence.Since));
    }

    [Fact]
    public void A_takeover_reported_with_a_time_after_the_new_connect_ends_only_the_old_session()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(20, peer: "10.0.0.1:2");

        history.Disconnected(10, at: 20.04, "takenover", peer: "10.0.0.1:1"); // EMQX 5.9 to 6.1

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Null(history.Session(20).End);
    }

    [Fact]
    public void When_the_successor_by_a_slower_clock_has_left_it_is_offline_with_doubt()
    {
        history.Connected(10, node: "n1");
        history.Disconnected(10, at: 10.9, "takenover", node: "n1");
        history.Connected(9.8, node: "n2"); // really 10.9

        history.Disconnected(9.8, at: 60, node: "n2");

        Assert.Equal((Offline, Inferred, AHistory.At(60)), (history.State.Status, history.State.Confidence, history.Presence.Since));
    }

    [Fact]
    public void One_that_left_well_before_the_takeover_is_not_its_successor()
    {
        history.Connected(9.8, node: "n2");
        history.Disconnected(9.8, at: 9.9, node: "n2");
        history.Connected(10, node: "n1");

        history.Disconnected(10, at: 60, "takenover", node: "n1");

        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void Of_two_in_one_millisecond_the_one_that_left_later_tells_since_when_it_is_offline()
    {
        history.Connected(10, peer: "10.0.0.1:2");
        history.Disconnected(10, at: 10, peer: "10.0.0.1:2");
        history.Connected(10, peer: "10.0.0.1:1");

        history.Disconnected(10, at: 50, peer: "10.0.0.1:1");

        Assert.Equal((Offline, AHistory.At(50)), (history.State.Status, history.Presence.Since));
    }

    // ---- farewells: ends that name no session ------------------------------------------------------------------------

    [Fact]
    public void A_farewell_with_peername_ends_the_session_of_that_peer_and_is_sure()
    {
        history.Connected(10, peer: "10.0.0.1:1");

        history.Parted(20, peer: "10.0.0.1:1");

        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Fact]
    public void A_farewell_of_another_peer_or_node_does_not_end_it_and_casts_doubt()
    {
        history.Connected(10, node: "n1", peer: "10.0.0.1:1");

        history.Parted(20, node: "n2", peer: "10.0.0.1:1");
        Assert.Equal((Online, Inferred), history.State);

        history.Connected(15, node: "n2", peer: "10.0.0.1:1");
        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Fact]
    public void A_farewell_of_a_session_before_casts_no_doubt()
    {
        history.Parted(9, peer: "10.0.0.1:9");

        history.Connected(10, peer: "10.0.0.1:1");

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void A_port_used_again_belongs_to_the_newest_session_opened_before_the_farewell()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(30, peer: "10.0.0.1:1");

        history.Parted(20, peer: "10.0.0.1:1");
        Assert.Equal((Online, Confirmed), history.State);

        history.Parted(40, peer: "10.0.0.1:1");
        Assert.Equal((AHistory.At(20), AHistory.At(40)), (history.Session(10).End!.At, history.Session(30).End!.At));
    }

    [Fact]
    public void On_equal_milliseconds_the_connect_wins_with_doubt()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(20, peer: "10.0.0.1:1");

        history.Parted(20, peer: "10.0.0.1:1");

        Assert.Equal((Online, Inferred, AHistory.At(20)), (history.State.Status, history.State.Confidence, history.Presence.Since));
        Assert.Equal("normal", history.Session(10).End!.RawReason);
    }

    [Fact]
    public void When_one_left_for_certain_and_the_newest_perhaps_it_is_offline_with_doubt()
    {
        history.Connected(10, node: "n2", peer: "10.0.0.1:2");
        history.Connected(10.5, node: "n1", peer: "10.0.0.1:1");
        history.Parted(10.5, node: "n1", peer: "10.0.0.1:1"); // perhaps of the one that had this port before
        history.Parted(40, node: "n2", peer: "10.0.0.1:2");

        Assert.Equal((Offline, Inferred), history.State);
    }

    [Fact]
    public void A_takeover_of_the_same_peer_in_the_millisecond_of_the_connect_casts_doubt()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(30, peer: "10.0.0.1:1");

        history.Parted(30, peer: "10.0.0.1:1", reason: "takenover"); // of the first, or of the second by one that nobody knows

        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void A_takeover_of_another_peer_in_the_millisecond_of_the_connect_casts_none()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Connected(30, peer: "10.0.0.1:2");

        history.Parted(30, peer: "10.0.0.1:1", reason: "takenover");

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void A_session_that_lasted_no_millisecond_is_ended_by_its_farewell_with_doubt()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Parted(15, peer: "10.0.0.1:1");
        history.Connected(20, peer: "10.0.0.1:1");

        history.Parted(20, peer: "10.0.0.1:1");

        Assert.Equal((Offline, Inferred), history.State);
    }

    [Fact]
    public void A_farewell_repeated_with_a_new_time_changes_nothing()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Parted(20, peer: "10.0.0.1:1");
        history.Connected(60, peer: "10.0.0.1:2");

        history.Parted(60, peer: "10.0.0.1:1", reason: "takenover"); // EMQX 5.3, when a persistent session is resumed

        Assert.Equal((AHistory.At(20), "normal"), (history.Session(10).End!.At, history.Session(10).End!.RawReason));
        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void The_same_farewell_twice_is_one()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Parted(20, peer: "10.0.0.1:1");

        Assert.Equal(Outcome.Repeated, history.Parted(20, peer: "10.0.0.1:1"));
        Assert.Single(history.Set.Farewells);
    }

    [Fact]
    public void A_farewell_alone_is_offline_with_doubt_until_its_connect_comes()
    {
        history.Parted(20, peer: "10.0.0.1:1");
        Assert.Equal((Offline, Inferred), history.State);

        history.Connected(10, peer: "10.0.0.1:1");
        Assert.Equal((Offline, Confirmed), history.State);
        Assert.True(Assert.Single(history.Set.Farewells).Matched);
    }

    [Fact]
    public void A_farewell_moves_to_the_session_that_fits_better_when_that_becomes_known()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Parted(40, peer: "10.0.0.1:1");

        history.Connected(30, peer: "10.0.0.1:1");

        Assert.Equal((EndedBy.Superseded, EndedBy.Event), (history.Session(10).End!.By, history.Session(30).End!.By));
    }

    [Fact]
    public void By_node_and_time_the_newest_session_of_the_node_ends_with_doubt()
    {
        history.Connected(10, node: "n1");
        history.Connected(30, node: "n1");

        history.Parted(40, node: "n1");

        Assert.Equal((Offline, Inferred, AHistory.At(40)), (history.State.Status, history.State.Confidence, history.Presence.Since));
    }

    [Fact]
    public void By_node_and_time_a_farewell_before_the_connect_never_ends_it()
    {
        history.Connected(30, node: "n1");

        history.Parted(29.999, node: "n1");

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void An_end_that_names_its_session_is_better_than_a_farewell()
    {
        history.Connected(10);
        history.Parted(19.5);

        history.Disconnected(10, at: 20, "tcp_closed");

        Assert.Equal("tcp_closed", history.Session(10).End!.RawReason);
        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Fact]
    public void Where_no_report_says_a_time_arrival_decides_with_doubt()
    {
        history.Connected(10, node: "", byArrival: true);
        Assert.Equal((Online, Inferred), history.State);

        history.Parted(20, node: null);
        Assert.Equal((Offline, Inferred), history.State);

        history.Connected(30, node: "", byArrival: true);
        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void A_session_whose_time_is_not_told_is_never_sure()
    {
        history.Connected(10, byArrival: true);

        Assert.Equal((Online, Inferred), history.State);
    }

    [Fact]
    public void A_session_whose_node_is_not_told_is_never_sure()
    {
        history.Connected(10, node: "");

        Assert.Equal((Online, Inferred), history.State);
    }

    // ---- flapping ----------------------------------------------------------------------------------------------------

    [Fact]
    public void Many_starts_within_the_window_are_flapping_until_it_holds_few()
    {
        for (var i = 0; i < 5; i++) history.Connected(i * 60);
        Assert.Null(history.Presence.FlappingUntil);

        history.Connected(300);
        Assert.Equal(AHistory.At(180 + 600), history.Presence.FlappingUntil); // then only the last two are left

        history.Connected(700);
        Assert.Equal(AHistory.At(240 + 600), history.Presence.FlappingUntil); // three at a time are not enough to begin, but to go on

        history.Connected(5000);
        Assert.Null(history.Presence.FlappingUntil);
    }

    // ---- the window --------------------------------------------------------------------------------------------------

    [Fact]
    public void Only_what_was_saved_is_let_go_and_the_newest_stay()
    {
        for (var i = 0; i < 20; i++) history.Connected(i * 1000);
        Assert.Equal(20, history.Set.Sessions.Count);

        history.Set.Trim(history.Rules);

        Assert.Equal(8, history.Set.Sessions.Count);
        Assert.Equal(AHistory.At(19_000), history.Set.Sessions[0].ConnectedAt);
    }

    [Fact]
    public void However_close_they_are_not_more_than_the_window_stay()
    {
        for (var i = 0; i < 1000; i++) history.Connected(i / 10.0);

        history.Set.Trim(history.Rules);

        Assert.Equal(SessionSet.Window, history.Set.Sessions.Count);
    }

    [Fact]
    public void As_many_starts_as_flapping_takes_stay()
    {
        var patient = new AHistory { Rules = PresenceRules.Default with { FlappingStarts = 20, FlappingWindow = TimeSpan.FromHours(10) } };
        for (var i = 0; i < 40; i++) patient.Connected(i * 1000);

        patient.Set.Trim(patient.Rules);

        Assert.Equal(8, patient.Set.Sessions.Count);
        Assert.NotNull(patient.Presence.FlappingUntil);
    }

    [Fact]
    public void Flapping_that_few_starts_keep_up_is_not_forgotten_with_the_sessions_that_began_it()
    {
        FlapForLong();
        var until = history.Presence.FlappingUntil;

        history.Set.Trim(history.Rules);

        Assert.Equal(8, history.Set.Sessions.Count);
        Assert.NotNull(until);
        Assert.Equal(until, history.Presence.FlappingUntil);
    }

    [Fact]
    public void Flapping_is_told_by_starts_alone()
    {
        FlapForLong();
        var (until, starts) = (history.Presence.FlappingUntil, history.Set.Sessions.Select(session => session.ConnectedAt).ToList());

        var read = history.Restarted(SessionSet.Usual + 1).Set;
        Assert.Equal((true, false), (read.Sufficient(history.Rules), read.TellsFlapping(history.Rules)));
        read.Remember(starts);

        Assert.True(read.TellsFlapping(history.Rules));
        Assert.Equal(until, history.Presence.FlappingUntil);
    }

    [Fact]
    public void A_start_counts_once_though_its_session_is_recalled()
    {
        for (var i = 0; i < 20; i++) history.Connected(i * 130); // five in ten minutes
        var older = AHistory.Saved(history.Session(5 * 130));
        history.Set.Trim(history.Rules);

        history.Set.Recall(older);

        Assert.Null(history.Presence.FlappingUntil);
    }

    [Fact]
    public void A_start_that_is_told_better_may_change_what_was_concluded_of_missing_ones()
    {
        for (var i = 1; i <= 12; i++) history.Connected(i * 1000);
        history.Listed(13_000.9, asOf: 13_010, coarse: true);
        history.Set.Trim(history.Rules);

        Assert.True(history.Set.IsLate("n1", AHistory.At(13_000.9), null));
        Assert.False(history.Set.IsLate("n1", AHistory.At(12_000), null)); // known as well as that
        Assert.False(history.Set.IsLate("n1", AHistory.At(14_000), null)); // new, and newer than all
    }

    [Fact]
    public void Of_sessions_whose_order_is_not_certain_all_stay_or_none()
    {
        for (var i = 1; i <= 12; i++) history.Connected(i * 1000);
        history.Connected(13_000.5, node: "n2");
        for (var i = 14; i <= 20; i++) history.Connected(i * 1000);
        history.Connected(13_000);

        history.Set.Trim(history.Rules);

        Assert.Equal(9, history.Set.Sessions.Count);
        Assert.Equal(AHistory.At(13_000), history.Set.Sessions[^1].ConnectedAt);
    }

    [Fact]
    public void A_farewell_is_not_matched_any_more_when_its_session_was_alive_later()
    {
        for (var i = 1; i <= 12; i++) history.Connected(i * 1000, peer: $"10.0.0.1:{i}");
        history.Parted(12_100, peer: "10.0.0.1:12");
        history.Set.Trim(history.Rules);
        Assert.True(history.Set.Farewells[0].Matched);

        history.Listed(12_000, asOf: 12_200, peer: "10.0.0.1:12");

        Assert.False(history.Set.Farewells[0].Matched);
    }

    [Fact]
    public void A_live_session_stays_though_many_seem_newer()
    {
        for (var i = 1; i <= 12; i++) history.Connected(i * 30);
        history.Connected(-10, node: "n2"); // whose clock is behind
        history.Listed(-10, asOf: 400, node: "n2");

        history.Set.Trim(history.Rules);

        Assert.Null(history.Session(-10, node: "n2").End);
    }

    [Fact]
    public void A_farewell_stays_matched_when_its_session_is_let_go()
    {
        history.Connected(0, node: "n2", peer: "10.0.0.1:1");
        for (var i = 1; i <= 8; i++) history.Connected(i * 1000, peer: "10.0.0.1:2");
        history.Parted(1500, node: "n2", peer: "10.0.0.1:1"); // taken over, and noticed late
        history.Set.Trim(history.Rules);

        history.Disconnected(8000, at: 8001, peer: "10.0.0.1:2");

        Assert.Equal([8, 1], [history.Set.Sessions.Count, history.Set.Farewells.Count]);
        Assert.True(history.Set.Farewells[0].Matched);
    }

    [Fact]
    public void Flapping_that_ended_needs_no_older_starts()
    {
        for (var i = 0; i < 6; i++) history.Connected(i * 60);
        for (var i = 1; i < 20; i++) history.Connected(i * 1000);

        Assert.True(history.Restarted(SessionSet.Usual + 1).Set.TellsFlapping(history.Rules));
        Assert.Null(history.Presence.FlappingUntil);
    }

    /// <summary>It begins with six starts, and is kept up by four in ten minutes.</summary>
    private void FlapForLong()
    {
        for (var i = 0; i < 6; i++) history.Connected(i * 60);
        for (var i = 0; i < 20; i++) history.Connected(490 + (i * 190));
    }

    [Fact]
    public void Farewells_are_let_go_oldest_first()
    {
        for (var i = 0; i < SessionSet.FarewellWindow + 10; i++) history.Parted(i * 100, peer: "10.0.0.1:1");

        history.Set.Trim(history.Rules);

        Assert.Equal(AHistory.At(1000), history.Set.Farewells[0].At);
        Assert.Equal(SessionSet.FarewellWindow, history.Set.Farewells.Count);
    }

    [Fact]
    public void Every_session_of_the_window_keeps_its_farewell_and_older_ones_go()
    {
        for (var i = 0; i < SessionSet.Window + 10; i++)
        {
            history.Connected(i * 100, peer: $"10.0.0.1:{i}");
            history.Parted(i * 100 + 10, peer: $"10.0.0.1:{i}", reason: "tcp_closed");
            history.Parted(i * 100 + 100, peer: $"10.0.0.1:{i}", reason: "takenover");
            history.Set.Trim(history.Rules);
        }

        history.Restarted();

        Assert.All(history.Set.Sessions, one => Assert.Equal("tcp_closed", one.End!.RawReason));
        Assert.True(history.Set.Farewells[0].At >= history.Set.Sessions[^1].ConnectedAt);
    }

    [Fact]
    public void It_lacks_only_sessions_that_were_let_go()
    {
        for (var i = 1; i <= 20; i++) history.Connected(i * 100);
        Assert.False(history.Set.Lacks("n1", AHistory.At(0), null));

        history.Set.Trim(history.Rules);

        Assert.True(history.Set.Lacks("n1", AHistory.At(0), null));
        Assert.True(history.Set.Lacks("n1", AHistory.At(1200), null));
        Assert.False(history.Set.Lacks("n1", AHistory.At(1300), null)); // it is there
        Assert.False(history.Set.Lacks("n1", AHistory.At(1350), null));
    }

    [Theory]
    [InlineData(1250, "10.0.0.1:20", true)]  // older than those at hand
    [InlineData(1300, "10.0.0.1:13", true)]  // in the millisecond in which the oldest of them began
    [InlineData(1950, "10.0.0.1:19", false)]
    [InlineData(1950, "10.0.0.1:3", true)]   // of none of them
    public void It_lacks_the_session_of_a_farewell_that_is_none_of_those_at_hand(double at, string peer, bool lacks)
    {
        for (var i = 1; i <= 20; i++) history.Connected(i * 100, peer: $"10.0.0.1:{i}");
        var farewell = new Farewell("n1", peer, AHistory.At(at), DisconnectReason.Network, "tcp_closed", FarewellKind.Disconnected);
        Assert.False(history.Set.Lacks(farewell));

        history.Set.Trim(history.Rules);

        Assert.Equal(lacks, history.Set.Lacks(farewell));
    }

    [Fact]
    public void A_recalled_session_is_known_to_be_over_and_its_repeated_connect_changes_nothing()
    {
        history.Connected(0);
        for (var i = 1; i <= SessionSet.Window; i++) history.Connected(i * 100);
        var old = AHistory.Saved(history.Session(0));
        history.Disconnected(SessionSet.Window * 100, at: 9000);
        history.Set.Trim(history.Rules);
        history.Events();

        history.Set.Recall(old);
        var outcome = history.Connected(0);

        Assert.Equal((Outcome.Repeated, Offline, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Empty(history.Events());
    }

    [Fact]
    public void A_recalled_session_takes_its_own_end()
    {
        history.Connected(0);
        for (var i = 1; i <= SessionSet.Window; i++) history.Connected(i * 100);
        var old = AHistory.Saved(history.Session(0));
        history.Set.Trim(history.Rules);
        history.Set.Recall(old);

        history.Disconnected(0, at: 99, "discarded");

        Assert.Equal((AHistory.At(99), "discarded"), (history.Session(0).End!.At, history.Session(0).End!.RawReason));
    }

    [Fact]
    public void What_was_saved_and_read_again_concludes_the_same_and_tells_nothing_twice()
    {
        history.Connected(10, peer: "10.0.0.1:1");
        history.Parted(20, peer: "10.0.0.1:1");
        history.Subscribed(15);
        history.Connected(30, peer: "10.0.0.1:2", clean: true);
        var before = history.Conclusions();

        history.Restarted();

        Assert.Equal(before, history.Conclusions());
        Assert.Empty(history.Events());
        history.Connected(40, peer: "10.0.0.1:3");
        Assert.Equal(["SessionStarted", "SessionEnded"], history.Events());
    }

    [Fact]
    public void Whatever_changes_of_a_session_is_a_new_revision_of_it()
    {
        history.Listed(10.4, asOf: 20, coarse: true);
        var session = history.Set.Sessions[0];

        Revised(() => history.Listed(10.4, asOf: 15), () => session.ConnectedAt);
        Revised(() => history.Listed(10.4, asOf: 15, peer: "10.0.0.1:7"), () => session.Peer);
        Revised(() => history.Listed(10.4, asOf: 30, peer: "10.0.0.1:7"), () => session.ListedAt);
        Revised(
            () => history.Set.Connected("n1", session.ConnectedAt, session.Peer, new ConnectionDetails { More = "{}" }, timeIsArrival: false, new Observation(AHistory.Now, history.Rules)),
            () => session.Details);
        Revised(() => history.Parted(40, peer: session.Peer), () => session.End);
        Revised(() => history.Disconnected(10.4, 40, peer: session.Peer), () => session.Closed); // the end is what it was
        Assert.Equal(Outcome.Repeated, Unrevised(() => history.Disconnected(10.4, 40, peer: session.Peer)));

        void Revised(Func<Outcome> told, Func<object?> what)
        {
            var (before, revision) = (what(), session.Revision);
            told();
            Assert.NotEqual(before, what());
            Assert.NotEqual(revision, session.Revision);
        }

        Outcome Unrevised(Func<Outcome> told)
        {
            var revision = session.Revision;
            var outcome = told();
            Assert.Equal(revision, session.Revision);
            return outcome;
        }
    }

    [Fact]
    public void An_end_that_moves_is_a_new_revision_of_a_session()
    {
        history.Connected(10, peer: "10.0.0.1:7");
        history.Connected(30);
        var (session, end, traffic, revision) = (history.Session(10), history.Session(10).End, history.Session(10).TrafficAtEnd, history.Session(10).Revision);

        history.Parted(20, peer: "10.0.0.1:7");

        Assert.NotEqual(end, session.End);
        Assert.Equal(traffic, session.TrafficAtEnd);
        Assert.NotEqual(revision, session.Revision);
    }

    [Fact]
    public void A_session_that_is_opened_after_its_end_is_a_new_revision_of_it()
    {
        history.Disconnected(10, 20);
        var (session, revision) = (history.Session(10), history.Session(10).Revision);

        history.Connected(10);

        Assert.True(session.Opened);
        Assert.NotEqual(revision, session.Revision);
    }
}
