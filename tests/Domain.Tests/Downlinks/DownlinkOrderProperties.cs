using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Downlinks;
using static WebhookService.Domain.Tests.Downlinks.ADownlink;

namespace WebhookService.Domain.Tests.Downlinks;

/// <summary>Whatever happens to a message, its downlink ends the same, in whichever order and however often it is told.</summary>
public sealed class DownlinkOrderProperties
{
    private enum Fact
    {
        Answered,
        Published,
        Delivered,
        Acked,
        DroppedForDevice,
        DroppedForAll,
        DeliveredToAnother,
        DeadlinePassed,
    }

    public static Arbitrary<(int Qos, PublishResult Answer, int[] Facts, int Seed)> Lives() => (
        from qos in Gen.Choose(0, 2)
        from answer in Gen.Elements(PublishResult.Taken, PublishResult.NoSubscriber, PublishResult.Unknown)
        from facts in Gen.SubListOf(Enum.GetValues<Fact>().Where(fact => fact is not Fact.Answered).Select(fact => (int)fact))
        from seed in Gen.Choose(0, int.MaxValue)
        select (qos, answer, facts.ToArray(), seed)).ToArbitrary();

    [Fact]
    public void The_order_and_repetition_of_facts_make_no_difference() => Prop.ForAll(Lives(), life =>
    {
        var facts = life.Facts.Select(fact => (Fact)fact).Append(Fact.Answered).ToArray();
        var random = new Random(life.Seed);
        var shuffled = facts.Concat(facts.Where(_ => random.Next(2) == 0)).ToArray();
        random.Shuffle(shuffled);

        return (Told(life.Qos, life.Answer, facts), Told(life.Qos, life.Answer, shuffled)) is var (one, other) && one == other;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));

    [Fact]
    public void No_fact_is_told_to_the_journal_twice() => Prop.ForAll(Lives(), life =>
    {
        var facts = life.Facts.Select(fact => (Fact)fact).Append(Fact.Answered).ToArray();
        var random = new Random(life.Seed);
        var shuffled = facts.Concat(facts).ToArray();
        random.Shuffle(shuffled);
        var told = new List<Type>();
        Told(life.Qos, life.Answer, shuffled, told);

        told.RemoveAll(type => type == typeof(DownlinkTimedOut)); // a status, no fact: a retained message that found nobody may be waited for again
        return told.Distinct().Count() == told.Count;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));

    private static (DownlinkStatus, DateTimeOffset?, DateTimeOffset?, DateTimeOffset?, string?, bool) Told(int qos, PublishResult answer, Fact[] facts, List<Type>? told = null)
    {
        var (downlink, message, now, heard) = (Accepted(qos), MessageOf(), At(1), false);
        foreach (var fact in facts)
        {
            switch (fact)
            {
                case Fact.Answered:
                    downlink.Answered(new(answer, Given), now);
                    break;
                case Fact.DeadlinePassed:
                    now = At(60);
                    break;
                case Fact.Published:
                    message.Published(message.Content);
                    break;
                case Fact.Delivered:
                    message.Delivered(Device, At(0.03), duplicate: false, Math.Min(qos, 1));
                    break;
                case Fact.Acked:
                    message.Acked(Device, At(0.04));
                    break;
                case Fact.DroppedForDevice:
                    message.DroppedFor(Device, At(0.05), "expired");
                    break;
                case Fact.DroppedForAll:
                    message.Dropped(At(0.05), "no_subscribers");
                    break;
                case Fact.DeliveredToAnother:
                    message.Delivered(Other, At(0.03), duplicate: false, 1);
                    break;
            }
            heard |= fact is not (Fact.Answered or Fact.DeadlinePassed);
            if (heard && downlink.Answer is not null) downlink.Reported(message, now); // reports that come before the answer are looked up then
            downlink.Pass(now); // as the worker does when something is due
        }
        told?.AddRange(downlink.TakeEvents().Select(happened => happened.GetType()));
        return (downlink.Status, downlink.DeliveredAt, downlink.AckedAt, downlink.DroppedAt, downlink.DropReason, downlink.IsFinished);
    }
}
