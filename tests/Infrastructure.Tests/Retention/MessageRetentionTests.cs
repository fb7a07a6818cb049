using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Messages;
using WebhookService.Application.Stats;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Retention;

public sealed class MessageRetentionTests
{
    private static readonly (string, string) NoLatest = ("LatestMessages", "0");

    [Fact]
    public async Task Messages_go_with_their_deliveries_when_they_are_too_old_and_no_newer_one_does()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxAge", "1.00:00:00"), NoLatest);
        for (var i = 1; i <= 200; i++) await kept.PublishAsync(i);
        await kept.DeliverAsync(1, "receiver");
        await kept.PassAsync(TimeSpan.FromHours(23));
        for (var i = 201; i <= 300; i++) await kept.PublishAsync(i, at: kept.Now.AddDays(-3)); // published long ago, received now
        await kept.DeliverAsync(300, "receiver");
        Assert.Equal(300, kept.Messages.Count);

        await kept.PassAsync(TimeSpan.FromHours(2));

        Assert.Equal(Enumerable.Range(201, 100), kept.Messages);
        Assert.Equal(1, kept.Count("deliveries"));

        await kept.PassAsync(TimeSpan.FromHours(23));

        Assert.Equal((0, 0), (kept.Count("messages"), kept.Count("deliveries")));
    }

    [Fact]
    public async Task Of_too_many_messages_exactly_the_newest_stay()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "100"), NoLatest);
        for (var i = 1; i <= 350; i++) await kept.PublishAsync(i, $"c{i % 7}", $"t{i % 11}");

        await kept.RoundAsync();

        Assert.Equal(Enumerable.Range(251, 100), kept.Messages);
        Assert.Equal(100, (await kept.Store.SendAsync(new GetStats())).Messages.Total);
    }

    [Fact]
    public async Task The_last_message_of_each_topic_of_a_device_stays_until_there_is_a_newer_one()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxAge", "1.00:00:00"));
        await kept.PublishAsync(1, topic: "a");
        await kept.PublishAsync(2, topic: "b");
        await kept.PublishAsync(3, topic: "a");
        await kept.PublishAsync(4, "other", "a");
        await kept.PublishAsync(5, topic: "late", at: kept.Now);
        await kept.PublishAsync(6, topic: "late", at: kept.Now.AddHours(-1)); // received later, but published before
        await kept.PassAsync(TimeSpan.FromDays(2));

        Assert.Equal([2, 3, 4, 5], kept.Messages);
        Assert.Equal(["a:03", "b:02", "late:05"], await StateAsync(kept));
        Assert.Equal(4, (await kept.Store.SendAsync(new GetStats())).Messages.Total);

        await kept.PublishAsync(7, topic: "a");
        await kept.PassAsync(TimeSpan.FromHours(1));
        Assert.Equal([2, 3, 4, 5, 7], kept.Messages); // the newer one is not too old, and nothing was looked at yet
        await kept.PassAsync(TimeSpan.FromDays(2));

        Assert.Equal([2, 4, 5, 7], kept.Messages);
        Assert.Equal(["a:07", "b:02", "late:05"], await StateAsync(kept));
        Assert.Equal(4, kept.Store.Query<long>("SELECT value FROM counters WHERE name = 'messages.latest'").Single());
    }

    [Fact]
    public async Task Of_the_last_messages_only_so_many_stay_the_newest()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1"), ("LatestMessages", "50"));
        for (var i = 1; i <= 201; i++) await kept.PublishAsync(i, topic: $"request/{i}");

        await kept.RoundAsync();

        Assert.Equal(Enumerable.Range(151, 51), kept.Messages);
        Assert.Equal(51, kept.Count("topics")); // their names are gone too
    }

    [Fact]
    public async Task Last_messages_of_a_forgotten_device_are_not_counted()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1"), ("LatestMessages", "50"));
        for (var i = 1; i <= 40; i++) await kept.PublishAsync(i, "gone", $"t{i}");
        for (var i = 41; i <= 61; i++) await kept.PublishAsync(i, "here", $"t{i}");
        await kept.RoundAsync();
        while (await kept.Store.SendAsync(new ForgetDevice(new ClientId("gone"))) is not Forgotten.Completely) { }
        for (var i = 62; i <= 80; i++) await kept.PublishAsync(i, "here", $"t{i}");

        await kept.RoundAsync();

        Assert.Equal(Enumerable.Range(41, 40), kept.Messages);
    }

    [Fact]
    public async Task A_topic_of_which_nothing_was_left_can_be_published_to_again()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxAge", "1.00:00:00"), NoLatest);
        await kept.PublishAsync(1, topic: "rare");
        await kept.PassAsync(TimeSpan.FromDays(2));
        Assert.Equal(0, kept.Count("topics"));

        await kept.PublishAsync(2, topic: "rare");

        var page = await kept.Store.SendAsync(new ListMessages(new PageRequest(10, null)) { Topic = TopicFilter.Parse("rare") });
        Assert.Equal("rare", Assert.Single(page.Items).Topic);
    }

    [Fact]
    public async Task A_last_message_that_somebody_deleted_by_hand_holds_nothing_up()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1"));
        await kept.PublishAsync(1, topic: "a");
        await kept.PublishAsync(2, topic: "b");
        await kept.RoundAsync();
        using (var writing = kept.Store.Database.OpenForWriting()) Dapper.SqlMapper.Execute(writing, "DELETE FROM messages WHERE message_no = 1");
        await kept.PublishAsync(3, topic: "a");
        await kept.PublishAsync(4, topic: "b");

        await kept.RoundAsync();

        Assert.Equal([3, 4], kept.Messages);
        Assert.Equal(["a:03", "b:04"], await StateAsync(kept));
    }

    [Fact]
    public async Task A_client_of_which_nothing_was_left_on_a_topic_that_others_use_can_publish_to_it_again()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1"), NoLatest);
        await kept.PublishAsync(1, client: "one", topic: "shared");
        await kept.PublishAsync(2, client: "other", topic: "shared");
        await kept.RoundAsync();
        Assert.Equal(1, kept.Count("streams"));

        await kept.PublishAsync(3, client: "one", topic: "shared");

        var page = await kept.Store.SendAsync(new ListMessages(new PageRequest(10, null)) { Client = new ClientId("one") });
        Assert.EndsWith("03", Assert.Single(page.Items).Id, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_told_of_a_message_that_went_makes_it_known_again_and_leaves_no_delivery_alone()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxAge", "1.00:00:00"), NoLatest);
        await kept.PublishAsync(1);
        await kept.PassAsync(TimeSpan.FromDays(2));

        await kept.DeliverAsync(1, "receiver");

        Assert.Equal([1], kept.Messages);
        Assert.Equal(1, kept.Store.Query<long>("SELECT count(*) FROM deliveries JOIN messages USING (message_no)").Single());
    }

    [Fact]
    public async Task A_message_with_very_many_deliveries_goes_in_several_steps()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1"), NoLatest);
        await kept.PublishAsync(1);
        using (var writing = kept.Store.Database.OpenForWriting())
            Dapper.SqlMapper.Execute(writing, """
                INSERT INTO deliveries (message_no, client_no, redelivered)
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT 1, i, 0 FROM n
                """);
        await kept.PublishAsync(2);
        var (messages, writer) = (kept.Store.Get<IEnumerable<IRetained>>().Single(kind => kind.Kind == "messages"), kept.Store.Get<Writer>());
        using var reader = kept.Store.Database.OpenForReading();

        var removed = await writer.RunAsync(() => Task.FromResult(messages.Next(reader, kept.Now, pressure: null)!.Remove(new StepTime(TimeSpan.Zero))));

        Assert.Equal(0, removed);
        Assert.InRange(kept.Count("deliveries"), 1, 999);
        Assert.Equal([1, 2], kept.Messages);
        await kept.RoundAsync();
        Assert.Equal((0, 1), (kept.Count("deliveries"), kept.Count("messages")));
    }

    [Fact]
    public async Task After_a_restart_in_the_middle_it_goes_on_where_it_was()
    {
        await using var kept = await ARetention.OpenAsync(NoLatest);
        for (var i = 1; i <= 500; i++) await kept.PublishAsync(i, topic: $"t{i % 50}");
        await kept.RestartAsync(null, NoLatest, ("Messages:MaxCount", "100"));
        await kept.RoundAsync(); // of the start
        for (var i = 501; i <= 900; i++) await kept.PublishAsync(i);
        var (messages, writer) = (kept.Store.Get<IEnumerable<IRetained>>().Single(kind => kind.Kind == "messages"), kept.Store.Get<Writer>());
        using (var reader = kept.Store.Database.OpenForReading())
            Assert.Equal(1, await writer.RunAsync(() => Task.FromResult(messages.Next(reader, kept.Now, pressure: null)!.Remove(new StepTime(TimeSpan.Zero)))));
        Assert.Equal(Enumerable.Range(402, 499), kept.Messages);

        await kept.RestartAsync(null, NoLatest, ("Messages:MaxCount", "100"));
        await kept.RoundAsync();

        Assert.Equal(Enumerable.Range(801, 100), kept.Messages);
    }

    [Fact]
    public async Task Nothing_is_lost_of_what_comes_in_meanwhile()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxCount", "1000"), NoLatest, ("Journal:MaxCount", "1000"));
        using var done = new CancellationTokenSource();
        var removing = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested) await kept.RoundAsync();
        });

        await Parallel.ForEachAsync(Enumerable.Range(1, 6000), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
            Assert.Equal(Outcome.Applied, await kept.PublishAsync(i, $"c{i % 20}")));
        await Eventually.IsAsync(() => kept.Messages.Count < 6000);
        await done.CancelAsync();
        await removing;
        await kept.RoundAsync();

        var last = kept.Messages;
        Assert.Equal(1000, last.Count);
        Assert.Equal(Enumerable.Range(5001, 1000), kept.Store.Query<int>("SELECT message_no FROM messages ORDER BY message_no"));
        Assert.Equal(last.Count, last.Distinct().Count());
        Assert.Equal(1000, kept.Count("journal"));
    }

    [Fact]
    public async Task Pages_go_on_without_gap_or_repeat_where_messages_vanish_between_them()
    {
        await using var kept = await ARetention.OpenAsync(("Messages:MaxAge", "1.00:00:00"), NoLatest);
        for (var i = 1; i <= 50; i++) await kept.PublishAsync(i, at: kept.Now.AddSeconds(i));
        await kept.PassAsync(TimeSpan.FromHours(20));
        for (var i = 51; i <= 100; i++) await kept.PublishAsync(i, at: kept.Now.AddSeconds(i));
        var first = await kept.Store.SendAsync(new ListMessages(new PageRequest(30, null)));
        await kept.PassAsync(TimeSpan.FromHours(5));

        var second = await kept.Store.SendAsync(new ListMessages(new PageRequest(30, first.Next)));

        Assert.Null(second.Next);
        Assert.Equal(Enumerable.Range(51, 50).Reverse(), first.Items.Concat(second.Items).Select(message => int.Parse(message.Id[^2..], System.Globalization.NumberStyles.HexNumber)));
    }

    private static async Task<IEnumerable<string>> StateAsync(ARetention kept) =>
        (await kept.Store.SendAsync(new GetLatestState(new ClientId("c"), new PageRequest(10, null))))!.Items.Select(item => $"{item.Topic}:{item.MessageId[^2..]}");
}
