using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Domain.Tests.Sessions;
using WebhookService.Lives;
using static WebhookService.Domain.Tests.Sessions.SessionSetProperties;

namespace WebhookService.Domain.Tests.Devices;

/// <summary>Messages and wills among the reports of a life: evidence while a connect is missing, and nothing once all is told.</summary>
public sealed class SignOfLifeProperties
{
    private static readonly Observation Seen = new(AHistory.Now, PresenceRules.Default);

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    public void Neither_messages_nor_wills_change_what_the_sessions_say_once_all_is_told(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        if (!IsDecidable(life) || life.Connections().Any(one => one.IsHalfOpen)) return;
        var random = new Random(life.Seed);

        var (device, set) = Told([.. Reports(life.Reports()), .. Signs(life, random)], random);

        Assert.Equal(Truth(life), device.Connectivity.Status);
        Assert.Equal(set.Presence(PresenceRules.Default).Confidence, device.Connectivity.FreshConfidence);
    });

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    [InlineData(Dialect.Arrival)]
    public void No_sign_of_life_makes_a_state_confirmed(Dialect dialect) => AnyLife.Holds(dialect, life =>
    {
        var random = new Random(life.Seed);

        var (device, set) = Told([.. Reports(life.Reports().Delayed(random).WithLoss(random)), .. Signs(life, random)], random);

        var says = set.Presence(PresenceRules.Default);
        if (device.Connectivity.FreshConfidence is Confidence.Confirmed)
            Assert.Equal((says.Status, says.Confidence), (device.Connectivity.Status, device.Connectivity.FreshConfidence));
    });

    private delegate void Fact(Device device, SessionSet set);

    private static IEnumerable<Fact> Reports(IReadOnlyList<BrokerReport> reports) => reports.Select(report => new Fact((device, set) =>
    {
        var starts = set.Starts;
        if (report.Tell(set, Seen) is not Outcome.Repeated) device.Follow(set, set.Starts > starts, Seen);
    }));

    /// <summary>Of each connection a message while it was open, and its will in the moment of its end or a little later.</summary>
    private static IEnumerable<Fact> Signs(Life life, Random random)
    {
        foreach (var one in life.Connections())
        {
            var peer = life.Dialect is Dialect.ConnectedAt or Dialect.Peername ? one.Peer : null;
            yield return Sign(one.ConnectedAt.AddMilliseconds(random.NextInt64((one.End ?? one.Start + 60_000) - one.Start + 1)), peer);
            if (one.End is not null) yield return Sign(one.DisconnectedAt.AddMilliseconds(random.Next(3_000)), peer);
        }

        static Fact Sign(DateTimeOffset at, string? peer) => (device, _) => device.Showed(at, peer, Seen);
    }

    private static (Device, SessionSet) Told(Fact[] facts, Random random)
    {
        var (device, set) = (Device.Discovered(AHistory.Client, AHistory.Noon), new SessionSet(AHistory.Client));
        random.Shuffle(facts);
        foreach (var fact in facts) fact(device, set);
        return (device, set);
    }
}
