using NSubstitute;
using WebhookService.Application.Brokers;

namespace WebhookService.Application.Tests.Brokers;

public sealed class BrokerWatchTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("n1", "all")]
    [InlineData("m1", "other")]
    [InlineData("k1", null)] // nobody's
    [InlineData("n2", null)] // two claim it: its devices turn stale and are asked for by name
    [InlineData(null, null)] // anybody's
    [InlineData("", null)]
    public void A_list_speaks_only_for_the_nodes_that_no_other_broker_claims(string? node, string? owner)
    {
        var watch = new BrokerWatch([ABroker("all", "n1", "n2"), ABroker("one", "n2"), ABroker("other", "m1")]);
        foreach (var broker in watch.Brokers) watch.Of(broker).ListedAt = Noon;

        Assert.Equal((owner, owner is null ? null : (DateTimeOffset?)Noon), (watch.OnlyOwnerOf(node)?.Name, watch.ListedAt(node)));
    }

    [Fact]
    public void The_only_broker_speaks_also_for_a_session_whose_node_is_not_known()
    {
        var watch = new BrokerWatch([ABroker("emqx", "n1")]);
        Assert.Null(watch.ListedAt(null));

        watch.Of(watch.Brokers[0]).ListedAt = Noon;

        Assert.Equal(Noon, watch.ListedAt(null));
    }

    private static IBroker ABroker(string name, params string[] nodes)
    {
        var broker = Substitute.For<IBroker>();
        broker.Name.Returns(name);
        broker.Owns(default!).ReturnsForAnyArgs(call => nodes.Contains(call.Arg<string>()));
        return broker;
    }
}
