using Microsoft.Extensions.Logging.Abstractions;
using WebhookService.Api.Demo;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Demo;

public sealed class DemoPlayerTests
{
    [Fact]
    public async Task The_demo_begins_with_the_fleet_at_once()
    {
        var sink = new CollectingSink(expected: 300);
        using var player = new DemoPlayer(sink, TimeProvider.System, NullLogger<DemoPlayer>.Instance);

        await player.StartAsync(default);
        await sink.Enough.WaitAsync(Eventually.Patience);
        await player.StopAsync(default);

        Assert.Contains(sink.Bodies, body => body.Contains("historian", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_recording_has_its_track_and_what_would_hide_the_fleet_comes_late_and_rarely()
    {
        var tracks = DemoPlayer.Tracks;

        Assert.Equal(Recording.Names, tracks.SelectMany(track => track.Names).Order(StringComparer.Ordinal));
        Assert.Equal((TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30)), Times("storm"));
        Assert.Equal((TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10)), Times("takeover"));

        (TimeSpan, TimeSpan) Times(string what)
        {
            var track = Assert.Single(tracks, track => track.Names.Any(name => name.Contains(what, StringComparison.Ordinal)));
            return (track.First, track.Pause);
        }
    }

    [Fact]
    public async Task A_body_that_is_refused_does_not_end_the_demo()
    {
        var sink = new CollectingSink(expected: 2) { RefuseFirst = true };
        using var player = new DemoPlayer(sink, TimeProvider.System, NullLogger<DemoPlayer>.Instance);
        DemoBody[] bodies = [new(DateTimeOffset.UnixEpoch, "1"u8.ToArray()), new(DateTimeOffset.UnixEpoch, "2"u8.ToArray()), new(DateTimeOffset.UnixEpoch, "3"u8.ToArray())];

        await player.PlayAsync(bodies, default);

        Assert.Equal(["2", "3"], sink.Bodies);
    }

    [Fact]
    public async Task Nothing_is_sent_before_it_is_due()
    {
        var sink = new CollectingSink(expected: 1);
        using var player = new DemoPlayer(sink, TimeProvider.System, NullLogger<DemoPlayer>.Instance);
        var due = DateTimeOffset.UtcNow.AddMilliseconds(200);

        await player.PlayAsync([new DemoBody(due, "1"u8.ToArray())], default);

        Assert.InRange(DateTimeOffset.UtcNow, due.AddMilliseconds(-20), DateTimeOffset.MaxValue);   // timers and the clock tick apart
    }

    private sealed class CollectingSink(int expected) : IDemoSink
    {
        private readonly TaskCompletionSource enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<string> bodies = [];
        private bool refused;

        public bool RefuseFirst { get; init; }

        public Task Enough => enough.Task;

        public IReadOnlyList<string> Bodies
        {
            get { lock (bodies) return [.. bodies]; }
        }

        public Task SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation)
        {
            if (RefuseFirst && !refused)
            {
                refused = true;
                throw new InvalidOperationException("overloaded");
            }

            lock (bodies)
            {
                bodies.Add(System.Text.Encoding.UTF8.GetString(body.Span));
                if (bodies.Count >= expected) enough.TrySetResult();
            }

            return Task.CompletedTask;
        }
    }
}
