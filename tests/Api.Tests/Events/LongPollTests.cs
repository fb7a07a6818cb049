using System.Text.Json.Nodes;
using WebhookService.Api.Events;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Events;

public sealed class LongPollTests
{
    [Fact]
    public async Task It_answers_as_soon_as_there_is_news()
    {
        await using var api = await ApiHost.StartAsync();
        await api.ReportAsync("a.one", "c");

        var asking = AskAsync(api, "?after=1", "wait=60");
        await Task.Delay(200);
        var early = asking.IsCompleted;
        await api.ReportAsync("a.two", "c");
        var (applied, page) = await asking;

        Assert.Equal((false, "wait=60", "a.two", "2"), (early, applied, (string?)page["items"]!.AsArray().Single()!["type"], (string?)page["next"]));
    }

    [Fact]
    public async Task It_waits_for_what_passes_the_filter()
    {
        await using var api = await ApiHost.StartAsync();

        var asking = AskAsync(api, "?types=b.*&clientId=c", "wait=60");
        await api.ReportAsync("a.one", "c");
        await api.ReportAsync("b.one", "other");
        await Task.Delay(200);
        var early = asking.IsCompleted;
        await api.ReportAsync("b.one", "c");
        var (_, page) = await asking;

        Assert.Equal((false, 3), (early, (long?)page["items"]!.AsArray().Single()!["seq"]));
    }

    [Theory]
    [InlineData("wait=1", "wait=1")]
    [InlineData("WAIT = \"1\"; foo", "wait=1")]
    [InlineData("respond-async, wait=0", "wait=0")]
    [InlineData("wait=0, wait=60", "wait=0")]
    [InlineData("wait=soon", null)]
    [InlineData("wait=-5", null)]
    [InlineData("wait", null)]
    [InlineData("return=minimal", null)]
    [InlineData(null, null)]
    public async Task Without_news_it_answers_as_usual_when_the_time_is_over(string? prefer, string? expected)
    {
        await using var api = await ApiHost.StartAsync();
        await api.ReportAsync("a.one", "c");

        var (applied, page) = await AskAsync(api, "?after=0&types=b.*", prefer);

        Assert.Equal((expected, 0, "1"), (applied, page["items"]!.AsArray().Count, (string?)page["next"]));
    }

    [Theory]
    [InlineData("wait=60", 60)]
    [InlineData("wait=61", 60)]
    [InlineData("wait=99999999999999999999", 60)]
    public void Nobody_waits_longer_than_a_minute(string prefer, int seconds) => Assert.Equal(seconds, Prefer.Wait([prefer]));

    [Theory]
    [InlineData("application/x-ndjson")]
    [InlineData("text/csv")]
    public async Task The_forms_that_bring_all_there_is_do_not_wait(string form)
    {
        await using var api = await ApiHost.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events") { Headers = { { "Prefer", "wait=60" }, { "Accept", form } } };

        using var response = await api.Read.SendAsync(request).WaitAsync(Eventually.Patience);

        Assert.False(response.Headers.Contains("Preference-Applied"));
    }

    private static async Task<(string? Applied, JsonObject Page)> AskAsync(ApiHost api, string query, string? prefer)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/events{query}");
        if (prefer is not null) request.Headers.TryAddWithoutValidation("Prefer", prefer);
        using var response = await api.Read.SendAsync(request).WaitAsync(Eventually.Patience);
        return (response.Headers.TryGetValues("Preference-Applied", out var applied) ? applied.Single() : null, await response.JsonAsync());
    }
}
