using System.Net;
using System.Text.Json.Nodes;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using static WebhookService.Api.Tests.Messages.AFleet;

namespace WebhookService.Api.Tests.Messages;

public class MessagesApiTests
{
    [Fact]
    public async Task A_list_shows_messages_newest_first_as_the_contract_has_them()
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content("dev/1", "site/7/alarm", """{"on":true}""", 1, qos: 1));
        await api.PublishAsync(Content("dev/2", "site/7/other", "x", 2));

        var list = await (await api.GetAsync("/api/v1/messages")).JsonAsync();

        Assert.Null(list["next"]);
        Assert.Equal(["site/7/other", "site/7/alarm"], list["items"]!.AsArray().Select(item => (string)item!["topic"]!));
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse("""
                {"id":"00000000000000000000000000000001","clientId":"dev/1","topic":"site/7/alarm","qos":1,"retain":false,
                 "publishedAt":"2025-10-09T08:53:21.000Z","receivedAt":"2025-10-09T08:53:21.005Z",
                 "payload":{"encoding":"utf8","data":"{\"on\":true}","bytes":11},"status":"published"}
                """),
            list["items"]![1]), list["items"]![1]!.ToJsonString());
    }

    [Theory]
    [InlineData("site/+/alarm", HttpStatusCode.BadRequest)]
    [InlineData("+", HttpStatusCode.BadRequest)]
    [InlineData("site/a+b/alarm", HttpStatusCode.OK)]
    [InlineData("site/++/alarm", HttpStatusCode.OK)]
    public async Task A_plus_that_arrives_as_a_space_is_told(string topic, HttpStatusCode status)
    {
        await using var api = await ApiHost.StartAsync();

        var answer = await api.Read.GetAsync($"/api/v1/messages?topic={topic}");

        Assert.Equal(status, answer.StatusCode);
        if (status is HttpStatusCode.OK) return;
        var problem = await answer.ProblemAsync(status, "invalid-value");
        Assert.Equal("topic", (string?)problem["parameter"]);
        Assert.Contains("%2B", (string?)problem["hint"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("topic=site/%2B/alarm", "3 1")]
    [InlineData("topic=site/%23", "3 2 1")]
    [InlineData("topic=site/7/alarm&clientId=dev%2F1", "1")]
    [InlineData("clientId=dev%2F1", "4 1")]
    [InlineData("clientId=nobody", "")]
    [InlineData("qos=1,2", "3 1")]
    [InlineData("status=dropped", "2")]
    [InlineData("from=2025-10-09T08:53:22Z&to=2025-10-09T08:53:24Z", "3 2")]
    public async Task Filters_choose_messages(string query, string expected)
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content("dev/1", "site/7/alarm", "1", 1, qos: 1));
        await api.PublishAsync(Content("dev/2", "site/7/other", "2", 2));
        await api.PublishAsync(Content("dev/2", "site/8/alarm", "3", 3, qos: 2));
        await api.PublishAsync(Content("dev/1", "else", "4", 4));
        await api.SendAsync(new RecordMessageDropped(Content("dev/2", "site/7/other", "2", 2), T, "no_subscribers", T));

        var list = await (await api.GetAsync($"/api/v1/messages?{query}")).JsonAsync();

        Assert.Equal(expected, string.Join(' ', list["items"]!.AsArray().Select(item => (string)item!["payload"]!["data"]!)));
    }

    [Theory]
    [InlineData("topic=a%2B", "topic")]
    [InlineData("qos=3", "qos")]
    [InlineData("status=lost", "status")]
    [InlineData("from=yesterday", "from")]
    [InlineData("limit=0", "limit")]
    [InlineData("cursor=x", "cursor")]
    [InlineData("Topics=a", "Topics")]
    public async Task A_filter_that_cannot_be_meant_is_a_problem_that_names_it(string query, string parameter)
    {
        await using var api = await ApiHost.StartAsync();

        var response = await api.GetAsync($"/api/v1/messages?{query}");

        var problem = await response.JsonAsync();
        Assert.Equal((HttpStatusCode.BadRequest, parameter), (response.StatusCode, (string?)problem["parameter"]));
    }

    [Fact]
    public async Task Following_next_shows_every_message_once_and_NDJSON_and_CSV_bring_all_at_once()
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 1; i <= 25; i++) await api.PublishAsync(Content($"dev/{i % 3}", $"site/{i % 4}/t", $"{i}", i));

        var paged = new List<string>();
        for (string? path = "/api/v1/messages?topic=site/%2B/t&limit=7"; path is not null;)
        {
            var response = await api.GetAsync(path);
            var page = await response.JsonAsync();
            paged.AddRange(page["items"]!.AsArray().Select(item => (string)item!["payload"]!["data"]!));
            path = response.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
            Assert.Equal(path is null, page["next"] is null);
        }
        var lines = (await (await api.GetAsync("/api/v1/messages?limit=4", "application/x-ndjson")).Content.ReadAsStringAsync()).TrimEnd().Split('\n');
        var rows = (await (await api.GetAsync("/api/v1/messages?limit=4", "text/csv")).Content.ReadAsStringAsync()).TrimEnd().Split("\r\n");

        Assert.Equal(Enumerable.Range(1, 25).Reverse().Select(i => $"{i}"), paged);
        Assert.Equal(paged, lines.Select(line => (string)JsonNode.Parse(line)!["payload"]!["data"]!));
        Assert.Equal("id,clientId,topic,qos,retain,publishedAt,receivedAt,payload.encoding,payload.data,payload.bytes,status", rows[0]);
        Assert.Equal(26, rows.Length);
    }

    [Fact]
    public async Task One_message_comes_with_its_deliveries()
    {
        await using var api = await ApiHost.StartAsync();
        var content = Content("dev/1", "site/7", "x", 0xAB, qos: 1);
        await api.PublishAsync(content);
        await api.SendAsync(new RecordMessageDelivered(content, new ClientId("r"), T.AddSeconds(500), null, true, T));

        var message = await (await api.GetAsync("/api/v1/messages/ab")).JsonAsync();

        Assert.Equal(("000000000000000000000000000000AB", "delivered", 1), ((string?)message["id"], (string?)message["status"], (int)message["deliveryCount"]!));
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse("""{"clientId":"r","deliveredAt":"2025-10-09T09:01:40.000Z","ackedAt":null,"droppedAt":null,"dropReason":null,"redelivered":true}"""),
            message["deliveries"]!.AsArray().Single()));
        await (await api.GetAsync("/api/v1/messages/1")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        Assert.Equal("id", (string?)(await (await api.GetAsync("/api/v1/messages/xyz")).JsonAsync())["parameter"]);
    }

    [Theory]
    [InlineData("a/b c%2B#é", "a%2Fb%20c%252B%23%C3%A9")]
    [InlineData("plain", "plain")]
    public async Task A_device_shows_its_messages_events_and_state_whatever_its_id(string id, string encoded)
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content(id, "a", """{"t":1,"u":1}""", 1));
        await api.PublishAsync(Content(id, "b", """{"t":2}""", 2));
        await api.PublishAsync(Content(id, "c", "off", 3));
        await api.PublishAsync(Content("other", "a", "x", 4));

        var messages = await (await api.GetAsync($"/api/v1/devices/{encoded}/messages?limit=2")).JsonAsync();
        var events = await (await api.GetAsync($"/api/v1/devices/{encoded}/events?types=message.*")).JsonAsync();
        var state = await (await api.GetAsync($"/api/v1/devices/{encoded}/state")).JsonAsync();
        var merged = await (await api.GetAsync($"/api/v1/devices/{encoded}/state?merged=true")).JsonAsync();

        Assert.True(messages["items"] is not null, messages.ToJsonString());
        Assert.Equal(["c", "b"], messages["items"]!.AsArray().Select(item => (string)item!["topic"]!));
        Assert.Equal(["c", "b", "a"], events["items"]!.AsArray().Select(item => (string)item!["data"]!["message"]!["topic"]!));
        Assert.Equal(["a", "b", "c"], state["items"]!.AsArray().Select(item => (string)item!["topic"]!));
        Assert.Equal("""{"t":2,"u":1}""", merged["document"]!.ToJsonString());
        Assert.Equal("c", (string?)merged["notMerged"]!.AsArray().Single()!["topic"]);
        Assert.Equal((id, 2), ((string?)merged["clientId"], merged["merged"]!.AsArray().Count));
    }

    [Theory]
    [InlineData("messages")]
    [InlineData("events")]
    [InlineData("state")]
    public async Task What_belongs_to_an_unknown_device_is_not_found(string what)
    {
        await using var api = await ApiHost.StartAsync();

        var response = await api.GetAsync($"/api/v1/devices/nobody/{what}");

        await response.ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Theory]
    [InlineData("/api/v1/messages")]
    [InlineData("/api/v1/messages/1")]
    [InlineData("/api/v1/events")]
    [InlineData("/api/v1/stats")]
    [InlineData("/api/v1/devices/a/messages")]
    [InlineData("/api/v1/devices/a/events")]
    [InlineData("/api/v1/devices/a/state")]
    public async Task Reading_asks_for_the_scope_read(string path)
    {
        await using var api = await ApiHost.StartAsync();

        var (without, ingest) = (await api.Anonymous.GetAsync(path), await api.Ingest.GetAsync(path));

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden), (without.StatusCode, ingest.StatusCode));
    }
}
