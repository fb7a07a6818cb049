using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Tests.Sessions;

/// <summary>What must hold for every life of a client, whatever order its reports come in. A failure prints the life and FsCheck's seed.</summary>
public sealed class SessionSetProperties
{
    private static readonly Config Thorough = Config.QuickThrowOnFailure.WithMaxTest(3_000).WithEndSize(12);

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    [InlineData("NodeAndTime")]
    public void Neither_order_nor_repetition_changes_a_conclusion(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        var inOrder = Told(life.Reports(dialect)).Conclusions();

        Equal(inOrder, Told(life.Shuffled(dialect)).Conclusions());
    });

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    [InlineData("NodeAndTime")]
    public void Reading_the_saved_facts_again_at_any_moment_changes_no_conclusion(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        var reports = life.Shuffled(dialect);
        var history = new AHistory();

        foreach (var report in reports)
        {
            report(history);
            var before = history.Conclusions();
            Equal(before, history.Restarted().Conclusions());
        }
    });

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    public void When_all_is_told_the_conclusion_is_the_truth(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        var connections = life.Connections(dialect);
        if (dialect is Dialect.Peername && IsAmbiguousByPeer(connections)) return;

        var presence = Told(life.Shuffled(dialect)).Presence;

        var last = connections[^1];
        Equal(last.End is null ? ConnectivityStatus.Online : ConnectivityStatus.Offline, presence.Status);
        if (!life.HasSkew) Equal(last.End is null ? last.ConnectedAt : last.DisconnectedAt, presence.Since);
    });

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    public void When_all_is_told_the_subscriptions_are_those_of_the_broker(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        var starts = life.Connections(dialect).Select(one => one.Start).ToList();
        if (life.HasSkew || starts.Distinct().Count() < starts.Count) return; // reports of subscriptions name no session
        if (IsAmbiguousByPeer(life.Connections(dialect)) || HasTakeoverOfAnEndingSession(life, dialect)) return;

        var set = Told(life.Shuffled(dialect)).Set;

        Equal(
            string.Join(' ', life.TrueSubscriptions(dialect)),
            string.Join(' ', set.Subscriptions.Where(one => !(one.EndsAt <= AHistory.Now)).Select(one => one.Filter).Order()));
    });

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    public void A_wrong_state_is_never_called_confirmed_once_all_is_told(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        var presence = Told(life.Shuffled(dialect)).Presence;

        var truth = life.Connections(dialect)[^1].End is null ? ConnectivityStatus.Online : ConnectivityStatus.Offline;
        if (presence.Confidence is Confidence.Confirmed) Equal(truth, presence.Status);
    });

    [Fact]
    public void By_node_and_time_alone_the_conclusion_is_the_truth_on_one_node_while_no_millisecond_is_shared() => Holds(Dialect.NodeAndTime, (life, dialect) =>
    {
        var connections = life.Connections(dialect);
        if (connections.DistinctBy(one => one.Node).Count() > 1 || life.SharesMilliseconds(dialect)) return;

        var presence = Told(life.Shuffled(dialect)).Presence;

        Equal(connections[^1].End is null ? ConnectivityStatus.Online : ConnectivityStatus.Offline, presence.Status);
    });

    [Theory]
    [InlineData("Exact")]
    [InlineData("Peername")]
    [InlineData("NodeAndTime")]
    public void A_session_starts_and_ends_once_in_the_journal(string name) => Holds(Enum.Parse<Dialect>(name), (life, dialect) =>
    {
        if (dialect is not Dialect.Exact && life.SharesMilliseconds(dialect)) return; // then a farewell may move to another session

        var set = Told(life.Shuffled(dialect)).Set;

        var events = set.TakeEvents();
        Equal(set.Sessions.Count(one => one.Opened), events.OfType<SessionStarted>().Count());
        Equal(set.Sessions.Count(one => one.End is not null), events.OfType<SessionEnded>().Count());
    });

    private static AHistory Told(IEnumerable<Action<AHistory>> reports)
    {
        var history = new AHistory();
        foreach (var report in reports) report(history);
        return history;
    }

    /// <summary>A port is used again in the very millisecond in which it became free: nobody can tell whose end it was.</summary>
    private static bool IsAmbiguousByPeer(IReadOnlyList<Life.Connection> connections) =>
        connections.Any(one => connections.Any(other =>
            one != other && one.Node == other.Node && one.Peer == other.Peer && one.End is not null && one.DisconnectedAt == other.ConnectedAt));

    /// <summary>MQTT and EMQX do not agree on what is left of a session without expiry that is taken over.</summary>
    private static bool HasTakeoverOfAnEndingSession(Life life, Dialect dialect) =>
        life.Connections(dialect).Any(one => one is { Reason: "takenover", Step.Expiry: 0 });

    private static void Equal<T>(T expected, T actual) => Assert.Equal(expected, actual);

    private static void Holds(Dialect dialect, Action<Life, Dialect> property) =>
        Check.One(Thorough, Prop.ForAll(Life.Any, life => property(life, dialect)));
}
