using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Sessions.Confidence;
using static WebhookService.Domain.Sessions.ConnectivityStatus;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>What the broker's own list, its silence about a client, and a long silence of everybody make of a client's sessions.</summary>
public sealed class ReconciledSessionTests
{
    private readonly AHistory history = new();

    // ---- the broker's list has it ------------------------------------------------------------------------------------

    [Fact]
    public void A_listed_connection_that_nobody_reported_is_online_and_sure()
    {
        var outcome = history.Listed(10, asOf: 60);

        Assert.Equal((Outcome.Applied, Online, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Equal((AHistory.At(10), null, "broker-list"), (history.Presence.Since, history.Presence.GoneAt, history.Presence.Evidence));
        Assert.Equal(Cause.Reconciliation, Assert.IsType<SessionStarted>(Assert.Single(history.Set.TakeEvents())).Cause);
    }

    [Fact]
    public void The_late_connected_of_a_listed_session_is_not_news()
    {
        history.Listed(10, asOf: 60);

        var outcome = history.Connected(10);

        Assert.Equal(Outcome.Repeated, outcome);
        Assert.Equal(["SessionStarted"], history.Events());
    }

    [Fact]
    public void Only_a_later_list_is_news()
    {
        history.Listed(10, asOf: 60);

        Assert.Equal(Outcome.Repeated, history.Listed(10, asOf: 50));
        Assert.Equal(Outcome.Applied, history.Listed(10, asOf: 70));
        Assert.Equal(AHistory.At(70), history.Session(10).ListedAt);
    }

    [Fact]
    public void A_list_from_before_the_connection_has_it_alive_when_it_began()
    {
        history.Listed(10, asOf: 5);

        Assert.Equal(AHistory.At(10), history.Session(10).ListedAt);
    }

    [Theory]
    [InlineData(15)]
    [InlineData(60)]
    public void A_session_that_its_own_report_closed_stays_closed_though_a_list_has_it(double asOf)
    {
        history.Connected(10);
        history.Disconnected(10, at: 20);

        var outcome = history.Listed(10, asOf);

        Assert.Equal((Outcome.Overtaken, Offline, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Equal(AHistory.At(20), history.Presence.Since);
    }

    [Fact]
    public void A_list_that_has_what_had_ended_by_its_own_report_ends_no_other()
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");
        history.Disconnected(10, at: 20, node: "n1");

        history.Listed(10, asOf: 60, node: "n1");

        Assert.Equal((Online, "n2"), (history.State.Status, history.Presence.Decisive!.Node));
    }

    [Fact]
    public void A_listed_session_ends_with_its_own_report_though_that_comes_late()
    {
        history.Listed(10, asOf: 60);

        history.Disconnected(10, at: 20);

        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal("session-end", history.Presence.Evidence);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_farewell_older_than_the_list_is_not_that_of_the_listed_session(bool listedFirst)
    {
        if (listedFirst) history.Listed(10, asOf: 60);
        history.Parted(30);
        if (!listedFirst) history.Listed(10, asOf: 60);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Null(history.Session(10).End);
    }

    [Fact]
    public void A_farewell_newer_than_the_list_ends_the_listed_session()
    {
        history.Listed(10, asOf: 60, peer: "10.0.0.1:1");

        history.Parted(70, peer: "10.0.0.1:1");

        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Theory]
    [InlineData(10, "n1")]
    [InlineData(10.5, "n2")]
    public void Of_two_that_may_both_be_live_the_listed_one_is(double listed, string node)
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");
        Assert.Equal((Online, Inferred), history.State);

        history.Listed(listed, asOf: 60, node: node);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal(node, history.Presence.Decisive!.Node);
        Assert.Equal(
            (AHistory.At(60), EndedBy.Reconciled),
            history.Set.Sessions.Where(one => one.Node != node).Select(one => (one.End!.At, one.End.By)).Single());
    }

    [Fact]
    public void When_the_listed_one_leaves_the_one_that_the_list_denied_casts_no_doubt()
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");
        history.Listed(10, asOf: 60, node: "n1");

        history.Disconnected(10, at: 70, node: "n1");

        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Theory]
    [InlineData(10, "n1", 11.4)]
    [InlineData(10.5, "n2", 10.8)]
    public void A_list_too_close_to_the_other_connection_decides_nothing(double listed, string node, double asOf)
    {
        history.Connected(10, node: "n1");
        history.Connected(10.5, node: "n2");

        history.Listed(listed, asOf, node: node);

        Assert.Equal((Online, Inferred), history.State);
        Assert.All(history.Set.Sessions, one => Assert.Null(one.End));
    }

    [Fact]
    public void One_known_by_its_arrival_is_sure_once_the_list_has_it()
    {
        history.Connected(10.4, byArrival: true);
        Assert.Equal((Online, Inferred), history.State);

        history.Listed(10.2, asOf: 60, coarse: true);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Single(history.Set.Sessions);
    }

    [Fact]
    public void A_list_ends_older_connections_only_if_it_was_made_after_them()
    {
        history.Listed(10, asOf: 20, node: "n1");

        history.Connected(30, node: "n1");

        Assert.Equal((Online, AHistory.At(30)), (history.State.Status, history.Presence.Since));
        Assert.Equal((AHistory.At(30), EndedBy.Superseded), (history.Session(10).End!.At, history.Session(10).End!.By));
    }

    [Fact]
    public void One_that_the_list_had_later_is_not_ended_by_the_arrival_of_a_report_without_time()
    {
        history.Listed(10, asOf: 60, node: "n1");

        history.Connected(12, node: "", byArrival: true);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal("n1", history.Presence.Decisive!.Node);
        Assert.Equal(EndedBy.Reconciled, history.Session(12, "").End!.By);
    }

    // ---- a list that says seconds ------------------------------------------------------------------------------------

    [Theory]
    [InlineData(true, null, null)]
    [InlineData(false, null, null)]
    [InlineData(true, "10.0.0.1:1", null)]
    [InlineData(false, "10.0.0.1:1", null)]
    [InlineData(true, "10.0.0.1:1", "10.0.0.1:1")]
    [InlineData(false, "10.0.0.1:1", "10.0.0.1:1")]
    public void A_connection_listed_by_its_second_is_the_reported_one_whichever_comes_first(bool listedFirst, string? listedPeer, string? reportedPeer)
    {
        if (listedFirst) history.Listed(10.4, asOf: 60, peer: listedPeer, coarse: true);
        history.Connected(10.4, peer: reportedPeer);
        if (!listedFirst) history.Listed(10.4, asOf: 60, peer: listedPeer, coarse: true);

        var session = Assert.Single(history.Set.Sessions);
        Assert.Equal((AHistory.At(10.4), false, listedPeer), (session.ConnectedAt, session.IsCoarse, session.Peer));
        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal(["SessionStarted"], history.Events());
    }

    [Fact]
    public void That_a_listed_second_is_known_exactly_is_news()
    {
        history.Listed(10.4, asOf: 60, coarse: true);
        Assert.Equal(AHistory.At(10), history.Presence.Since);

        Assert.Equal(Outcome.Applied, history.Connected(10.4));
        Assert.Equal(AHistory.At(10.4), history.Presence.Since);
        Assert.Equal(Outcome.Repeated, history.Connected(10.4));
    }

    [Fact]
    public void One_that_began_on_the_very_second_is_known_exactly_once_it_is_reported()
    {
        history.Listed(10, asOf: 60, coarse: true);

        Assert.Equal(Outcome.Applied, history.Connected(10));
        Assert.False(history.Session(10).IsCoarse);
        Assert.Equal(Outcome.Applied, history.Listed(10, asOf: 70, coarse: true));
        Assert.False(history.Session(10).IsCoarse);
    }

    [Fact]
    public void The_end_of_a_connection_listed_by_its_second_names_it_exactly()
    {
        history.Listed(10.4, asOf: 15, coarse: true);

        history.Disconnected(10.4, at: 20);

        Assert.Equal(AHistory.At(10.4), Assert.Single(history.Set.Sessions).ConnectedAt);
        Assert.Equal((Offline, Confirmed), history.State);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Another_peer_within_the_second_is_another_connection(bool listedFirst)
    {
        if (listedFirst) history.Listed(10.4, asOf: 60, peer: "10.0.0.1:1", coarse: true);
        history.Connected(10.8, peer: "10.0.0.1:2");
        if (!listedFirst) history.Listed(10.4, asOf: 60, peer: "10.0.0.1:1", coarse: true);

        Assert.Equal(
            [(AHistory.At(10.8), "10.0.0.1:2"), (AHistory.At(10), "10.0.0.1:1")],
            history.Set.Sessions.Select(one => (one.ConnectedAt, one.Peer)));
    }

    [Fact]
    public void A_list_of_seconds_does_not_mean_a_connection_of_that_second_that_had_ended()
    {
        history.Connected(10.4);
        history.Disconnected(10.4, at: 10.6);

        history.Listed(10.8, asOf: 60, coarse: true);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal(2, history.Set.Sessions.Count);
    }

    [Fact]
    public void A_list_of_seconds_means_the_connection_that_ended_only_afterwards()
    {
        history.Connected(10.4);
        history.Disconnected(10.4, at: 70);

        Assert.Equal(Outcome.Overtaken, history.Listed(10.4, asOf: 60, coarse: true));
        Assert.Single(history.Set.Sessions);
        Assert.Equal((Offline, Confirmed), history.State);
    }

    // ---- the broker does not have it ---------------------------------------------------------------------------------

    [Fact]
    public void An_absence_ends_what_was_open_before_it()
    {
        history.Connected(10);

        var outcome = history.Absent(60);

        Assert.Equal((Outcome.Applied, Offline, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Equal((AHistory.At(60), AHistory.At(60), "broker-list"), (history.Presence.Since, history.Presence.GoneAt, history.Presence.Evidence));
        Assert.Equal((DisconnectReason.Other, EndedBy.Reconciled), (history.Session(10).End!.Reason, history.Session(10).End!.By));
        Assert.Equal(["SessionStarted", "SessionEnded"], history.Events());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_absence_ends_nothing_that_opened_after_it(bool absentFirst)
    {
        if (absentFirst) history.Absent(60);
        history.Connected(70);
        if (!absentFirst) history.Absent(60);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal((AHistory.At(70), null), (history.Presence.Since, history.Presence.GoneAt));
    }

    [Fact]
    public void An_absence_ends_nothing_that_a_later_list_has()
    {
        history.Connected(10);
        history.Absent(60);

        history.Listed(10, asOf: 70);

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void An_absence_within_the_second_in_which_a_listed_connection_began_does_not_end_it()
    {
        history.Listed(60.5, asOf: 60, coarse: true);

        history.Absent(60.2);

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void The_same_absence_twice_is_one()
    {
        history.Connected(10);
        history.Absent(60);

        Assert.Equal(Outcome.Repeated, history.Absent(60));
    }

    [Fact]
    public void A_client_of_whom_only_its_absence_is_known_is_offline()
    {
        history.Absent(60);

        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal((AHistory.At(60), "broker-list"), (history.Presence.GoneAt, history.Presence.Evidence));
    }

    [Theory]
    [InlineData(null, null, 10)]  // since its start nobody has said anything of it
    [InlineData(40.0, null, 40)]
    [InlineData(5.0, null, 10)]
    [InlineData(40.0, 50.0, 50)]
    [InlineData(70.0, null, 60)]  // it cannot have lived after its end
    public void An_unseen_end_says_until_when_the_session_is_known_to_have_lived(double? aliveUntil, double? listed, double expected)
    {
        history.Connected(10);
        if (listed is { } asOf) history.Listed(10, asOf);

        history.Absent(60, aliveUntil);

        Assert.Equal(AHistory.At(expected), history.Session(10).End!.AliveUntil);
    }

    [Fact]
    public void The_late_report_of_the_end_corrects_it_without_a_second_event()
    {
        history.Connected(10);
        history.Absent(60);
        history.Events();

        history.Disconnected(10, at: 30, "keepalive_timeout");

        var end = history.Session(10).End!;
        Assert.Equal((AHistory.At(30), DisconnectReason.KeepaliveTimeout, EndedBy.Event, null), (end.At, end.Reason, end.By, end.AliveUntil));
        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal((AHistory.At(30), AHistory.At(60)), (history.Presence.Since, history.Presence.GoneAt));
        Assert.Empty(history.Events());
    }

    [Theory]
    [InlineData(30)]
    [InlineData(64)] // the broker was asked a little earlier than the clocks say
    public void The_late_farewell_of_a_session_that_was_gone_corrects_its_end(double at)
    {
        history.Connected(10);
        history.Absent(60);

        history.Parted(at);

        Assert.Equal((AHistory.At(at), EndedBy.Event), (history.Session(10).End!.At, history.Session(10).End!.By));
    }

    [Fact]
    public void A_farewell_well_after_the_absence_is_that_of_another_connection_and_casts_doubt()
    {
        history.Connected(10);
        history.Absent(60);

        history.Parted(66);

        Assert.Equal((AHistory.At(60), EndedBy.Reconciled), (history.Session(10).End!.At, history.Session(10).End!.By));
        Assert.Equal((Offline, Inferred), history.State);
        Assert.Equal(AHistory.At(66), history.Presence.Since);
    }

    [Fact]
    public void A_late_connected_from_before_the_absence_is_born_closed()
    {
        history.Absent(60);

        var outcome = history.Connected(10);

        Assert.Equal((Outcome.Overtaken, Offline, Confirmed), (outcome, history.State.Status, history.State.Confidence));
        Assert.Equal((AHistory.At(60), EndedBy.Reconciled), (history.Session(10).End!.At, history.Session(10).End!.By));
        Assert.Equal(["SessionStarted", "SessionEnded"], history.Events());
    }

    [Fact]
    public void The_absence_of_a_client_that_an_unknown_one_took_over_makes_it_offline()
    {
        history.Connected(10);
        history.Disconnected(10, at: 20, "takenover");
        Assert.Equal((Online, Inferred, "takeover", AHistory.At(20)), (history.State.Status, history.State.Confidence, history.Presence.Evidence, history.Presence.GoneAt));

        history.Absent(60);

        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal((AHistory.At(60), DisconnectReason.Other), (history.Presence.Since, history.Presence.LastReason));
        Assert.Equal((AHistory.At(20), DisconnectReason.Takeover), (history.Session(10).End!.At, history.Session(10).End!.Reason));
    }

    [Fact]
    public void A_session_superseded_before_the_absence_keeps_that_end()
    {
        history.Connected(10);
        history.Connected(30);

        history.Absent(60);

        Assert.Equal((AHistory.At(30), EndedBy.Superseded), (history.Session(10).End!.At, history.Session(10).End!.By));
        Assert.Equal((AHistory.At(60), EndedBy.Reconciled), (history.Session(30).End!.At, history.Session(30).End!.By));
    }

    // ---- given up ----------------------------------------------------------------------------------------------------

    [Fact]
    public void A_client_given_up_is_unknown()
    {
        history.Connected(10);

        history.GivenUp(100, aliveUntil: 50);

        var end = history.Session(10).End!;
        Assert.Equal((AHistory.At(100), EndedBy.Expired, AHistory.At(50)), (end.At, end.By, end.AliveUntil));
        Assert.Equal((Unknown, Inferred, "none", AHistory.At(100)), (history.State.Status, history.State.Confidence, history.Presence.Evidence, history.Presence.GoneAt));
    }

    [Fact]
    public void A_client_given_up_is_back_with_its_next_connection()
    {
        history.Connected(10);
        history.GivenUp(100);

        history.Connected(110);

        Assert.Equal((Online, Confirmed), history.State);
    }

    [Fact]
    public void A_session_given_up_is_back_when_the_broker_has_it()
    {
        history.Connected(10);
        history.GivenUp(100);

        history.Listed(10, asOf: 120);

        Assert.Equal((Online, Confirmed), history.State);
        Assert.Equal(AHistory.At(10), history.Presence.Since);
        Assert.Equal(["SessionStarted", "SessionEnded"], history.Events());
    }

    [Fact]
    public void The_late_report_of_its_end_tells_what_became_of_a_client_given_up()
    {
        history.Connected(10);
        history.GivenUp(100);

        history.Disconnected(10, at: 30);

        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal(AHistory.At(30), history.Presence.Since);
    }

    [Fact]
    public void A_client_given_up_is_offline_once_the_broker_was_asked_and_does_not_have_it()
    {
        history.Connected(10);
        history.GivenUp(100);

        history.Absent(130);

        Assert.Equal((Offline, Confirmed), history.State);
        Assert.Equal((AHistory.At(130), AHistory.At(130), "broker-list"), (history.Presence.Since, history.Presence.GoneAt, history.Presence.Evidence));
    }

    // ---- evidence, flapping, restart ---------------------------------------------------------------------------------

    [Fact]
    public void The_state_says_what_it_rests_on_and_since_when_the_client_is_gone()
    {
        Assert.Equal(("none", null), (history.Presence.Evidence, history.Presence.GoneAt));

        history.Connected(10);
        Assert.Equal(("session", null), (history.Presence.Evidence, history.Presence.GoneAt));

        history.Disconnected(10, at: 20);
        Assert.Equal(("session-end", AHistory.At(20)), (history.Presence.Evidence, history.Presence.GoneAt));
    }

    [Fact]
    public void When_flapping_is_over_few_starts_do_not_begin_it_again()
    {
        for (var i = 0; i < 6; i++) history.Connected(i * 60);
        Assert.NotNull(history.Presence.FlappingUntil);

        for (var i = 0; i < 5; i++) history.Connected(2000 + i * 60);
        Assert.Null(history.Presence.FlappingUntil);

        history.Connected(2300);
        Assert.Equal(AHistory.At(2180 + 600), history.Presence.FlappingUntil);
    }

    [Fact]
    public void Flapping_is_told_the_same_in_whatever_order_the_starts_come()
    {
        foreach (var at in new[] { 700, 120, 300, 0, 240, 180, 60 }) history.Connected(at);

        Assert.Equal(AHistory.At(240 + 600), history.Presence.FlappingUntil);
    }

    [Fact]
    public void What_the_list_said_concludes_the_same_after_a_restart_and_tells_nothing_twice()
    {
        history.Connected(10, node: "n2");
        history.Connected(10.5, node: "n1");
        history.Listed(10, asOf: 20, node: "n2");
        history.Listed(30.4, asOf: 40, peer: "10.0.0.1:1", coarse: true);
        history.Absent(60, aliveUntil: 50);
        history.Connected(70, node: "n1");
        history.GivenUp(100, aliveUntil: 80);
        history.Listed(70, asOf: 120, node: "n1");
        history.Parted(110);
        var before = history.Conclusions();

        Assert.Equal(before, history.Restarted().Conclusions());
        Assert.Empty(history.Events());
        Assert.Equal(Outcome.Repeated, history.Listed(70, asOf: 120, node: "n1"));
        Assert.Equal(Outcome.Repeated, history.Absent(60));
    }
}
