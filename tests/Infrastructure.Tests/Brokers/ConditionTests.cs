using WebhookService.Application.Brokers;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

public sealed class ConditionTests
{
    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task Nodes_are_told_as_they_run_and_stop(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("a");
        emqx.Connect("b");
        emqx.Disconnect("b", keepsSession: true);
        emqx.Connect("c", node: "emqx@10.0.0.2");
        using var broker = Of(emqx);

        var both = await broker.ConditionAsync();
        emqx.StopNode("emqx@10.0.0.2");
        var stopped = await broker.ConditionAsync();
        emqx.StartNode("emqx@10.0.0.2");
        var again = await broker.ConditionAsync();
        emqx.RemoveNode("emqx@10.0.0.2");
        var gone = await broker.ConditionAsync();

        Assert.Equal([new(FakeEmqx.FirstNode, true, version, 1), new("emqx@10.0.0.2", true, version, 1)], both.Nodes);
        Assert.Equal([new(FakeEmqx.FirstNode, true, version, 1), new("emqx@10.0.0.2", false, null, null)], stopped.Nodes);
        Assert.Equal([new(FakeEmqx.FirstNode, true, version, 1), new("emqx@10.0.0.2", true, version, 0)], again.Nodes);
        Assert.Equal([new(FakeEmqx.FirstNode, true, version, 1)], gone.Nodes);
        Assert.Equal(version, stopped.Version);
    }

    [Fact]
    public async Task Waiting_sessions_are_not_taken_for_connected_clients_where_a_version_counts_them_together()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Once("/nodes", FakeAnswer.Json("""[{"node":"n1","node_status":"Running","version":"5.0.3","connections":40}]"""));
        using var broker = Of(emqx, options => options.Version = "5");

        var condition = await broker.ConditionAsync();

        Assert.Equal(new BrokerNodeCondition("n1", true, "5.0.3", null), Assert.Single(condition.Nodes));
    }

    [Theory]
    [InlineData("4.4.19", 3, 0, 3L, 2)]
    [InlineData("5.1.6", 3, 4, 7L, 4)]
    [InlineData("5.3.2", 3, 4, 7L, 4)]
    [InlineData("5.8.9", 3, 4, 7L, 3)]
    [InlineData("6.0.2", 3, 4, 7L, 3)]
    public async Task Lost_webhooks_are_those_of_webhook_actions_failed_and_dropped(string version, int failed, int dropped, long lost, int requests)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx, options => options.Version = version[..1]);

        var before = await broker.ConditionAsync();
        (emqx.Failed, emqx.Dropped) = (failed, dropped);
        var asked = emqx.Requests.Count;
        var after = await broker.ConditionAsync();

        Assert.Equal((0, lost), (before.Lost, after.Lost));
        Assert.Equal(requests, emqx.Requests.Count - asked);
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.1.6")]
    [InlineData("5.8.9")]
    public async Task Lost_webhooks_are_not_told_where_the_broker_has_none_that_it_counts(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.HasWebhook = false;
        using var broker = Of(emqx);

        var condition = await broker.ConditionAsync();

        Assert.Null(condition.Lost);
    }

    [Theory]
    [InlineData("4.4.19", "/rules", 404)]
    [InlineData("4.4.19", "/rules", 500)]
    [InlineData("5.1.6", "/bridges", 404)]
    [InlineData("5.8.9", "/actions", 503)]
    [InlineData("5.8.9", "/metrics", 503)]
    [InlineData("5.3.2", "/bridges/webhook:webhooks/metrics", 404)]
    public async Task Counters_that_do_not_answer_keep_nothing_else_from_being_told(string version, string path, int status)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        if (version == "5.3.2") emqx.Asked = request => request.Path.Contains("/bridges/http:", StringComparison.Ordinal) ? FakeAnswer.Status(404) : null;
        emqx.Once(path, FakeAnswer.Json("""{"code":"ERROR","message":"bad rpc call"}""", status));
        using var broker = Of(emqx);

        var condition = await broker.ConditionAsync();

        Assert.Null(condition.Lost);
        Assert.Single(condition.Nodes);
    }

    [Theory]
    [InlineData(90)]
    [InlineData(-90)]
    public async Task The_clock_is_told_to_about_a_second(int seconds)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.ClockOffset = TimeSpan.FromSeconds(seconds);
        using var broker = Of(emqx);

        var condition = await broker.ConditionAsync();

        Assert.InRange(condition.ClockOffset.TotalSeconds, seconds - 2, seconds + 2);
    }

    [Theory]
    [InlineData("4", """{"code":0}""")]
    [InlineData("5", """{"nodes":[]}""")]
    public async Task What_is_no_list_of_nodes_is_told(string version, string body)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json(body);
        using var broker = Of(emqx, options => options.Version = version);

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ConditionAsync);

        Assert.Contains("without a list of nodes", failure.Message, StringComparison.Ordinal);
    }
}
