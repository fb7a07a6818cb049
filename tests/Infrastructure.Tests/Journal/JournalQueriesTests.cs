using System.Text.Json.Nodes;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;
using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Journal;

namespace WebhookService.Infrastructure.Tests.Journal;

public class JournalQueriesTests
{
    private static readonly DateTimeOffset T = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    [Fact]
    public async Task Events_come_in_order_and_lead_on_to_what_follows()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, "c1", 1);
        await PublishAsync(store, "c2", 2);

        var first = await store.SendAsync(new ListEvents(0, 2));
        var rest = await store.SendAsync(new ListEvents(first.Next, 1000));
        var none = await store.SendAsync(new ListEvents(rest.Next, 1000));

        var all = first.Items.Concat(rest.Items).ToList();
        Assert.Equal(Enumerable.Range(1, all.Count).Select(seq => (long)seq), all.Select(happened => happened.Seq));
        Assert.Equal((2, 2L, 1L), (first.Items.Count, first.Next, first.Oldest));
        Assert.Equal(rest.Head, rest.Next);
        Assert.Empty(none.Items);
        Assert.Equal(rest.Head, none.Next);
        Assert.Contains(all, happened => happened is { Type: "device.discovered", ClientId: "c2" });
    }

    [Fact]
    public async Task An_event_about_a_message_tells_which_one_and_what_else_it_says()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, "c1", 0x2A);
        await store.SendAsync(new RecordDeliveryDropped(Content("c1", 0x2A), new ClientId("r1"), T.AddSeconds(1), "queue_full", T));

        var page = await store.SendAsync(new ListEvents(0, 100) { Types = EventTypes.Parse("delivery.*") });

        var happened = Assert.Single(page.Items);
        Assert.Equal(("delivery.dropped", "r1", T.AddSeconds(1)), (happened.Type, happened.ClientId, happened.At));
        AssertJson(
            """
            {"message":{"id":"0000000000000000000000000000002A","topic":"site/c1","qos":1,"retain":false,"bytes":2,"publishedAt":"2025-10-09T08:53:20.000Z","clientId":"c1"},
             "reason":"queue_full"}
            """,
            happened.Data);
    }

    [Theory]
    [InlineData("""{"event":"client.connack","deep":{"a":[1,{"b":null}]}}""")]
    [InlineData("""[1,2]""")]
    [InlineData("\"text\"")]
    public async Task A_report_carries_its_JSON_as_it_came(string body)
    {
        await using var store = await AStore.OpenAsync();
        await store.SendAsync(new RecordReport("emqx.client.connack", null, new ClientId("c1"), true, T, body, T));

        var page = await store.SendAsync(new ListEvents(0, 10));

        AssertJson($$"""{"body":{{body}}}""", Assert.Single(page.Items).Data);
    }

    [Fact]
    public async Task Types_and_clients_choose_events()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, "c1", 1);
        await PublishAsync(store, "c2", 2);
        await store.SendAsync(new RecordReport("emqx.client.connack", null, new ClientId("c1"), true, T, "{}", T));

        async Task<List<(string, string?)>> Chosen(string? types, string? client) => [..
            (await store.SendAsync(new ListEvents(0, 100) { Types = EventTypes.Parse(types), Client = client is null ? null : new ClientId(client) }))
            .Items.Select(happened => (happened.Type, happened.ClientId))];

        Assert.Equal([("device.discovered", "c1"), ("device.discovered", "c2")], await Chosen("device.discovered", null));
        Assert.Equal([("message.published", "c2")], await Chosen("message.*", "c2"));
        Assert.Equal([("message.published", "c1"), ("emqx.client.connack", "c1")], await Chosen("emqx.*,message.published", "c1"));
        Assert.Empty(await Chosen("nothing.such", null));
        Assert.Empty(await Chosen(null, "nobody"));
        Assert.Equal((await Chosen(null, null)).Count, (await Chosen("*", null)).Count);
    }

    [Theory]
    [InlineData("device.*.x")]
    [InlineData("dev*")]
    [InlineData("*.x")]
    [InlineData("a,,b")]
    public void A_pattern_that_would_choose_by_accident_is_refused(string types) =>
        Assert.Equal("types", Assert.Throws<DomainException>(() => EventTypes.Parse(types)).Parameter);

    [Fact]
    public async Task Rare_types_are_all_found_although_each_page_walks_a_bounded_way()
    {
        await using var store = await AStore.OpenAsync();
        for (var i = 1; i <= 40; i++) await PublishAsync(store, $"c{i % 20}", i);
        var queries = new JournalQueries(store.Database, store.Get<ClientEvents>()) { EntriesWalked = 7 };
        var expected = store.Query<long>("SELECT seq FROM journal j JOIN event_types e USING (type_no) WHERE e.name = 'device.discovered' ORDER BY seq");

        var (found, after, pages) = (new List<long>(), 0L, 0);
        while (true)
        {
            var page = await queries.Handle(new ListEvents(after, 3) { Types = EventTypes.Parse("device.discovered") }, CancellationToken.None);
            found.AddRange(page.Items.Select(happened => happened.Seq));
            pages++;
            if (page.Next == page.Head) break;
            Assert.True(page.Next > after);
            after = page.Next;
        }

        Assert.Equal(expected, found);
        Assert.True(pages > 5);
    }

    [Fact]
    public async Task A_devices_events_come_newest_first_page_by_page()
    {
        await using var store = await AStore.OpenAsync();
        for (var i = 1; i <= 30; i++) await PublishAsync(store, $"c{i % 3}", i);
        var queries = new JournalQueries(store.Database, store.Get<ClientEvents>()) { EntriesWalked = 5 };
        var expected = store.Query<long>("SELECT seq FROM journal JOIN clients USING (client_no) JOIN event_types e USING (type_no) WHERE client_id = 'c1' AND e.name LIKE 'message.%' ORDER BY seq DESC");

        var (found, cursor) = (new List<long>(), (string?)null);
        do
        {
            var page = await queries.Handle(new ListDeviceEvents(new ClientId("c1"), new PageRequest(4, cursor)) { Types = EventTypes.Parse("message.*") }, CancellationToken.None);
            found.AddRange(page.Items.Select(happened => happened.Seq));
            cursor = page.Next;
        }
        while (cursor is not null);

        Assert.Equal(10, expected.Count);
        Assert.Equal(expected, found);
    }

    private static void AssertJson(string expected, RawJson actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonNode.Parse(actual.Text)), actual.Text);

    private static Task PublishAsync(AStore store, string client, int id) => store.SendAsync(new RecordMessagePublished(Content(client, id), null, true, T));

    private static MessageContent Content(string client, int id) =>
        new(new MessageId((UInt128)id), new ClientId(client), true, null, $"site/{client}", 1, false, T, Payload.OfText("{}"u8.ToArray()), null);
}
