using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Sessions;
using static WebhookService.Domain.Tests.Sessions.AHistory;

namespace WebhookService.Domain.Tests.Devices;

/// <summary>What must hold of deadlines for any life. All times are whole seconds, so that two watchers can meet them at the same moments.</summary>
public sealed class DeadlineProperties
{
    private const int Rest = 700; // after the last thing that happens: long enough for all that follows from it

    private static readonly PresenceRules Short = new()
    {
        OfflineHold = TimeSpan.FromSeconds(20),
        TakeoverHold = TimeSpan.FromSeconds(6),
        VerifyAfter = TimeSpan.FromSeconds(3),
        StaleAfter = TimeSpan.FromSeconds(60),
        ExpireAfter = TimeSpan.FromSeconds(120),
        FlappingWindow = TimeSpan.FromSeconds(90),
        FlappingStarts = 4,
        FlappingCalm = 2,
        MessageInterval = TimeSpan.FromSeconds(40),
    };

    private enum Kind
    {
        Connects,
        Leaves,
        IsTakenOver,
        Publishes,
        ShowsFromElsewhere,
        Subscribes,
        IsListed,
        AllAreListed,
        IsAbsent,
        IsDoubted,
        IsDescribed,
        ServiceRestarts,
    }

    /// <param name="Wait">Seconds since what happened before it.</param>
    /// <param name="Late">How long the report takes, or how long the service is down.</param>
    private sealed record Happening(int Wait, int Late, Kind Kind, int Which);

    private sealed record Story(IReadOnlyList<Happening> Happenings, bool CanVerify)
    {
        public override string ToString() => $"can verify: {CanVerify}\n" + string.Join('\n', Happenings);
    }

    private static Arbitrary<Story> AnyStory { get; } = Arb.From(
        from happenings in Gen.NonEmptyListOf(
            from wait in Gen.OneOf(Gen.Choose(0, 3), Gen.Choose(0, 30), Gen.Choose(30, 250))
            from late in Gen.Frequency((5, Gen.Constant(0)), (2, Gen.Choose(1, 9)), (1, Gen.Choose(10, 150)))
            from kind in Gen.Elements(Enum.GetValues<Kind>().Concat([Kind.Connects, Kind.Connects, Kind.Leaves, Kind.Leaves, Kind.Publishes]).ToArray())
            from which in Gen.Choose(0, 100)
            select new Happening(wait, late, kind, which))
        from canVerify in Gen.Elements(true, false)
        select new Story([.. happenings], canVerify),
        story => Enumerable.Range(0, story.Happenings.Count).Where(_ => story.Happenings.Count > 1)
            .Select(gone => story with { Happenings = [.. story.Happenings.Where((_, i) => i != gone)] }));

    [Fact]
    public void Who_looks_only_when_a_device_is_due_hears_the_same_as_who_looks_every_second() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(40),
        Prop.ForAll(AnyStory, story =>
        {
            var (restless, patient) = (Played(story, everySecond: true), Played(story, everySecond: false));

            Assert.Equal(Words(restless), Words(patient));
            Assert.Equal(restless.Wishes, patient.Wishes);
        }));

    private static IEnumerable<string> Words(AWatchedDevice device) => device.TakeTold().Select(one => $"at {one.At}: {one.Event}");

    private static AWatchedDevice Played(Story story, bool everySecond)
    {
        var (device, connects, second) = (new AWatchedDevice(Short) { CanVerify = story.CanVerify, Grace = TimeSpan.FromSeconds(10) }, new List<int>(), 0);
        foreach (var one in story.Happenings)
        {
            Go(second + one.Wait);
            if (one.Kind is Kind.ServiceRestarts)
            {
                second += one.Late;
                var listedAt = device.ListedAt;
                device.Restarted(second);
                device.ListedAt = listedAt; // a start forgets it, and who was to look later because of it still does
            }
            else
                Happen(device, one, second, connects);
        }
        Go(second + Rest);
        return device;

        void Go(int until)
        {
            Look();
            while (second < until)
            {
                device.Later(++second);
                Look();
            }
        }

        void Look()
        {
            if (everySecond) device.Look().Look(); // what the first made due at once comes at once
            device.Watched(second);
            Assert.False(device.DueAt <= second);
        }
    }

    private static void Happen(AWatchedDevice device, Happening one, int now, List<int> connects)
    {
        // What comes in after a start about the time before it can take a grace away, and makes nothing due by that: it is met at the end of the grace.
        var at = Math.Max(now - one.Late, (int)Math.Max(0, (device.UpSince - Noon).TotalSeconds));
        var (newest, node) = (connects.Count > 0 ? connects[^1] : (int?)null, one.Which % 3 == 0 ? "n2" : "n1");
        switch (one.Kind)
        {
            case Kind.Connects:
                connects.Add(at);
                device.Connected(
                    at, new int?[] { null, 0, 20, 60, 100 }[one.Which % 5], "n1", $"10.0.0.1:{one.Which}", clean: one.Which % 2 == 0,
                    new long?[] { 0, 30, 4_294_967_295, null }[one.Which % 4]);
                break;
            case Kind.Leaves when newest is { } start:
                device.Disconnected(start, Math.Max(start, at), one.Which % 2 == 0 ? "normal" : "keepalive_timeout");
                break;
            case Kind.IsTakenOver when newest is { } start:
                device.Disconnected(start, Math.Max(start, at), one.Which % 2 == 0 ? "takenover" : "discarded");
                break;
            case Kind.Publishes:
                device.Published(at);
                break;
            case Kind.ShowsFromElsewhere:
                device.Showed(at, $"10.0.0.2:{one.Which}");
                break;
            case Kind.Subscribes:
                device.Subscribed(at);
                break;
            case Kind.IsListed:
                connects.Add(at);
                device.Listed(at, now, node);
                break;
            case Kind.AllAreListed:
                if (!(device.ListedAt > At(at))) device.ListedAt = At(at); // a later list is of a later moment
                break;
            case Kind.IsAbsent:
                device.Absent(at);
                break;
            case Kind.IsDoubted:
                device.Doubted();
                break;
            case Kind.IsDescribed:
                device.Expects(new double?[] { null, 5, 25, 100 }[one.Which % 4]);
                break;
            default:
                break; // nobody is there to leave
        }
    }
}
