namespace WebhookService.Api.Demo;

/// <summary>Where the demo hands its webhook bodies: the ingest path, as if each had come by HTTP.</summary>
public interface IDemoSink
{
    /// <summary>Takes one body in. Called from several tasks at once, like a broker's connections.</summary>
    Task SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation);
}

/// <summary>Gives the API and the dashboard something to show: an invented fleet that lives on without end, and beside it recordings
/// of real brokers with fresh times, now and then.</summary>
internal sealed partial class DemoPlayer(IDemoSink sink, TimeProvider time, ILogger<DemoPlayer> logger) : BackgroundService
{
    private const int Seed = 20_260_101;

    /// <summary>Nobody watches a demo wait for a keepalive to run out.</summary>
    public static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2);

    /// <summary>The recordings stay in the background: the fleet is what a visitor shall see first. Plain lifecycles all the time, the
    /// scenarios with test clients by the dozen (takeovers, aborts) now and then, and a storm, thousands of requests in two seconds, rarely.</summary>
    internal static IReadOnlyList<DemoTrack> Tracks { get; } =
    [
        new([.. Recording.Names.Where(IsLifecycle)], First: TimeSpan.FromMinutes(1), Pause: TimeSpan.FromMinutes(1)),
        new([.. Recording.Names.Where(name => !IsLifecycle(name) && !IsStorm(name))], First: TimeSpan.FromMinutes(10), Pause: TimeSpan.FromMinutes(10)),
        new([.. Recording.Names.Where(IsStorm)], First: TimeSpan.FromMinutes(5), Pause: TimeSpan.FromMinutes(30)),
    ];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Begins(Recording.Names.Count);

        Task[] tracks =
        [
            PlayAsync(DemoFleet.Bodies(Seed, time), stoppingToken),
            .. Tracks.Select(track => LoopAsync(track, stoppingToken)),
        ];
        await foreach (var ended in Task.WhenEach(tracks)) await ended;   // none ends by itself: one that fails fails the demo
    }

    private static bool IsStorm(string name) => name.Contains("storm", StringComparison.Ordinal);

    private static bool IsLifecycle(string name) => name.Contains("lifecycle", StringComparison.Ordinal);

    private async Task LoopAsync(DemoTrack track, CancellationToken cancellation)
    {
        await Task.Delay(track.First, time, cancellation);
        while (true)
        {
            foreach (var name in track.Names)
            {
                await PlayAsync(new Replay(Recording.Load(name), time.GetUtcNow(), LongestGap).Bodies(), cancellation);
                await Task.Delay(track.Pause, time, cancellation);
            }
        }
    }

    /// <summary>Sends each body when it is due, one after another; a slow sink makes the rest late, never lost.</summary>
    internal async Task PlayAsync(IEnumerable<DemoBody> bodies, CancellationToken cancellation)
    {
        foreach (var (due, body) in bodies)
        {
            cancellation.ThrowIfCancellationRequested();
            var wait = due - time.GetUtcNow();
            if (wait > TimeSpan.Zero) await Task.Delay(wait + TimeSpan.FromMilliseconds(1), time, cancellation);   // a delay is cut to whole milliseconds
            try
            {
                await sink.SendAsync(body, cancellation);
            }
            catch (Exception refusal) when (!cancellation.IsCancellationRequested)
            {
                Refused(refusal);   // one body less: the show goes on
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "The demo begins: an invented fleet and {Recordings} recordings of real brokers, over and over")]
    private partial void Begins(int recordings);

    [LoggerMessage(LogLevel.Warning, "The demo could not deliver one webhook and goes on with the next")]
    private partial void Refused(Exception refusal);
}

/// <summary>Recordings that are played in turn, over and over.</summary>
/// <param name="First">The wait before the first one.</param>
/// <param name="Pause">The wait after each.</param>
internal sealed record DemoTrack(IReadOnlyList<string> Names, TimeSpan First, TimeSpan Pause);

/// <summary>Registers the demo. The host adds an <see cref="IDemoSink"/>.</summary>
public static class DemoRegistration
{
    public static IServiceCollection AddDemo(this IServiceCollection services) => services.AddHostedService<DemoPlayer>();
}
