using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Notices;

namespace WebhookService.Domain.Tests.Notices;

public sealed class OutboxTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_few_notices_go_one_by_one_and_the_rest_together_when_the_minute_is_over()
    {
        var outbox = new Outbox("ops");

        for (var n = 0; n < 100; n++) outbox.Take(Line(n, isCleared: n >= 90), new ClientId($"pump-{n}"), 3, Noon.AddMilliseconds(n));
        Assert.Equal(Outcome.Repeated, outbox.Pass(Noon.AddSeconds(59)));
        Assert.Equal((Noon.AddMinutes(1), Outcome.Applied), (outbox.DueAt, outbox.Pass(Noon.AddMinutes(1))));

        var sent = Sent(outbox);
        Assert.Equal(["pump-0", "pump-1", "pump-2", null], sent.Select(one => one.Device?.Value));
        Assert.Equal(["pump-0", "pump-1", "pump-2"], sent.Take(3).Select(one => Assert.Single(one.Notices).Subject));
        Assert.Equal(Enumerable.Range(3, 20).Select(n => $"pump-{n}"), sent[3].Notices.Select(line => line.Subject));
        Assert.Equal((67, 10), (sent[3].MoreRaised, sent[3].MoreCleared));
        Assert.Null(outbox.DueAt);
    }

    [Fact]
    public void The_bundle_is_the_first_message_of_the_next_minute()
    {
        var outbox = new Outbox("ops");
        for (var n = 0; n < 3; n++) outbox.Take(Line(n), null, 2, Noon);
        outbox.Pass(Noon.AddMinutes(1));

        outbox.Take(Line(4), null, 2, Noon.AddSeconds(61));
        outbox.Take(Line(5), null, 2, Noon.AddSeconds(62));

        Assert.Equal(4, Sent(outbox).Count);
        Assert.Equal((1, Noon.AddMinutes(2)), (outbox.Waiting.Count, outbox.DueAt));
    }

    [Fact]
    public void A_minute_without_a_bundle_leaves_no_debt()
    {
        var outbox = new Outbox("ops");

        for (var n = 0; n < 6; n++) outbox.Take(Line(n), null, 2, Noon.AddMinutes(n / 2));

        Assert.Equal(6, Sent(outbox).Count);
    }

    [Fact]
    public void Without_a_limit_each_goes_by_itself()
    {
        var outbox = new Outbox("ops");

        for (var n = 0; n < 1_000; n++) outbox.Take(Line(n), null, 0, Noon);

        Assert.Equal(1_000, Sent(outbox).Count);
        Assert.Null(outbox.DueAt);
    }

    [Fact]
    public void None_is_lost_and_no_minute_has_more_messages_than_the_target_takes() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300),
        Prop.ForAll(Arb.From(Gen.NonEmptyListOf(Gen.Frequency((20, Gen.Choose(0, 500)), (1, Gen.Choose(0, 90_000))))), Arb.From(Gen.Choose(1, 5)), (waits, perMinute) =>
        {
            var (outbox, now) = (new Outbox("ops"), Noon);
            foreach (var (n, wait) in waits.Index())
            {
                now = now.AddMilliseconds(wait);
                outbox.Pass(now);
                outbox.Take(Line(n, isCleared: n % 3 == 0), null, perMinute, now);
            }
            outbox.Pass(now.AddMinutes(2));

            var sent = Sent(outbox);
            Assert.Equal(waits.Count, sent.Sum(one => one.Notices.Count + one.MoreRaised + one.MoreCleared));
            Assert.Equal(waits.Count, sent.SelectMany(one => one.Notices.Select(line => line.Subject)).Distinct().Count() + sent.Sum(one => one.MoreRaised + one.MoreCleared));
            Assert.True(sent.Count <= perMinute * (2 + ((now - Noon).TotalMinutes * 2)), $"{sent.Count} messages");
        }));

    private static List<NoticeDispatched> Sent(Outbox outbox) => [.. outbox.TakeEvents().Cast<NoticeDispatched>()];

    private static NoticeLine Line(int n, bool isCleared = false) => new("rule", NoticeKind.Offline, isCleared, $"pump-{n}", null, Noon, Noon, isCleared ? Noon : null, "why", null);
}
