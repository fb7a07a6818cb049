using System.Text.Json;
using WebhookService.Api.Demo;

namespace WebhookService.Api.Tests.Recordings;

public sealed class RecordingTests
{
    [Theory]
    [MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]
    public void A_recording_holds_json_bodies_in_the_order_of_arrival(string name)
    {
        var recording = RecordingFiles.Load(name);

        Assert.NotEmpty(recording.Requests);
        Assert.Equal(recording.Requests.OrderBy(request => request.Seq), recording.Requests);
        Assert.All(recording.Requests, request => Assert.Equal(JsonValueKind.Object, JsonElement.Parse(request.Body.Span).ValueKind));
    }

    [Fact]
    public void The_demo_carries_recordings_of_every_broker_and_a_storm()
    {
        var recordings = Recording.Names.Select(Recording.Load).ToList();

        Assert.Equal(["v4", "v4re", "v5", "v58", "v6"], recordings.Select(recording => recording.Broker).Distinct().Order());
        Assert.Contains(recordings, recording => recording.Name.Contains("storm") && recording.Requests.Count > 3000);
        Assert.All(recordings, recording => Assert.Equal(RecordingFiles.Load(recording.Name).Requests.Count, recording.Requests.Count));
    }

    [Fact]
    public void An_unknown_name_is_answered_with_the_known_ones()
    {
        var failure = Assert.Throws<ArgumentException>(() => Recording.Load("v3-nothing"));

        Assert.Contains("v58-01-lifecycle-v311", failure.Message);
    }

    [Fact]
    public void Markers_say_when_the_receiver_changed_its_answer()
    {
        var recording = RecordingFiles.Load("v5-13-retry-429");

        Assert.Equal(["mode 429 begins", "mode back to ok"], recording.Markers.Select(marker => marker.Text));
        Assert.Equal(["200", "429"], recording.Requests.Select(request => request.Reply).Distinct().Order());
    }
}
