using System.Text.Json;
using WebhookService.Api.Demo;

namespace WebhookService.Api.Tests.Demo;

public sealed class ReplayTests
{
    private static readonly DateTimeOffset Recorded = DateTimeOffset.FromUnixTimeMilliseconds(1_795_300_000_000);
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_000);
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2);

    [Fact]
    public void Spacing_stays_but_long_waits_are_cut()
    {
        var replay = new Replay(ARecording(0, 30, 60_030, 60_040), Start, LongestGap);

        Assert.Equal([0, 30, 2030, 2040], replay.Bodies().Select(body => (body.Due - Start).TotalMilliseconds));
    }

    [Fact]
    public void Times_just_before_a_request_keep_their_distance_to_it()
    {
        var replay = new Replay(ARecording(0, 60_000), Start, LongestGap);

        Assert.Equal(2000 - 7, Offset(replay, 59_993));
        Assert.Equal(0, Offset(replay, 10_000));     // in the idle time that is cut
        Assert.Equal(-5, Offset(replay, -5));
        Assert.Equal(2003, Offset(replay, 60_003));
    }

    [Fact]
    public void No_time_overtakes_another()
    {
        var replay = new Replay(ARecording(0, 30, 60_030, 60_040), Start, LongestGap);

        var moved = Enumerable.Range(-100, 60_200).Select(time => Offset(replay, time)).ToList();

        Assert.Equal(moved.Order(), moved);
    }

    [Theory]
    [InlineData("v58-07-abrupt-keepalive-will")]
    [InlineData("v5-06-retain-mosquitto")]
    [InlineData("v4-08-takeover-clean-true")]
    public void A_replayed_recording_tells_of_the_present_and_keeps_each_sessions_identity(string name)
    {
        var recording = Recording.Load(name);

        var bodies = new Replay(recording, Start, LongestGap).Bodies().Select(body => (body.Due, Json: JsonElement.Parse(body.Body.Span))).ToList();

        Assert.Equal(recording.Requests.Count, bodies.Count);
        Assert.Equal(Sessions(recording.Requests.Select(request => JsonElement.Parse(request.Body.Span))), Sessions(bodies.Select(body => body.Json)));
        Assert.All(bodies, body =>
        {
            foreach (var key in (string[])["timestamp", "ts", "connected_at", "disconnected_at", "publish_received_at"])
                if (body.Json.TryGetProperty(key, out var time))
                    Assert.InRange(time.GetInt64(), Start.ToUnixTimeMilliseconds() - 5000, body.Due.ToUnixTimeMilliseconds() + 1);
            if (body.Json.TryGetProperty("clientid", out var client) && client.GetString() is { Length: > 0 } id) Assert.StartsWith(recording.Broker + "-", id);
        });
    }

    private static int Sessions(IEnumerable<JsonElement> bodies) => bodies
        .Where(body => body.TryGetProperty("connected_at", out _))
        .Select(body => (body.GetProperty("clientid").GetString(), body.GetProperty("connected_at").GetInt64()))
        .Distinct().Count();

    private static double Offset(Replay replay, long recorded) =>
        replay.Moved(Recorded.ToUnixTimeMilliseconds() + recorded) - Start.ToUnixTimeMilliseconds();

    private static Recording ARecording(params int[] arrivals) => new(
        "v9-test",
        [.. arrivals.Select((at, i) => new RecordedRequest(i, Recorded.AddMilliseconds(at), "application/json", "{}"u8.ToArray(), "200"))],
        []);
}
