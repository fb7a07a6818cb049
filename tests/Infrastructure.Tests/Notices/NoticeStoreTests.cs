using Microsoft.Extensions.Options;
using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Notices;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Notices;

/// <summary>Notices and outboxes on disk, and the worker that meets their times.</summary>
public sealed class NoticeStoreTests
{
    private static readonly DateTimeOffset Noon = AMessage.Noon;

    private static readonly (string, string)[] Target =
    [
        ("Notices:Targets:ops:Url", "https://hooks.example.com/x"), ("Notices:Targets:ops:MessagesPerMinute", "1"), ("Handlers:notice-target-ops:Enabled", "false"),
    ];

    private static readonly (string, string)[] Rule =
    [
        .. Target, ("Notices:Rules:gone:Kind", "offline"), ("Notices:Rules:gone:Hold", "00:01:00"), ("Notices:Rules:gone:Targets:0", "ops"),
        ("Handlers:notice-rule-gone:Enabled", "true"),
    ];

    private readonly AClock clock = new(Noon);

    [Fact]
    public async Task A_notice_comes_back_as_it_was_saved()
    {
        await using var store = await AStore.OpenAsync(clock, Rule);
        await TellAsync(store, "pump-7", new NoticeFact.Begins("is offline"), 3);

        Assert.Equal(Outcome.Repeated, await TellAsync(store, "pump-7", new NoticeFact.Begins("is offline"), 3));
        var view = Assert.Single((await store.SendAsync(new ListNotices(null, [], new(10, null)))).Items);

        Assert.Equal(("gone", NoticeState.Pending, "pump-7", "is offline"), (view.Rule, view.State, view.Subject, view.Why));
        Assert.Equal((Noon, Noon.AddMinutes(1), null), (view.Since, view.DueAt, view.RaisedAt));
        Assert.Equal(Outcome.Applied, await TellAsync(store, "pump-7", new NoticeFact.Ends("is online"), 4));
        Assert.Empty((await store.SendAsync(new ListNotices(null, [], new(10, null)))).Items);
    }

    [Fact]
    public async Task What_waits_in_an_outbox_goes_after_a_restart_and_nothing_twice()
    {
        var first = await AStore.OpenAsync(clock, Rule);
        for (var n = 1; n <= 3; n++) await TellAsync(first, $"pump-{n}", new NoticeFact.Begins("is offline"), n);
        await UntilAsync(() => Events(first).Count == 4); // three raised, of which one is told
        Assert.Equal([2L], first.Query<long>("SELECT json_array_length(waiting) FROM notice_outboxes"));

        await using var store = await first.RestartAsync(settings: Rule);
        await first.DisposeAsync();
        await UntilAsync(() => Events(store).Count == 5);

        Assert.Equal(["notice.dispatched", "notice.dispatched"], Events(store).Where(type => type == "notice.dispatched"));
        Assert.Equal([0L], store.Query<long>("SELECT json_array_length(waiting) FROM notice_outboxes"));
        var bundle = store.Query<string>("SELECT data FROM journal ORDER BY seq DESC LIMIT 1").Single();
        Assert.Contains("pump-2", bundle, StringComparison.Ordinal);
        Assert.Contains("pump-3", bundle, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rules_and_targets_that_are_gone_leave_nothing()
    {
        var first = await AStore.OpenAsync(clock, Rule);
        await TellAsync(first, "pump-1", new NoticeFact.Begins("is offline"), 1);
        await UntilAsync(() => Events(first).Count == 2);

        await using var store = await first.RestartAsync(settings: []);
        await first.DisposeAsync();

        await UntilAsync(() => store.Query<long>("SELECT (SELECT count(*) FROM notices) + (SELECT count(*) FROM notice_outboxes)").Single() == 0);
    }

    private static Task<Outcome> TellAsync(AStore store, string client, NoticeFact fact, long seq)
    {
        var rule = store.Get<IOptions<NoticesOptions>>().Value.FindRule("gone")!;
        return store.SendAsync(new TellNotice(rule, new("gone", NoticeKind.Offline, client), new(Noon, seq), fact, IsReplay: false));
    }

    private static List<string> Events(AStore store) =>
        [.. store.Query<string>("SELECT e.name FROM journal JOIN event_types e USING (type_no) ORDER BY seq").Where(type => type.StartsWith("notice.", StringComparison.Ordinal))];

    private Task UntilAsync(Func<bool> condition) => Eventually.IsAsync(() =>
    {
        var isSo = condition();
        if (!isSo) clock.Advance(TimeSpan.FromSeconds(0.5));
        return Task.FromResult(isSo);
    });
}
