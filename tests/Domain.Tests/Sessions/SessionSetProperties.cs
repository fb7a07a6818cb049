using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;
using WebhookService.Lives;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>What must hold for every life of a client when all its reports are told, whatever order they come in.</summary>
public sealed class SessionSetProperties
{
    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void Neither_order_nor_repetition_changes_a_conclusion(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var random = new Random(life.Seed);
        var reports = life.Reports().Delayed(random);

        Equal(Told(reports).Conclusions(), Told(reports.Shuffled(random)).Conclusions());
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void Reading_the_saved_facts_again_at_any_moment_changes_no_conclusion(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var history = new AHistory();

        foreach (var report in Shuffled(life))
        {
            history.Told([report]);
            var before = history.Conclusions();
            Equal(before, history.Restarted().Conclusions());
        }
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    public void When_all_is_told_the_conclusion_is_the_truth_wherever_the_reports_decide_it(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        if (!IsDecidable(life)) return;

        var presence = Told(Shuffled(life)).Presence;

        var connections = life.Connections();
        var last = connections[^1];
        Equal(Truth(life), presence.Status);
        if (!life.HasSkew && !connections.Any(one => one.IsHalfOpen)) Equal(last.End is null ? last.ConnectedAt : last.DisconnectedAt, presence.Since);
    });

    [Fact]
    public void By_arrival_alone_the_conclusion_is_the_truth_while_nothing_overtakes() => AnyLife.Holds(Dialect.Arrival, life =>
    {
        var connections = life.Connections();
        if (connections.Any(one => one.IsHalfOpen) || SharesMilliseconds(life with { SkewOfSecondNode = 0, SkewOfThirdNode = 0 })) return;

        var presence = Told(life.Reports()).Presence;

        Equal((Truth(life), Confidence.Inferred), (presence.Status, presence.Confidence));
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void A_wrong_state_is_never_called_confirmed_once_all_is_told(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var random = new Random(life.Seed);

        var presence = Told(life.Reports().Delayed(random).Shuffled(random)).Presence;

        if (presence.Confidence is Confidence.Confirmed) Equal(Truth(life), presence.Status);
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    public void When_all_is_told_the_subscriptions_are_those_of_the_broker(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var connections = life.Connections();
        if (life.HasSkew || connections.DistinctBy(one => one.Start).Count() < connections.Count) return; // reports of subscriptions name no session
        if (!IsDecidable(life) || connections.Any(one => one.IsHalfOpen)) return;
        if (connections.Any(one => one.IsTakenOver && (one.Reason is null || one.Step.Expiry == 0))) return; // MQTT and EMQX disagree on what is left then

        var set = Told(Shuffled(life)).Set;

        Equal(
            string.Join(' ', life.TrueSubscriptions(AHistory.Now)),
            string.Join(' ', set.Subscriptions.Where(one => !(one.EndsAt <= AHistory.Now)).Select(one => one.Filter).Order()));
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    public void A_session_starts_and_ends_once_in_the_journal(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        if (dialect is not Dialect.ConnectedAt && SharesMilliseconds(life)) return; // then a farewell may move to another session

        var set = Told(Shuffled(life)).Set;

        var events = set.TakeEvents();
        Equal(set.Sessions.Count(one => one.Opened), events.OfType<SessionStarted>().Count());
        Equal(set.Sessions.Count(one => one.End is not null), events.OfType<SessionEnded>().Count());
    });

    internal static ConnectivityStatus Truth(Life life) => life.Connections()[^1].End is null ? ConnectivityStatus.Online : ConnectivityStatus.Offline;

    /// <summary>Whether the reports of a life, all told, leave no other reading of its end.</summary>
    internal static bool IsDecidable(Life life)
    {
        var connections = life.Connections();
        var tolerance = PresenceRules.Default.ClockTolerance;
        return life.Dialect switch
        {
            Dialect.ConnectedAt => IsEveryEndTold(),
            // A port is used again in the very millisecond in which it became free: nobody can tell whose end it was.
            Dialect.Peername => IsEveryEndTold() && !connections.Any(one => one.Reason is not null && connections.Any(other =>
                one.Node == other.Node && one.Peer == other.Peer && one.DisconnectedAt == other.ConnectedAt && (one != other || HasUntoldBefore(one)))),
            Dialect.NodeAndTime => connections.DistinctBy(one => one.Node).Count() == 1 && !connections.Any(one => one.IsHalfOpen) && !SharesMilliseconds(life),
            _ => false,
        };

        bool HasUntoldBefore(Connection one) =>
            connections.Any(other => other.Reason is null && other.Start < one.Start && other.Node == one.Node && other.Peer == one.Peer);

        // By its own report, or by a successor that is newer by any clock. Who is online at last is so whether or not an older one seems to be.
        bool IsEveryEndTold() => connections[^1].End is null || connections.All(one =>
            one.Reason is not null
            || connections.Any(other => other.ConnectedAt - one.ConnectedAt > (one.Node == other.Node ? TimeSpan.Zero : tolerance)));
    }

    /// <summary>An end and a connect, or two of them, fall into one millisecond of one node: then only names tell which came first.</summary>
    internal static bool SharesMilliseconds(Life life)
    {
        var connections = life.Connections();
        var times = connections.Select(one => (one.Node, one.ConnectedAt))
            .Concat(connections.Where(one => one.Reason is not null).Select(one => (one.Node, one.DisconnectedAt)))
            .Select(one => life.Dialect is Dialect.Arrival ? ("", one.Item2) : one)
            .ToList();
        return times.Distinct().Count() < times.Count;
    }

    private static IReadOnlyList<BrokerReport> Shuffled(Life life) => life.Reports().Shuffled(new Random(life.Seed));

    private static AHistory Told(IEnumerable<BrokerReport> reports) => new AHistory().Told(reports);

    private static void Equal<T>(T expected, T actual) => Assert.Equal(expected, actual);
}
