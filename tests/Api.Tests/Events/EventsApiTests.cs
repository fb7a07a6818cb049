using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Messages;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using static WebhookService.Api.Tests.Messages.AFleet;

namespace WebhookService.Api.Tests.Events;

public class EventsApiTests
{
    [Fact]
    public async Task Following_next_reads_the_journal_to_its_head()
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 1; i <= 10; i++) await api.PublishAsync(Content($"dev/{i}", "t", $"{i}", i));

        var (seen, after) = (new List<long>(), "0");
        while (true)
        {
            var response = await api.GetAsync($"/api/v1/events?after={after}&limit=7");
            var page = await response.JsonAsync();
            seen.AddRange(page["items"]!.AsArray().Select(item => (long)item!["seq"]!));
            after = (string)page["next"]!;
            Assert.Equal(1, (long)page["oldest"]!);
            Assert.Equal(after != $"{(long)page["head"]!}", response.Headers.Contains("Link"));
            if (after == $"{(long)page["head"]!}") break;
        }
        var lines = (await (await api.GetAsync("/api/v1/events?limit=3", "application/x-ndjson")).Content.ReadAsStringAsync()).TrimEnd().Split('\n');

        Assert.Equal(Enumerable.Range(1, seen.Count).Select(seq => (long)seq), seen);
        Assert.Equal(seen, lines.Select(line => (long)JsonNode.Parse(line)!["seq"]!));
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-ndjson")]
    [InlineData("text/csv")]
    public async Task A_report_goes_out_as_it_came_however_deep_it_is(string form)
    {
        await using var api = await ApiHost.StartAsync();
        var body = string.Concat(Enumerable.Repeat("""{"a":[""", 30)) + "1" + string.Concat(Enumerable.Repeat("]}", 30));
        await api.SendAsync(new RecordReport("emqx.client.connack", null, new ClientId("c"), true, T, body, T));

        var response = await api.GetAsync("/api/v1/events?types=emqx.*", form);
        var text = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(form is "text/csv" ? body.Replace("\"", "\"\"", StringComparison.Ordinal) : body, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_tells_its_events_newest_first_or_after_a_sequence_number()
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 1; i <= 6; i++) await api.PublishAsync(Content($"dev{i % 2}", "t", $"{i}", i));

        var newest = await (await api.GetAsync("/api/v1/devices/dev1/events?limit=2")).JsonAsync();
        var before = await (await api.GetAsync($"/api/v1/devices/dev1/events?limit=1000&cursor={newest["next"]}")).JsonAsync();
        var after = await (await api.GetAsync("/api/v1/devices/dev1/events?after=0&limit=1000")).JsonAsync();
        var both = await api.GetAsync("/api/v1/devices/dev1/events?after=0&cursor=x");

        var descending = Seqs(newest).Concat(Seqs(before)).ToList();
        Assert.Equal(descending.Order().Reverse(), descending);
        Assert.Equal(Enumerable.Reverse(descending), Seqs(after));
        Assert.Null(before["next"]);
        Assert.NotNull(after["head"]);
        Assert.Equal("cursor", (string?)(await both.JsonAsync())["parameter"]);
    }

    [Theory]
    [InlineData("events", "application/json")]
    [InlineData("events", "application/x-ndjson")]
    [InlineData("events", "text/csv")]
    [InlineData("devices/dev1/events", "application/json")]
    public async Task Who_has_seen_more_than_there_is_followed_another_journal_and_is_told_so(string list, string form)
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content("dev1", "t", "x", 1));
        var head = (long)(await (await api.GetAsync("/api/v1/events?after=0&limit=1")).JsonAsync())["head"]!;

        var atHead = await api.GetAsync($"/api/v1/{list}?after={head}", form);
        var beyond = await api.GetAsync($"/api/v1/{list}?after={head + 1}", form);

        Assert.Equal(HttpStatusCode.OK, atHead.StatusCode);
        var problem = await beyond.ProblemAsync(HttpStatusCode.BadRequest, "after-beyond-head");
        Assert.Equal("after", (string?)problem["parameter"]);
        Assert.Contains("after=0", (string?)problem["hint"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("after=-1", "after")]
    [InlineData("types=device*", "types")]
    [InlineData("limit=1001", "limit")]
    [InlineData("fields=seq", "fields")]
    public async Task A_parameter_that_cannot_be_meant_is_named(string query, string parameter)
    {
        await using var api = await ApiHost.StartAsync();

        var response = await api.GetAsync($"/api/v1/events?{query}");

        Assert.Equal((HttpStatusCode.BadRequest, parameter), (response.StatusCode, (string?)(await response.JsonAsync())["parameter"]));
    }

    [Fact]
    public async Task Stats_count_what_is_there()
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content("dev1", "t", "x", 1));

        var stats = await (await api.GetAsync("/api/v1/stats")).JsonAsync();

        Assert.Equal((1, 1), ((int)stats["devices"]!["total"]!, (int)stats["messages"]!["total"]!));
        Assert.True((long)stats["journal"]!["head"]! > 0);
        Assert.Equal(JsonValueKind.String, stats["at"]!.GetValueKind());
        Assert.True((int)stats["ingest"]!["queueCapacity"]! > 0);
    }

    private static IEnumerable<long> Seqs(JsonObject page) => page["items"]!.AsArray().Select(item => (long)item!["seq"]!);
}
