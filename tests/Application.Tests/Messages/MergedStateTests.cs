using System.Text;
using System.Text.Json.Nodes;
using WebhookService.Application.Messages;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.Tests.Messages;

public class MergedStateTests
{
    private static readonly DateTimeOffset T = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    [Fact]
    public void A_member_told_twice_has_the_value_published_later_whatever_the_order_of_topics()
    {
        var state = Merge(("a", T.AddSeconds(2), """{"temperature":21,"unit":"C"}"""), ("b", T, """{"temperature":19,"humidity":40}"""));

        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"temperature":21,"unit":"C","humidity":40}"""), state.Document));
    }

    [Fact]
    public void Objects_are_merged_at_every_depth_and_arrays_replaced()
    {
        var state = Merge(
            ("a", T, """{"pump":{"on":true,"rpm":{"set":5,"is":4}},"alarms":[1,2]}"""),
            ("b", T.AddSeconds(1), """{"pump":{"rpm":{"is":5}},"alarms":[3]}"""));

        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"pump":{"on":true,"rpm":{"set":5,"is":5}},"alarms":[3]}"""), state.Document));
    }

    [Theory]
    [InlineData("""{"a":{"b":1}}""", """{"a":2}""", """{"a":2}""")]
    [InlineData("""{"a":2}""", """{"a":{"b":1}}""", """{"a":{"b":1}}""")]
    [InlineData("""{"a":{"b":1}}""", """{"a":null}""", """{"a":null}""")]
    [InlineData("""{"a":null}""", """{"a":{"b":null}}""", """{"a":{"b":null}}""")]
    [InlineData("""{"a":1,"a":2}""", """{}""", """{"a":2}""")]
    [InlineData("""{"n":1.10}""", """{"big":123456789012345678901234567890}""", """{"n":1.10,"big":123456789012345678901234567890}""")]
    public void Of_two_values_the_later_one_stands(string earlier, string later, string merged)
    {
        var state = Merge(("a", T, earlier), ("b", T.AddSeconds(1), later));

        Assert.Equal(merged, state.Document.ToJsonString());
    }

    [Theory]
    [InlineData("21.5")]
    [InlineData("[1]")]
    [InlineData("{broken")]
    [InlineData("")]
    [InlineData("null")]
    public void What_is_no_JSON_object_stands_apart(string payload)
    {
        var state = Merge(("a", T, payload), ("b", T, """{"x":1}"""));

        Assert.Equal("a", Assert.Single(state.NotMerged).Topic);
        Assert.Equal("b", Assert.Single(state.Merged).Topic);
        Assert.Equal("""{"x":1}""", state.Document.ToJsonString());
    }

    private static MergedStateView Merge(params (string Topic, DateTimeOffset At, string Payload)[] messages) =>
        MergedStateView.Of(new LatestStateView("c1", [.. messages.Select((message, i) => new LatestMessageView
        {
            Topic = message.Topic,
            MessageId = $"{i}",
            Qos = 0,
            Retain = false,
            PublishedAt = message.At,
            AgeSeconds = 1,
            Payload = PayloadView.Of(Encoding.UTF8.GetBytes(message.Payload), PayloadKind.Text),
        })], null));
}
