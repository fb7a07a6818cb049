using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Messages;

public class ListMessagesTests
{
    /// <summary>How a scan is held back, so that a few thousand messages take the ways of many millions.</summary>
    public static TheoryData<string, int, int, int, int, int> Ways => new()
    {
        { "merge of streams in memory", 1, 10_000, 100_000, 2_000_000, 20_000 },
        { "merge of streams in a run and memory", 3, 10_000, 100_000, 2_000_000, 20_000 },
        { "merge of streams in many runs", 40, 10_000, 100_000, 2_000_000, 20_000 },
        { "walk by time, topics too many to look at", 20, 10_000, 0, 0, 20_000 },
        { "walk by time that stops early", 1, 0, 0, 0, 70 },
        { "walk by time, then merge", 20, 10_000, 0, 2_000_000, 40 },
        { "few streams may be merged", 1, 3, 20, 50, 150 },
        { "topics by number, walked first", 20, 10_000, 1_000_000, 2_000_000, 40 },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Every_way_gives_what_looking_at_each_message_gives(string way, int parts, int mostStreams, int examined, int examinedAtLast, int walked)
    {
        const int EntriesOfRun = 75;
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", $"{(parts == 1 ? 100_000 : parts == 3 ? 1_500 : EntriesOfRun)}"));
        var many = await ManyMessages.InAsync(store, count: 3_000, seed: 7, parts);
        Assert.Equal(parts == 1 ? 0 : parts == 3 ? 1 : parts, store.Query<int>("SELECT count(*) FROM runs WHERE name = 'messages'").Single());
        var random = new Random(11);
        using var connection = store.Database.OpenForReading();

        for (var i = 0; i < 80; i++)
        {
            var query = AnyQuery(random, many);
            var found = new List<string>();
            string? cursor = null;
            var pages = 0;
            do
            {
                var request = query with { Page = query.Page with { Cursor = cursor } };
                using var index = store.Get<StreamMessages>().Reader();
                var scan = new MessageScan(connection, index, request, Cursor.Read<Place>(cursor))
                {
                    FewStreams = walked == 40 ? 2 : 500,
                    MostStreams = mostStreams,
                    TopicsExamined = examined,
                    TopicsExaminedAtLast = examinedAtLast,
                    MessagesWalked = walked,
                };
                var page = MessageQueries.Read(connection, request, scan, CancellationToken.None);
                Assert.True(page.Items.Count <= query.Page.Limit);
                found.AddRange(page.Items.Select(item => item.Payload.Data));
                cursor = page.Next;
                Assert.True(++pages < 4_000, $"{way}: the list of {Told(query)} does not end.");
            }
            while (cursor is not null);

            var expected = many.All.Where(one => Fits(one, query)).OrderByDescending(one => (one.At, one.No)).Select(one => $"{one.No}").ToList();
            Assert.True(expected.SequenceEqual(found), $"{way}: {Told(query)} gave {found.Count} messages instead of {expected.Count}.");
        }
    }

    [Theory]
    [InlineData("site/#")]
    [InlineData("+/alarm")]
    [InlineData("+/+/alarm")]
    [InlineData("+/7/#")]
    [InlineData("#")]
    [InlineData("/+")]
    [InlineData("/#")]
    [InlineData("site/+/+/ü")]
    [InlineData("$SYS/#")]
    [InlineData("a b/+")]
    [InlineData("+//+")]
    public async Task A_search_for_topics_finds_those_that_match_and_no_others(string filter)
    {
        await using var store = await AStore.OpenAsync();
        var many = await ManyMessages.InAsync(store, count: 10, seed: 3);
        using var connection = store.Database.OpenForReading();
        var search = new TopicSearch(TopicFilter.Parse(filter));

        var found = search.Find(connection, most: 1_000, examined: 1_000)!;

        var expected = many.Topics.Select((topic, i) => (topic, No: i + 1L)).Where(topic => TopicFilter.Parse(filter).Matches(topic.topic)).Select(topic => topic.No);
        Assert.Equal(expected.Order(), found.Order());
    }

    [Theory]
    [InlineData("SELECT at, no FROM messages_runs WHERE run = 1 AND key = 1 AND (at, no) < (5, 5) ORDER BY at DESC, no DESC LIMIT 4", "SEARCH messages_runs USING PRIMARY KEY (run=? AND key=? AND (at,no)<(?,?))")]
    [InlineData("SELECT newest_no FROM streams WHERE client_no = 1 AND topic_no > 3 ORDER BY topic_no", "USING INDEX streams_client (client_no=? AND topic_no>?)")]
    [InlineData("SELECT newest_no FROM streams WHERE client_no = 1 AND topic_no = 3", "USING INDEX streams_client (client_no=? AND topic_no=?)")]
    [InlineData("SELECT newest_no FROM streams WHERE topic_no = 3 AND from_device = 0 LIMIT 9", "USING INDEX streams_topic (topic_no=? AND from_device=?)")]
    [InlineData("SELECT 1 FROM streams WHERE topic_no = 3 LIMIT 1", "USING COVERING INDEX streams_topic (topic_no=?)")]
    public async Task Every_page_is_an_index_seek(string sql, string plan)
    {
        await using var store = await AStore.OpenAsync();
        using var connection = store.Database.OpenForReading();
        using var explain = connection.CreateCommand();
        explain.CommandText = $"EXPLAIN QUERY PLAN {sql}";
        using var reader = explain.ExecuteReader();
        var details = new List<string>();
        while (reader.Read()) details.Add(reader.GetString(3));

        Assert.Contains(plan, Assert.Single(details), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_of_large_payloads_ends_early_and_leads_on()
    {
        await using var store = await AStore.OpenAsync();
        var many = await ManyMessages.InAsync(store, count: 5, seed: 1);
        using (var writing = store.Database.OpenForWriting())
        using (var grow = new SqliteCommand("UPDATE messages SET payload = zeroblob(3000000), kind = 1", writing))
            grow.ExecuteNonQuery();

        var first = await store.SendAsync(new ListMessages(new PageRequest(50, null)));
        var second = await store.SendAsync(new ListMessages(new PageRequest(50, first.Next)));
        var third = await store.SendAsync(new ListMessages(new PageRequest(50, second.Next)));

        Assert.Equal([2, 2, 1], [first.Items.Count, second.Items.Count, third.Items.Count]);
        Assert.Null(third.Next);
        Assert.Equal(many.All.Count, first.Items.Concat(second.Items).Concat(third.Items).DistinctBy(item => item.Id).Count());
    }

    [Fact]
    public async Task A_cursor_of_another_list_is_refused()
    {
        await using var store = await AStore.OpenAsync();

        var refusal = await Assert.ThrowsAsync<DomainException>(() => store.SendAsync(new ListMessages(new PageRequest(50, "not-a-cursor"))));

        Assert.Equal("cursor", refusal.Parameter);
    }

    private static ListMessages AnyQuery(Random random, ManyMessages many)
    {
        var topic = many.Topics[random.Next(many.Topics.Count)];
        var levels = topic.Split('/').Select(level => random.Next(3) == 0 ? "+" : level).ToList();
        if (random.Next(3) == 0) levels = [.. levels.Take(random.Next(levels.Count + 1)), "#"];
        var filter = random.Next(6) switch { 0 => null, 1 => topic, 2 => "old/#", _ => string.Join('/', levels) };
        return new ListMessages(new PageRequest(random.Next(3) == 0 ? 1_000 : random.Next(20, 60), null))
        {
            Topic = string.IsNullOrEmpty(filter) ? null : TopicFilter.Parse(filter),
            Client = random.Next(3) == 0 ? new ClientId(random.Next(10) == 0 ? "nobody" : many.Clients[random.Next(many.Clients.Count)]) : null,
            Qos = random.Next(4) == 0 ? [random.Next(3)] : [],
            Status = random.Next(4) == 0 ? [MessageStatus.Dropped, MessageStatus.Delivered] : [],
            From = random.Next(3) == 0 ? DateTimeOffset.FromUnixTimeMilliseconds(ManyMessages.Start + random.Next(ManyMessages.Span)) : null,
            To = random.Next(3) == 0 ? DateTimeOffset.FromUnixTimeMilliseconds(ManyMessages.Start + random.Next(ManyMessages.Span)) : null,
        };
    }

    private static bool Fits(ManyMessages.One one, ListMessages query) =>
        (query.Topic is null || query.Topic.Matches(one.Topic))
        && (query.Client is null || query.Client.Value.Value == one.Client)
        && (query.Qos.Count == 0 || query.Qos.Contains(one.Qos))
        && (query.Status.Count == 0 || query.Status.Contains((MessageStatus)one.Status))
        && (query.From is null || one.At >= query.From.Value.ToUnixTimeMilliseconds())
        && (query.To is null || one.At < query.To.Value.ToUnixTimeMilliseconds());

    private static string Told(ListMessages query) =>
        $"topic '{query.Topic}', client '{query.Client}', qos [{string.Join(',', query.Qos)}], status [{string.Join(',', query.Status)}], {query.From:O} to {query.To:O}, limit {query.Page.Limit}";
}
