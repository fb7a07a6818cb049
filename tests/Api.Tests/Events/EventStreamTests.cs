using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Api.Tests.Messages;
using WebhookService.Application.Reports;
using WebhookService.Domain;
using WebhookService.Tests;
using static WebhookService.Api.Tests.Messages.AFleet;

namespace WebhookService.Api.Tests.Events;

public sealed class EventStreamTests
{
    [Fact]
    public async Task An_event_is_the_item_of_the_list_in_one_line_with_its_number_and_type()
    {
        await using var api = await ApiHost.StartAsync();
        await api.PublishAsync(Content("dev/1", "t/ü", "x", 1));
        await api.ReportAsync("shop.paid", "c", "{\r\n  \"sum\": 1.50,\n  \"text\": \"a\\nb\"\n}");
        var list = await (await api.GetAsync("/api/v1/events")).Content.ReadAsStringAsync();
        var items = JsonElement.Parse(list).GetProperty("items").EnumerateArray().ToList();

        using var stream = await AStream.OpenAsync(api.Read, "?after=0");
        var told = await stream.NextAsync(items.Count);

        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.ToString());
        Assert.True(stream.Response.Headers.CacheControl!.NoStore);
        Assert.Equal("no", Assert.Single(stream.Response.Headers.GetValues("X-Accel-Buffering")));
        Assert.Equal(items.Select(item => new Told($"{item.GetProperty("seq")}", $"{item.GetProperty("type")}", item.GetRawText())), told);
        Assert.Contains(told, one => one is { Event: "shop.paid" } && one.Data.Contains("1.50", StringComparison.Ordinal) && one.Data.Contains("""a\nb""", StringComparison.Ordinal));
        Assert.NotNull(stream.Parser.Retry);
    }

    [Fact]
    public async Task The_reader_that_comes_with_NET_understands_it()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Events:Heartbeat"] = "00:00:00.100", ["Events:MaxAge"] = "00:00:05" });
        await api.ReportAsync("a.one", "c");
        await api.ReportAsync("a.two", "c");
        using var response = await AStream.AskAsync(api.Read, "?types=a.one", lastEventId: "0");

        var events = SseParser.Create(await response.Content.ReadAsStreamAsync());
        var told = new List<(string?, string, long)>();
        using var limit = new CancellationTokenSource(Eventually.Patience);
        await foreach (var one in events.EnumerateAsync(limit.Token)) told.Add((one.EventId, one.EventType, (long)JsonNode.Parse(one.Data)!["seq"]!));

        Assert.Equal([("1", "a.one", 1)], told);
        Assert.Equal("2", events.LastEventId);
    }

    [Fact]
    public async Task Without_a_place_it_begins_with_what_happens_from_now_on_and_says_where_that_is()
    {
        await using var api = await ApiHost.StartAsync();
        await api.ReportAsync("a.before", "c");

        using var stream = await AStream.OpenAsync(api.Read);
        await stream.UntilAsync(parser => parser.LastEventId.Length > 0);
        var begin = stream.Parser.LastEventId;
        await api.ReportAsync("a.after", "c");

        Assert.Equal(("1", "a.after"), (begin, (await stream.NextAsync())!.Event));
    }

    [Fact]
    public async Task Types_and_client_choose_what_comes()
    {
        await using var api = await ApiHost.StartAsync();
        using var stream = await AStream.OpenAsync(api.Read, "?types=a.*,b.two&clientId=c1");

        foreach (var (type, client) in new[] { ("a.one", "c1"), ("a.one", "c2"), ("b.one", "c1"), ("b.two", "c1") }) await api.ReportAsync(type, client);
        var told = await stream.NextAsync(2);

        Assert.Equal([("a.one", "1"), ("b.two", "4")], told.Select(one => (one.Event, one.Id)));
    }

    [Theory]
    [InlineData("?after=2", null, "3")]
    [InlineData("", "1", "2")]
    [InlineData("?after=2", "1", "2")]
    [InlineData("?after=0", "", "1")]
    public async Task It_goes_on_after_the_last_event_id_or_else_after_what_is_asked_for(string query, string? lastEventId, string first)
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 0; i < 4; i++) await api.ReportAsync("a.one", "c");

        using var stream = await AStream.OpenAsync(api.Read, query, lastEventId);

        Assert.Equal(first, (await stream.NextAsync())!.Id);
    }

    [Fact]
    public async Task What_retention_took_is_told_once_and_the_oldest_comes_next()
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 0; i < 10; i++) await api.ReportAsync("a.one", "c");
        api.Change("DELETE FROM journal WHERE seq < 6");

        using var stream = await AStream.OpenAsync(api.Read, lastEventId: "2");
        var told = await stream.NextAsync(2);
        using var again = await AStream.OpenAsync(api.Read, lastEventId: told[0].Id);
        using var inTime = await AStream.OpenAsync(api.Read, "?after=5");

        Assert.Equal([new Told("5", "reset", """{"after":2,"oldest":6}"""), new Told("6", "a.one", told[1].Data)], told);
        Assert.Equal("6", (await again.NextAsync())!.Id);
        Assert.Equal("6", (await inTime.NextAsync())!.Id);
    }

    [Fact]
    public async Task Where_nothing_is_kept_what_comes_next_is_the_oldest()
    {
        await using var api = await ApiHost.StartAsync();
        for (var i = 0; i < 3; i++) await api.ReportAsync("a.one", "c");
        api.Change("DELETE FROM journal");

        using var stream = await AStream.OpenAsync(api.Read, lastEventId: "1");
        using var atHead = await AStream.OpenAsync(api.Read, lastEventId: "3");
        var told = await stream.NextAsync();
        await api.ReportAsync("a.one", "c");

        Assert.Equal(new Told("3", "reset", """{"after":1,"oldest":4}"""), told);
        Assert.Equal(("4", "4"), ((await stream.NextAsync())!.Id, (await atHead.NextAsync())!.Id));
    }

    [Fact]
    public async Task A_heartbeat_moves_the_place_to_resume_from_where_nothing_passes_the_filter()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Events:Heartbeat"] = "00:00:00.100" });
        using var stream = await AStream.OpenAsync(api.Read, "?types=b.*");

        await stream.UntilAsync(parser => parser.Comments >= 2);
        var quiet = stream.Parser.LastEventId;
        for (var i = 0; i < 5; i++) await api.ReportAsync("a.one", "c");
        await stream.UntilAsync(parser => parser.LastEventId is "5");
        await api.ReportAsync("b.one", "c");

        Assert.Equal(("0", "6"), (quiet, (await stream.NextAsync())!.Id));
    }

    [Theory]
    [InlineData("?after=2", null, "after-beyond-head", "after")]
    [InlineData("", "2", "after-beyond-head", "Last-Event-ID")]
    [InlineData("?after=1", "2", "after-beyond-head", "Last-Event-ID")]
    [InlineData("", "abc", "invalid-value", "Last-Event-ID")]
    [InlineData("", "-1", "invalid-value", "Last-Event-ID")]
    [InlineData("?after=-1", null, "invalid-value", "after")]
    [InlineData("?types=a*", null, "invalid-value", "types")]
    [InlineData("?limit=1", null, "unknown-parameter", "limit")]
    [InlineData("?types=a&types=b", null, "repeated-parameter", "types")]
    public async Task A_place_that_is_none_and_a_filter_that_cannot_be_meant_are_refused(string query, string? lastEventId, string code, string parameter)
    {
        await using var api = await ApiHost.StartAsync();
        await api.ReportAsync("a.one", "c");

        using var response = await AStream.AskAsync(api.Read, query, lastEventId);

        Assert.Equal(parameter, (string?)(await response.ProblemAsync(HttpStatusCode.BadRequest, code))["parameter"]);
    }

    [Fact]
    public async Task As_many_streams_are_open_as_may_be_and_a_place_that_is_left_is_free_again()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Events:MaxStreams"] = "2" });
        using var first = await AStream.OpenAsync(api.Read);
        var second = await AStream.OpenAsync(api.Read);

        using var refused = await AStream.AskAsync(api.Read);
        var metrics = await api.Read.GetStringAsync("/metrics");
        second.Dispose();
        await Eventually.IsAsync(async () =>
        {
            using var again = await AStream.AskAsync(api.Read);
            return again.StatusCode is HttpStatusCode.OK;
        });

        var problem = await refused.ProblemAsync(HttpStatusCode.ServiceUnavailable, "too-many-streams");
        Assert.NotNull(problem["hint"]);
        Assert.NotNull(refused.Headers.RetryAfter?.Delta);
        Assert.Contains("events_streams 2\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_of_the_service_ends_streams_and_long_polls()
    {
        var arrived = new Arrivals(request => request.Headers.ContainsKey("Prefer"));
        await using var api = await ApiHost.StartAsync(configure: builder => builder.Services.AddSingleton<IStartupFilter>(arrived));
        using var outlives = new HttpClient { BaseAddress = api.Address, DefaultRequestHeaders = { Authorization = api.Read.DefaultRequestHeaders.Authorization } };
        using var stream = await AStream.OpenAsync(outlives);
        using var poll = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events") { Headers = { { "Prefer", "wait=60" } } };
        var polling = outlives.SendAsync(poll);
        await arrived.First.WaitAsync(Eventually.Patience);
        await stream.UntilAsync(parser => parser.LastEventId.Length > 0);

        var stopping = api.App.StopAsync();

        Assert.Null(await stream.NextAsync());
        Assert.Empty((await (await polling.WaitAsync(Eventually.Patience)).JsonAsync())["items"]!.AsArray());
        await stopping.WaitAsync(Eventually.Patience);
    }

    [Fact]
    public async Task A_stream_that_is_old_enough_ends_and_leads_on()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Events:MaxAge"] = "00:00:03" });
        await api.ReportAsync("a.one", "c");
        using var stream = await AStream.OpenAsync(api.Read, lastEventId: "0");

        var (told, end) = (await stream.NextAsync(), await stream.NextAsync());
        await api.ReportAsync("a.two", "c");
        using var next = await AStream.OpenAsync(api.Read, lastEventId: stream.Parser.LastEventId);

        Assert.Equal(("a.one", null, "a.two"), (told!.Event, end, (await next.NextAsync())!.Event));
    }

    [Fact]
    public async Task HEAD_is_answered_and_does_not_last()
    {
        await using var api = await ApiHost.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Head, "/api/v1/events/stream");

        using var response = await api.Read.SendAsync(request).WaitAsync(Eventually.Patience);

        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Contains("events_streams 0\n", await api.Read.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_asks_for_the_scope_read_and_takes_no_token_from_the_address()
    {
        await using var api = await ApiHost.StartAsync();

        using var anonymous = await AStream.AskAsync(api.Anonymous);
        using var ingest = await AStream.AskAsync(api.Ingest);
        using var inAddress = await AStream.AskAsync(api.Anonymous, $"?token={ApiHost.ReadToken}");

        Assert.Equal(
            (HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.Unauthorized), (anonymous.StatusCode, ingest.StatusCode, inAddress.StatusCode));
    }

    [Fact]
    public async Task A_reader_that_is_cut_off_a_thousand_times_under_load_has_the_journal_in_the_end()
    {
        const int Cuts = 1_000;
        await using var api = await ApiHost.StartAsync(new() { ["Events:MaxStreams"] = $"{Cuts + 1}" }); // a busy machine hears late that a reader is gone
        using var done = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i <= Cuts / 10 || !done.IsCancellationRequested; i++)
                await Task.WhenAll(Enumerable.Range(0, 10).Select(k => api.ReportAsync($"a.{k % 3}", $"c{i % 50}")));
        });
        var (random, seen, parser, place) = (new Random(4), new List<string>(), new EventParser(), "0");

        for (var cuts = 0; cuts < Cuts; cuts++)
        {
            using var stream = await AStream.AskAsync(api.Read, lastEventId: place);
            Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
            parser = new EventParser();
            using var cut = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(8)));
            var (buffer, left) = (new byte[6_000], random.Next(8_000));
            try
            {
                var body = await stream.Content.ReadAsStreamAsync(cut.Token);
                while (left > 0 && await body.ReadAsync(buffer.AsMemory(0, Math.Min(left, buffer.Length)), cut.Token) is > 0 and var length)
                {
                    seen.AddRange(parser.Feed(buffer.AsMemory(0, length)).Select(told => told.Id));
                    left -= length;
                }
            }
            catch (OperationCanceledException)
            {
                // cut off while it waited
            }
            if (parser.LastEventId.Length > 0) place = parser.LastEventId;
        }
        await done.CancelAsync();
        await writing;
        var journal = await (await api.GetAsync("/api/v1/events?limit=1000", "application/x-ndjson")).Content.ReadAsStringAsync();
        var expected = journal.TrimEnd().Split('\n').Select(line => $"{JsonNode.Parse(line)!["seq"]}").ToList();
        using var last = await AStream.OpenAsync(api.Read, lastEventId: place);
        seen.AddRange((await last.NextAsync(expected.Count - seen.Count)).Select(told => told.Id));

        Assert.True(expected.Count > Cuts, $"only {expected.Count} events");
        Assert.Equal(expected, seen);
    }
}

/// <summary>Tells when a request comes that is one of these, before the service does anything with it.</summary>
internal sealed class Arrivals(Func<HttpRequest, bool> which) : IStartupFilter
{
    private readonly TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task First => first.Task;

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use((context, go) =>
        {
            if (which(context.Request)) first.TrySetResult();
            return go(context);
        });
        next(app);
    };
}

internal static class JournalByHand
{
    /// <summary>An event of this type in the journal.</summary>
    public static Task ReportAsync(this ApiHost api, string type, string client, string body = "{}") =>
        api.SendAsync(new RecordReport(type, null, new ClientId(client), false, T, body, T));

    /// <summary>Changes the database past the service, as retention would.</summary>
    public static void Change(this ApiHost api, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(api.DataDirectory, "webhooks.db")};Pooling=False");
        connection.Open();
        connection.Execute(sql, commandTimeout: 60);
    }
}
