using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Notices;

namespace WebhookService.Domain.Tests.Notices;

/// <summary>What must hold whatever a notice is told, in any order and as often as it comes.</summary>
public sealed class NoticeProperties
{
    /// <param name="Seq">Its place in the journal; facts come in any order, and the same one again.</param>
    /// <param name="Wait">Seconds since the one before.</param>
    private sealed record Fact(int Seq, int Wait, int What);

    private sealed record Story(IReadOnlyList<Fact> Facts, int Hold, NoticeKind Kind)
    {
        public override string ToString() => $"{Kind}, hold {Hold}\n" + string.Join('\n', Facts);
    }

    private static Arbitrary<Story> AnyStory { get; } = Arb.From(
        from facts in Gen.NonEmptyListOf(
            from seq in Gen.Choose(1, 30)
            from wait in Gen.Choose(0, 20)
            from what in Gen.Choose(60, 90)
            select new Fact(seq, wait, what))
        from hold in Gen.Elements(0, 10, 30)
        from kind in Gen.Elements(NoticeKind.Offline, NoticeKind.Threshold, NoticeKind.DeadLetter)
        select new Story([.. facts], hold, kind));

    [Fact]
    public void Raised_and_cleared_take_turns() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(AnyStory, story =>
    {
        var said = Told(story, twice: false).Said;

        Assert.DoesNotContain("++", said, StringComparison.Ordinal);
        Assert.DoesNotContain("--", said, StringComparison.Ordinal);
        Assert.False(said.StartsWith('-'));
    }));

    [Fact]
    public void What_is_told_twice_says_the_same_as_what_is_told_once() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(AnyStory, story =>
    {
        if (story.Kind is NoticeKind.DeadLetter) return; // who counts sees to it
        var (once, twice) = (Told(story, twice: false), Told(story, twice: true));

        Assert.Equal(once.Notice.TakeEvents(), twice.Notice.TakeEvents());
        Assert.Equal((once.Notice.State, once.Notice.DueAt, once.Notice.Value), (twice.Notice.State, twice.Notice.DueAt, twice.Notice.Value));
    }));

    [Fact]
    public void It_comes_to_rest_as_its_newest_fact_says() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(AnyStory, story =>
    {
        if (story.Kind is not NoticeKind.Offline) return;
        var notice = Told(story, twice: false);
        var newest = story.Facts.Select((fact, order) => (fact, order)).OrderByDescending(one => one.fact.Seq).ThenBy(one => one.order).First().fact;

        Assert.Equal(newest.What > 75 ? NoticeState.Raised : NoticeState.Clear, notice.Notice.State);
    }));

    /// <summary>Time passes before each fact, and at the end for long enough.</summary>
    private static ANotice Told(Story story, bool twice)
    {
        var notice = new ANotice(story.Kind, story.Hold);
        foreach (var fact in story.Facts)
        {
            notice.Pass(notice.Now + fact.Wait);
            for (var times = twice ? 2 : 1; times > 0; times--)
                if (story.Kind is NoticeKind.Threshold) notice.Measured(fact.What, at: fact.Seq, journal: fact.Seq);
                else if (story.Kind is NoticeKind.Offline && fact.What > 75) notice.Begins(fact.Seq);
                else if (story.Kind is NoticeKind.Offline) notice.Ends(fact.Seq);
                else if (fact.What > 75) notice.Counted(fact.Seq);
                else notice.Notice.Emptied("none left", ANotice.At(notice.Now));
        }
        notice.Pass(notice.Now + 1_000);
        return notice;
    }
}
