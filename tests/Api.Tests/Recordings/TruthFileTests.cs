using System.Text.Json;

namespace WebhookService.Api.Tests.Recordings;

public sealed class TruthFileTests
{
    [Fact]
    public void A_storm_ends_with_the_same_clients_on_both_sides()
    {
        Assert.Equal(2, RecordingFiles.Storms.Count());
        Assert.All(RecordingFiles.Storms.Select(RecordingFiles.Truth), truth =>
        {
            Assert.Equal(25, truth.BrokerConnected!.Count);
            Assert.Equal(truth.ClientSideAlive, truth.BrokerConnected);
        });
    }

    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public void Outside_storms_every_accepted_connection_is_closed_in_the_end(string name)
    {
        var truth = RecordingFiles.Truth(name);
        if (truth.BrokerConnected is not null) return;

        Assert.Equal(truth.Connacks.Count + truth.Refusals.Count, truth.Closes.Count);
        Assert.Empty(truth.OnlineAtTheEnd);
    }

    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public void The_clients_published_what_the_broker_recorded_apart_from_wills(string name)
    {
        if (name.Contains("mosquitto", StringComparison.Ordinal)) return;   // no truth is known of mosquitto's clients
        var truth = RecordingFiles.Truth(name);

        var recorded = RecordingFiles.Load(name).Requests
            .Select(request => JsonElement.Parse(request.Body.Span))
            .Where(body => Word(body) is "message.publish" or "message_publish" && !Topic(body).StartsWith("will/", StringComparison.Ordinal))
            .DistinctBy(body => Text(body, "id") ?? (body.GetProperty("ts"), Topic(body), Text(body, "payload"), body.GetProperty("qos")).ToString())
            .Select(body => (Text(body, "from_client_id") ?? Text(body, "clientid"), Topic(body), body.GetProperty("qos").GetInt32()));

        Assert.Equal(truth.Messages.Select(message => ((string?)message.ClientId, message.Topic, message.Qos)).Order(), recorded.Order());
    }

    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public void The_clients_saw_as_many_connections_as_the_broker_recorded(string name)
    {
        if (name.Contains("mosquitto", StringComparison.Ordinal)) return;
        var truth = RecordingFiles.Truth(name);

        var recorded = RecordingFiles.Load(name).Requests
            .Select(request => JsonElement.Parse(request.Body.Span))
            .Where(body => Word(body) is "client.connected" or "client_connected")
            .DistinctBy(body => (Text(body, "clientid"), body.GetProperty("connected_at").GetInt64(), Text(body, "peername")));

        Assert.Equal(truth.Connacks.Count + truth.RawConnections, recorded.Count());
    }

    [Fact]
    public void The_payload_scenario_knows_the_bytes()
    {
        var truth = RecordingFiles.Truth("v4-14-payload-encoding-base62");

        Assert.Equal(9, truth.Messages.Count);
        Assert.Equal("hello"u8.ToArray(), truth.Messages[0].Payload);
        Assert.Empty(truth.Messages[3].Payload!);
    }

    private static string? Word(JsonElement body) => Text(body, "event") ?? Text(body, "action");

    private static string Topic(JsonElement body) => body.GetProperty("topic").GetString()!;

    private static string? Text(JsonElement body, string key) => body.TryGetProperty(key, out var value) ? value.GetString() : null;
}
