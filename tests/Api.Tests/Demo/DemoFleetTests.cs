using System.Text.Json;
using WebhookService.Api.Demo;

namespace WebhookService.Api.Tests.Demo;

public sealed class DemoFleetTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_000);

    private readonly List<(DateTimeOffset Due, JsonElement Json)> bodies =
        [.. DemoFleet.Bodies(7, new StandingClock(Start)).TakeWhile(body => body.Due < Start.AddMinutes(20)).Select(body => (body.Due, JsonElement.Parse(body.Body.Span)))];

    [Fact]
    public void The_same_seed_and_clock_give_the_same_bytes()
    {
        var once = DemoFleet.Bodies(7, new StandingClock(Start)).Take(2000);
        var again = DemoFleet.Bodies(7, new StandingClock(Start)).Take(2000);

        Assert.Equal(once.Select(body => (body.Due, Convert.ToHexString(body.Body.Span))), again.Select(body => (body.Due, Convert.ToHexString(body.Body.Span))));
    }

    [Fact]
    public void Every_body_names_its_event_client_node_and_time()
    {
        Assert.All(bodies, body =>
        {
            Assert.NotEmpty(Text(body.Json, "event"));
            Assert.NotEmpty(Text(body.Json, "clientid"));
            Assert.StartsWith("emqx@", Text(body.Json, "node"));
            Assert.InRange(body.Json.GetProperty("timestamp").GetInt64(), Start.AddHours(-31).ToUnixTimeMilliseconds(), body.Due.ToUnixTimeMilliseconds());
        });
    }

    [Fact]
    public void Bodies_come_when_they_are_due_and_the_history_at_once()
    {
        Assert.Equal(bodies.Select(body => body.Due).Order(), bodies.Select(body => body.Due));
        Assert.Equal(40, bodies.Where(body => body.Due < Start.AddSeconds(3)).Select(body => Text(body.Json, "clientid")).Distinct().Count());
    }

    [Fact]
    public void Everything_a_fleet_does_happens()
    {
        Assert.Equal(
            [
                "client.connack", "client.connected", "client.disconnected", "delivery.dropped", "message.acked", "message.delivered",
                "message.dropped", "message.publish", "session.subscribed",
            ],
            bodies.Select(body => Text(body.Json, "event")).Distinct().Order());
        Assert.True(Of("client.disconnected").Select(body => Text(body, "reason")).Distinct().Count() >= 6);
        Assert.Contains(Of("client.connected"), body => !body.GetProperty("clean_start").GetBoolean());
    }

    [Fact]
    public void Every_farewell_belongs_to_one_connection()
    {
        var connections = Of("client.connected").Select(Key).ToHashSet();
        var farewells = Of("client.disconnected").ToList();

        Assert.All(farewells, body => Assert.Contains(Key(body), connections));
        Assert.All(farewells, body => Assert.True(body.GetProperty("disconnected_at").GetInt64() >= body.GetProperty("connected_at").GetInt64()));
    }

    [Fact]
    public void In_the_end_a_few_are_offline_and_most_are_online()
    {
        var open = Of("client.connected").Select(Key).ToHashSet();
        open.ExceptWith(Of("client.disconnected").Select(Key));

        Assert.InRange(open.Select(session => session.Id).Distinct().Count(), 28, 36);
        Assert.DoesNotContain("meter-0003", open.Select(session => session.Id));
    }

    [Fact]
    public void One_device_flaps_from_the_beginning()
    {
        var starts = Of("client.connected")
            .Where(body => body.GetProperty("connected_at").GetInt64() is var at && at > Start.AddMinutes(-9).ToUnixTimeMilliseconds() && at < Start.ToUnixTimeMilliseconds())
            .Select(Key).Distinct().CountBy(session => session.Id);

        Assert.Equal("truck-0004", Assert.Single(starts, count => count.Value >= 6).Key);
    }

    [Fact]
    public void One_device_publishes_though_its_connection_was_never_told()
    {
        var ended = Of("client.disconnected").Where(IsIt).Max(body => body.GetProperty("disconnected_at").GetInt64());

        Assert.DoesNotContain(Of("client.connected").Where(IsIt), body => body.GetProperty("connected_at").GetInt64() > ended);
        Assert.Contains(Of("message.publish").Where(IsIt), body => body.GetProperty("timestamp").GetInt64() > ended + 10_000);

        static bool IsIt(JsonElement body) => Text(body, "clientid") == "meter-0008";
    }

    [Fact]
    public void Deliveries_and_drops_follow_a_published_message_under_its_id()
    {
        var published = Of("message.publish").Select(body => Text(body, "id")).ToList();
        var distinct = published.ToHashSet();

        Assert.All(distinct, id => Assert.Equal(32, id.Length));
        Assert.True(distinct.Count > 500);
        Assert.InRange(published.Count - distinct.Count, 1, published.Count / 20);   // some come twice
        Assert.Equal(distinct.Count, Of("message.publish").Select(body => body.GetRawText()).Distinct().Count());
        foreach (var word in (string[])["message.delivered", "message.acked", "message.dropped"])
            Assert.Subset(distinct, Of(word).Select(body => Text(body, "id")).ToHashSet());
    }

    [Fact]
    public void Telemetry_is_json()
    {
        Assert.All(
            Of("message.publish").Where(body => Text(body, "topic").EndsWith("/telemetry", StringComparison.Ordinal)),
            body => Assert.Equal(JsonValueKind.Object, JsonElement.Parse(Text(body, "payload")).ValueKind));
    }

    [Fact]
    public void Some_bodies_arrive_after_what_happened_later()
    {
        var live = bodies.DistinctBy(body => body.Json.GetRawText())
            .Where(body => body.Due > Start.AddMinutes(1))
            .Select(body => body.Json.GetProperty("timestamp").GetInt64()).ToList();

        Assert.NotEqual(live.Order(), live);
    }

    private static (string Id, long At) Key(JsonElement body) => (Text(body, "clientid"), body.GetProperty("connected_at").GetInt64());

    private static string Text(JsonElement body, string key) => body.GetProperty(key).GetString()!;

    private IEnumerable<JsonElement> Of(string word) => bodies.Select(body => body.Json).Where(body => Text(body, "event") == word);

    private sealed class StandingClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
