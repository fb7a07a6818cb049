using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Tests.History;

/// <summary>Each sentence of <see cref="Timeline"/> by an example; times are seconds after noon, now is 100.</summary>
public sealed class TimelineTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Before_the_first_session_nothing_is_known() =>
        Assert.Equal("unknown to 10, online to 100", Told([Session(10)]));

    [Fact]
    public void A_device_without_a_session_is_unknown() =>
        Assert.Equal("unknown to 100", Told([]));

    [Fact]
    public void After_an_end_it_is_offline_until_the_next_session() =>
        Assert.Equal("unknown to 10, online to 20, offline (network) to 30, online to 40, offline (kicked) to 100", Told([Session(10, 20, DisconnectReason.Network), Session(30, 40, DisconnectReason.Kicked)]));

    [Fact]
    public void A_session_reaches_no_further_than_to_the_start_of_the_next() =>
        Assert.Equal("unknown to 10, online to 20, online to 100", Told([Session(10, 25, DisconnectReason.Takeover), Session(20)]));

    [Fact]
    public void An_open_session_that_a_newer_one_followed_does_not_come_back() =>
        Assert.Equal("unknown to 10, online to 20, online to 30, offline (network) to 100", Told([Session(10), Session(20, 30, DisconnectReason.Network)]));

    [Fact]
    public void The_end_of_a_session_that_nobody_saw_end_is_unknown_time() =>
        Assert.Equal("unknown to 10, online to 20, unknown to 50, offline? (other) to 100", Told([Session(10, 50, DisconnectReason.Other, aliveUntil: 20)]));

    [Fact]
    public void What_was_known_alive_after_its_end_was_online_until_its_end() =>
        Assert.Equal("unknown to 10, online to 50, offline? (other) to 100", Told([Session(10, 50, DisconnectReason.Other, aliveUntil: 60)]));

    [Fact]
    public void After_a_takeover_nothing_is_known_until_a_connection_is() =>
        Assert.Equal("unknown to 10, online to 20, unknown to 30, online to 40, unknown to 100", Told([Session(10, 20, DisconnectReason.Takeover), Session(30, 40, DisconnectReason.Takeover)]));

    [Fact]
    public void A_lone_end_hides_what_was_before_it() =>
        Assert.Equal(
            "unknown to 5, unknown to 10, online to 20, unknown to 40, offline? (network) to 50, online to 60, offline (kicked) to 100",
            Told([Session(10, 20, DisconnectReason.Kicked), Session(50, 60, DisconnectReason.Kicked)], [(5, DisconnectReason.Takeover), (40, DisconnectReason.Network)]));

    [Fact]
    public void A_lone_end_during_a_session_changes_nothing() =>
        Assert.Equal("unknown to 10, online to 60, offline (kicked) to 100", Told([Session(10, 60, DisconnectReason.Kicked)], [(40, DisconnectReason.Network), (60, DisconnectReason.Network)]));

    [Fact]
    public void Lone_ends_alone_tell_of_offline_time() =>
        Assert.Equal("unknown to 10, offline? (network) to 100", Told([], [(10, DisconnectReason.Network)]));

    [Fact]
    public void Between_two_lone_ends_there_was_a_session_that_nobody_knows() =>
        Assert.Equal("unknown to 10, unknown to 20, offline? (kicked) to 100", Told([], [(10, DisconnectReason.Network), (20, DisconnectReason.Kicked)]));

    [Fact]
    public void A_sign_of_life_makes_it_online_from_there_on() =>
        Assert.Equal(
            "unknown to 10, online to 20, offline (network) to 70, online? to 100",
            Told([Session(10, 20, DisconnectReason.Network)], present: Present(ConnectivityStatus.Online, 70, "sign-of-life")));

    [Fact]
    public void A_sign_of_life_before_the_last_end_says_nothing() =>
        Assert.Equal(
            "unknown to 10, online to 20, offline (network) to 100",
            Told([Session(10, 20, DisconnectReason.Network)], present: Present(ConnectivityStatus.Online, 15, "sign-of-life")));

    [Fact]
    public void What_the_brokers_list_says_after_the_last_end_holds_from_then_on() =>
        Assert.Equal(
            "unknown to 10, online to 20, unknown to 70, offline? (kicked) to 100",
            Told([Session(10, 20, DisconnectReason.Takeover)], present: Present(ConnectivityStatus.Offline, 70, "broker-list", reason: DisconnectReason.Kicked)));

    [Fact]
    public void What_is_known_already_begins_no_new_outage() =>
        Assert.Equal(
            "unknown to 10, online to 20, offline (network) to 100",
            Told([Session(10, 20, DisconnectReason.Network)], present: Present(ConnectivityStatus.Offline, 70, "broker-list", reason: DisconnectReason.Kicked)));

    [Fact]
    public void The_presumption_of_a_successor_is_no_knowledge() =>
        Assert.Equal("unknown to 10, online to 20, unknown to 100", Told([Session(10, 20, DisconnectReason.Takeover)], present: Present(ConnectivityStatus.Online, 30, "takeover")));

    [Fact]
    public void A_stale_device_counts_as_online_until_it_was_last_heard()
    {
        Assert.Equal("unknown to 10, online to 60, unknown! to 100", Told([Session(10)], present: Present(ConnectivityStatus.Online, 10, "session", Confidence.Stale, lastSeen: 60)));
        Assert.Equal("unknown to 10, unknown! to 100", Told([Session(10)], present: Present(ConnectivityStatus.Online, 10, "session", Confidence.Stale, lastSeen: 5)));
        Assert.Equal("unknown to 10, online? to 60, unknown! to 100", Told([], present: Present(ConnectivityStatus.Online, 10, "sign-of-life", Confidence.Stale, lastSeen: 60)));
    }

    [Fact]
    public void Of_sessions_that_began_at_once_the_longest_decides()
    {
        Assert.Equal("unknown to 10, online to 100", Told([Session(10), Session(10, 20, DisconnectReason.Takeover)]));
        Assert.Equal("unknown to 10, online to 30, offline (network) to 100", Told([Session(10, 30, DisconnectReason.Network), Session(10, 20, DisconnectReason.Kicked)]));
        Assert.Equal("unknown to 10, online to 30, offline (network) to 100", Told([Session(10, 30, DisconnectReason.Network), Session(10, 30, DisconnectReason.Takeover)]));
    }

    [Fact]
    public void A_session_without_length_still_parts_two_outages() =>
        Assert.Equal(
            "unknown to 10, online to 20, offline (network) to 30, offline (kicked) to 100",
            Told([Session(10, 20, DisconnectReason.Network), Session(30, 30, DisconnectReason.Kicked)]));

    [Fact]
    public void What_the_brokers_clock_says_of_the_time_to_come_is_left_out() =>
        Assert.Equal("unknown to 10, online to 20, offline (network) to 100", Told([Session(10, 20, DisconnectReason.Network), Session(110)], [(120, DisconnectReason.Network)]));

    private static LedgerSession Session(double start, double? end = null, DisconnectReason? reason = null, double? aliveUntil = null) =>
        new(At(start), end is { } e ? At(e) : null, reason, aliveUntil is { } a ? At(a) : null);

    private static PresentState Present(
        ConnectivityStatus status, double since, string evidence, Confidence confidence = Confidence.Inferred, DisconnectReason? reason = null, double? lastSeen = null) =>
        new(status, confidence, At(since), evidence, reason, lastSeen is { } seen ? At(seen) : null);

    private static string Told(LedgerSession[] sessions, (double At, DisconnectReason Reason)[]? farewells = null, PresentState? present = null)
    {
        var ledger = new DeviceLedger(
            sessions, [.. (farewells ?? []).Select(one => new LedgerFarewell(At(one.At), one.Reason))],
            present ?? new(ConnectivityStatus.Unknown, Confidence.Confirmed, null, "session", null, null));
        var stretches = Timeline.Of(ledger, At(100));
        Assert.Equal(stretches.Skip(1).Select(one => one.From), stretches.SkipLast(1).Select(one => one.To));
        return string.Join(", ", stretches.Select(one =>
        {
            var mark = (one.Status, one.Confidence) switch
            {
                (ConnectivityStatus.Unknown, Confidence.Inferred) or (_, Confidence.Confirmed) => "",
                (_, Confidence.Inferred) => "?",
                _ => "!",
            };
            var reason = one.Reason is { } why ? $" ({why})" : "";
            return $"{one.Status}{mark}{reason} to {(one.To - Noon).TotalSeconds:0}".ToLowerInvariant();
        }));
    }

    private static DateTimeOffset At(double seconds) => Noon.AddSeconds(seconds);
}
