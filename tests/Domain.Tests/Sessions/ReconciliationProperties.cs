using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;
using WebhookService.Lives;
using static WebhookService.Domain.Tests.Sessions.SessionSetProperties;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>What must hold when reports are lost, and when the broker is then asked once.</summary>
public sealed class ReconciliationProperties
{
    /// <summary>What the reports tell of a session, and whether the list says seconds only.</summary>
    public static TheoryData<Dialect, bool> DialectsAndPrecisions
    {
        get
        {
            var data = new TheoryData<Dialect, bool>();
            foreach (var dialect in Enum.GetValues<Dialect>())
            {
                data.Add(dialect, false);
                data.Add(dialect, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(DialectsAndPrecisions))]
    public void Whatever_was_lost_one_reconciliation_makes_it_the_truth_and_sure_in_every_order(Dialect dialect, bool isCoarse) => AnyLife.Holds(dialect, life =>
    {
        if (isCoarse && BeganTwiceInItsLastSecond(life)) return;
        var reports = LossyAndReconciled(life, isCoarse, out var random);

        var presence = new AHistory().Told(reports.Shuffled(random)).Presence;

        Assert.Equal((Truth(life), Confidence.Confirmed), (presence.Status, presence.Confidence));
        if (Truth(life) is ConnectivityStatus.Online && !isCoarse) Assert.Equal(life.Connections()[^1].ConnectedAt, presence.Since);
    });

    [Theory]
    [MemberData(nameof(DialectsAndPrecisions))]
    public void It_does_not_matter_whether_the_reconciliation_comes_before_the_late_reports(Dialect dialect, bool isCoarse) => AnyLife.Holds(dialect, life =>
    {
        if (isCoarse && BeganTwiceInItsLastSecond(life)) return;
        var reports = LossyAndReconciled(life, isCoarse, out var random);

        var (one, other) = (new AHistory().Told(reports), new AHistory().Told(reports.Shuffled(random)));

        Assert.Equal(one.Conclusions(), other.Conclusions());
        Assert.Equal(one.Conclusions(), other.Restarted().Conclusions());
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void Where_a_list_of_seconds_could_mean_two_connections_asking_again_after_the_late_reports_makes_it_the_truth(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        if (life.Connections().Any(one => one.ConnectedAt.Millisecond == 0)) return; // it has the very name that the list gives to any of its second
        var reports = LossyAndReconciled(life, isCoarse: true, out var random);
        var again = life.Reconciliation(reports[^1].SentAt.AddSeconds(30), isCoarse: true);

        var presence = new AHistory().Told([.. reports.Shuffled(random), again]).Presence;

        Assert.Equal((Truth(life), Confidence.Confirmed), (presence.Status, presence.Confidence));
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    public void A_session_starts_and_ends_once_in_the_journal_though_reports_were_lost_and_the_broker_asked(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        if (!IsDecidable(life) || SharesMilliseconds(life)) return; // then a farewell may move to another session
        var reports = LossyAndReconciled(life, isCoarse: false, out var random);

        var set = new AHistory().Told(reports.Shuffled(random)).Set;

        var events = set.TakeEvents();
        Assert.Equal(set.Sessions.Count(one => one.Opened), events.OfType<SessionStarted>().Count());
        Assert.Equal(set.Sessions.Count(one => one.End is not null), events.OfType<SessionEnded>().Count());
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void With_loss_a_wrong_state_is_confirmed_only_if_the_very_report_that_denies_it_was_lost(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var random = new Random(life.Seed);
        var told = life.Reports().Delayed(random).WithLoss(random);

        var presence = new AHistory().Told(told.Shuffled(random)).Presence;

        if (presence is not { Confidence: Confidence.Confirmed, Decisive: { } claimed } || presence.Status == Truth(life)) return;
        if (presence.Status is ConnectivityStatus.Offline)
        {
            Assert.DoesNotContain(told, one => one is { Kind: ReportKind.Start, Of.End: null });
            return;
        }
        var ended = life.Connections().Single(one => one.Node == claimed.Node && one.ConnectedAt == claimed.ConnectedAt && (claimed.Peer is null || one.Peer == claimed.Peer));
        Assert.DoesNotContain(told, one => one.Kind is ReportKind.End && one.Of == ended);
    });

    /// <summary>Then a list that says the second only cannot tell which of two connections of one node it means.</summary>
    private static bool BeganTwiceInItsLastSecond(Life life)
    {
        var last = life.Connections()[^1];
        return life.Connections().Count(one => one.Node == last.Node && one.ConnectedAt.ToUnixTimeSeconds() == last.ConnectedAt.ToUnixTimeSeconds()) > 1;
    }

    private static IReadOnlyList<BrokerReport> LossyAndReconciled(Life life, bool isCoarse, out Random random)
    {
        random = new Random(life.Seed);
        var all = life.Reports().Delayed(random);
        var asOf = all.Max(one => one.Timestamp > one.ArrivesAt ? one.Timestamp : one.ArrivesAt) + PresenceRules.Default.ClockTolerance;
        return [.. all.WithLoss(random), life.Reconciliation(asOf, isCoarse)];
    }
}
