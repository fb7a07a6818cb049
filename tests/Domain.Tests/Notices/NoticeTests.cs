using WebhookService.Domain.Notices;
using static WebhookService.Domain.Tests.Notices.ANotice;

namespace WebhookService.Domain.Tests.Notices;

public sealed class NoticeTests
{
    [Fact]
    public void Without_a_hold_it_is_raised_at_once_and_cleared_when_it_ends()
    {
        var notice = new ANotice();

        notice.Begins(at: -5);
        var raised = Assert.IsType<NoticeRaised>(Assert.Single(notice.Notice.TakeEvents()));
        notice.Now = 60;
        notice.Ends(at: 50);
        var cleared = Assert.IsType<NoticeCleared>(Assert.Single(notice.Notice.TakeEvents()));

        Assert.Equal(new NoticeRaised("rule", NoticeKind.Offline, new ClientId("pump-7"), null, null, At(0), At(-5), "begins", null), raised);
        Assert.Equal(new NoticeCleared("rule", NoticeKind.Offline, new ClientId("pump-7"), null, null, At(60), At(-5), At(50), "ends", null), cleared);
    }

    [Fact]
    public void It_waits_for_the_hold_and_says_nothing_of_what_ends_before()
    {
        var notice = new ANotice(hold: 60);

        notice.Begins();
        Assert.Equal((NoticeState.Pending, At(60)), (notice.Notice.State, notice.Notice.DueAt));
        Assert.Equal(Outcome.Repeated, notice.Pass(59));
        notice.Ends();
        Assert.Equal(Outcome.Repeated, notice.Pass(61));

        Assert.Equal("", notice.Said);
        Assert.Equal((NoticeState.Clear, null), (notice.Notice.State, notice.Notice.DueAt));
    }

    [Fact]
    public void It_is_raised_when_the_hold_is_over_and_only_once()
    {
        var notice = new ANotice(hold: 60);

        notice.Begins();
        Assert.Equal(Outcome.Applied, notice.Pass(60));
        Assert.Equal(Outcome.Repeated, notice.Pass(61));
        notice.Begins();

        Assert.Equal("+", notice.Said);
        Assert.Equal((At(0), At(60)), (notice.Notice.Since, notice.Notice.RaisedAt));
    }

    [Fact]
    public void The_hold_counts_from_when_it_is_told_for_the_end_may_be_on_its_way()
    {
        var notice = new ANotice(hold: 60) { Now = 3_600 };

        notice.Begins(at: 0);

        Assert.Equal((At(3_660), At(0)), (notice.Notice.DueAt, notice.Notice.Since));
    }

    [Fact]
    public void What_the_journal_has_earlier_changes_nothing_whatever_time_it_speaks_of()
    {
        var notice = new ANotice();

        notice.Begins(journal: 7, at: 10);
        Assert.Equal(Outcome.Applied, notice.Ends(journal: 9, at: 5)); // a session of before turned out to live
        Assert.Equal(Outcome.Repeated, notice.Ends(journal: 9, at: 5));
        Assert.Equal(Outcome.Overtaken, notice.Begins(journal: 7, at: 10));

        Assert.Equal("+-", notice.Said);
    }

    [Fact]
    public void A_value_between_the_limits_changes_nothing_once_it_is_raised()
    {
        var notice = new ANotice(NoticeKind.Threshold);

        var said = new[] { 80, 80.5, 79, 71, 90, 70, 75, 80, 81 }.Select((value, second) =>
        {
            notice.Now = second;
            notice.Measured(value);
            return notice.Said;
        });

        Assert.Equal(["", "+", "", "", "", "-", "", "", "+"], said);
    }

    [Fact]
    public void A_value_has_to_stay_beyond_the_limit_for_the_whole_hold()
    {
        var notice = new ANotice(NoticeKind.Threshold, hold: 60);

        notice.Measured(85);
        notice.Now = 30;
        notice.Measured(79); // between the limits
        notice.Now = 40;
        notice.Measured(95);
        Assert.Equal(Outcome.Repeated, notice.Pass(99));
        notice.Now = 70;
        notice.Measured(99);
        notice.Pass(100);

        var raised = Assert.IsType<NoticeRaised>(Assert.Single(notice.Notice.TakeEvents()));
        Assert.Equal((At(40), 99), (raised.Since, raised.Value));
    }

    [Fact]
    public void A_late_value_does_not_count()
    {
        var notice = new ANotice(NoticeKind.Threshold) { Now = 100 };
        notice.Measured(50, at: 90, journal: 5);

        Assert.Equal(Outcome.Overtaken, notice.Measured(99, at: 80, journal: 6));
        Assert.Equal(Outcome.Overtaken, notice.Measured(99, at: 90, journal: 4));
        Assert.Equal(Outcome.Repeated, notice.Measured(50, at: 90, journal: 5));
        Assert.Equal("", notice.Said);
        Assert.Equal(Outcome.Applied, notice.Measured(99, at: 90, journal: 6));
    }

    [Fact]
    public void What_is_counted_is_raised_once_with_the_number_at_that_time()
    {
        var notice = new ANotice(NoticeKind.DeadLetter, hold: 60);

        notice.Counted(3);
        notice.Now = 59;
        notice.Counted(1_000);
        notice.Pass(60);
        notice.Counted(5);

        var raised = Assert.IsType<NoticeRaised>(Assert.Single(notice.Notice.TakeEvents()));
        Assert.Equal((1_003, "pump-7", null), (raised.Value, raised.Handler, raised.Client));
        Assert.Equal(1_008, notice.Notice.Value);
        notice.Notice.Emptied("none left", At(90));
        Assert.Equal("-", notice.Said);
        notice.Counted(2);
        Assert.Equal(2, notice.Notice.Value);
    }

    [Theory]
    [InlineData(double.NaN, true, 0)]
    [InlineData(1, true, double.PositiveInfinity)]
    [InlineData(80, true, 80.1)]
    [InlineData(10, false, 9.9)]
    public void A_limit_that_clears_before_it_raises_is_refused(double limit, bool isAbove, double clearAt) =>
        Assert.Throws<DomainException>(() => new Threshold(limit, isAbove, clearAt));

    [Fact]
    public void A_lower_limit_is_the_mirror_of_an_upper_one()
    {
        var low = new Threshold(10, isAbove: false, clearAt: 15);

        Assert.Equal(
            [Judgement.Beyond, Judgement.Between, Judgement.Between, Judgement.Normal, Judgement.Normal],
            new[] { 9.9, 10, 14.9, 15, 20 }.Select(low.Judge));
    }
}
