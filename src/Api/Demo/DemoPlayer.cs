namespace WebhookService.Api.Demo;

/// <summary>Where the demo hands its webhook bodies: the ingest path, as if each had come by HTTP.</summary>
public interface IDemoSink
{
    /// <summary>Takes one body in. Called from several tasks at once, like a broker's connections.</summary>
    Task SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation);
}

/// <summary>Gives the API and the dashboard something to show: an invented fleet that lives on without end, and beside it recordings
/// of real brokers with fresh times, each broker's in a loop.</summary>
internal sealed partial class DemoPlayer(IDemoSink sink, TimeProvider time, ILogger<DemoPlayer> logger) : BackgroundService
{
    private const int Seed = 20_260_101;

    /// <summary>Nobody watches a demo wait for a keepalive to run out.</summary>
    public static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan BetweenRecordings = TimeSpan.FromSeconds(15);

    /// <summary>A storm is thousands of requests in two seconds: worth seeing, not all the time.</summary>
    private static readonly TimeSpan BetweenStorms = TimeSpan.FromMinutes(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (storms, calm) = (Recording.Names.Where(IsStorm), Recording.Names.Where(name => !IsStorm(name)));
        var brokers = calm.GroupBy(name => name[..name.IndexOf('-', StringComparison.Ordinal)], StringComparer.Ordinal);
        Begins(Recording.Names.Count);

        Task[] tracks =
        [
            PlayAsync(DemoFleet.Bodies(Seed, time), stoppingToken),
            .. brokers.Select(names => LoopAsync([.. names], BetweenRecordings, stoppingToken)),
            .. storms.Select(name => LoopAsync([name], BetweenStorms, stoppingToken)),
        ];
        await foreach (var ended in Task.WhenEach(tracks)) await ended;   // none ends by itself: one that fails fails the demo
    }

    private static bool IsStorm(string name) => name.Contains("storm", StringComparison.Ordinal);

    private async Task LoopAsync(string[] names, TimeSpan pause, CancellationToken cancellation)
    {
        while (true)
        {
            foreach (var name in names)
            {
                await Task.Delay(pause, time, cancellation);
                await PlayAsync(new Replay(Recording.Load(name), time.GetUtcNow(), LongestGap).Bodies(), cancellation);
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

/// <summary>Registers the demo. The host adds an <see cref="IDemoSink"/>.</summary>
public static class DemoRegistration
{
    public static IServiceCollection AddDemo(this IServiceCollection services) => services.AddHostedService<DemoPlayer>();
}
