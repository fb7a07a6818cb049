using System.Diagnostics.Metrics;
using System.Text;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NSubstitute;
using WebhookService.Api.Errors;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Quarantine;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class IntakeTests
{
    private readonly IMediator mediator = Substitute.For<IMediator>();
    private readonly List<QuarantineBody> kept = [];
    private readonly Log log = [];
    private readonly Intake intake;

    public IntakeTests()
    {
        intake = With(new EmqxSource(), new JsonSource());
        mediator.Send(Arg.Do<QuarantineBody>(kept.Add), Arg.Any<CancellationToken>()).Returns(_ => 40 + kept.Count);
        Answering<RecordClientConnected>(Outcome.Applied);
        Answering<RecordClientDisconnected>(Outcome.Overtaken);
        Answering<RecordSignOfLife>(Outcome.Repeated);
    }

    [Fact]
    public async Task Applied_and_overtaken_are_accepted_and_repeated_is_a_duplicate()
    {
        var result = await TakeAsync("""[{"event":"client.connected","clientid":"c"},{"event":"client.disconnected","clientid":"c"},{"event":"client.ping","clientid":"c"},{}]""");

        Assert.Equal((2, 1, 1, 4), (result.Accepted, result.Duplicates, result.Ignored, result.Taken));
        Assert.Empty(kept);
    }

    [Fact]
    public async Task Elements_are_sent_in_their_order_without_waiting_for_one_another()
    {
        var sent = new List<string>();
        var answer = new TaskCompletionSource<Outcome>();
        mediator.Send(Arg.Do<RecordClientConnected>(command => sent.Add(command.Client.Value)), Arg.Any<CancellationToken>()).Returns(answer.Task);

        var taking = TakeAsync($"[{string.Join(',', Enumerable.Range(0, 100).Select(Connected))}]");
        var sentBeforeTheFirstAnswer = sent.ToList();
        answer.SetResult(Outcome.Applied);

        Assert.Equal(100, (await taking).Accepted);
        Assert.Equal(Enumerable.Range(0, 100).Select(number => $"c{number}"), sentBeforeTheFirstAnswer);
    }

    [Fact]
    public async Task A_large_array_never_fills_the_queue()
    {
        var (waiting, most) = (0, 0);
        mediator.Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>()).Returns(async _ =>
        {
            most = Math.Max(most, Interlocked.Increment(ref waiting));
            await Task.Yield();
            Interlocked.Decrement(ref waiting);
            return Outcome.Applied;
        });

        var result = await TakeAsync($"[{string.Join(',', Enumerable.Range(0, 20_000).Select(Connected))}]");

        Assert.Equal(20_000, result.Accepted);
        Assert.InRange(most, 1, 1000);
    }

    [Fact]
    public async Task Malformed_elements_are_kept_each_with_its_own_bytes_and_the_others_taken()
    {
        var result = await TakeAsync("""[{"event":"client.connected","clientid":"c"}, {"event":"client.connected","clientid":[]}, 7]""");

        Assert.Equal((1, 2), (result.Accepted, result.Quarantined.Count));
        Assert.Equal(["""{"event":"client.connected","clientid":[]}""", "7"], kept.Select(body => Encoding.UTF8.GetString(body.Body)));
        Assert.Equal(("emqx", "malformed", "clientid", "text/odd", false, Arrival), (kept[0].Source, kept[0].Code, kept[0].Parameter, kept[0].ContentType, kept[0].Truncated, kept[0].ReceivedAt));
    }

    [Fact]
    public async Task A_body_of_very_many_malformed_elements_is_kept_whole_and_once()
    {
        var body = $"[{string.Join(',', Enumerable.Repeat("0", 5_000))}]";

        var result = await TakeAsync(body);

        Assert.Equal((5_000, 100, body), (result.Refused, result.Mistakes.Count, Encoding.UTF8.GetString(Assert.Single(kept).Body)));
    }

    [Fact]
    public async Task A_broken_array_is_kept_whole_and_nothing_of_it_taken()
    {
        const string body = """[{"event":"client.connected","clientid":"c"},{"event":]""";

        var result = await TakeAsync(body);

        Assert.Equal((0, body), (result.Taken, Encoding.UTF8.GetString(Assert.Single(kept).Body)));
        await mediator.DidNotReceive().Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>());
    }

    [Fact]
    public async Task Beyond_a_hundred_mistakes_are_counted_and_no_longer_described()
    {
        var body = Encoding.UTF8.GetBytes($"[{string.Join(',', Enumerable.Repeat("1", 500_000))}]");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var result = await intake.TakeAsync("emqx", new HeaderDictionary(), null, body, Arrival, "request-7");

        Assert.Equal(500_000, result.Refused);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * body.Length);
    }

    [Theory]
    [InlineData("""[{"event":"client.connected","clientid":"c"},{"event":]""")]
    [InlineData(" \n{\"event\":")]
    [InlineData("\uFEFF[")]
    public async Task What_looks_like_JSON_is_malformed_whatever_it_calls_itself(string body)
    {
        Assert.Equal("malformed", Assert.Single((await TakeAsync(body, "application/x-www-form-urlencoded")).Mistakes).Code);
    }

    [Fact]
    public async Task A_body_on_which_its_translator_fails_is_kept()
    {
        var result = await With(new Translator(() => throw new OverflowException("a bug"))).TakeAsync("emqx", new HeaderDictionary(), null, "{}"u8.ToArray(), Arrival, "request-7");

        Assert.Equal(("failed", 1, "{}"), (Assert.Single(kept).Code, result.Refused, Encoding.UTF8.GetString(kept[0].Body)));
        Assert.DoesNotContain("a bug", kept[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failures_are_logged_with_the_id_of_their_request()
    {
        mediator.Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>()).Returns<Outcome>(_ => throw new InvalidOperationException("a bug"));

        await With(new Translator(() => throw new OverflowException("a bug"))).TakeAsync("emqx", new HeaderDictionary(), null, "{}"u8.ToArray(), Arrival, "request-7");
        await TakeAsync($"[{Connected(1)},{{}}]");

        Assert.Equal(2, log.Count);
        Assert.All(log, line => Assert.EndsWith("a bug (request request-7)", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_body_on_whose_third_element_its_translator_fails_is_kept_whole_and_the_first_two_taken()
    {
        var kind = new Translator(() => new Translation.Understood(Enumerable.Range(0, 4).Select(number =>
            number == 2 ? throw new OverflowException("a bug") : new Element(default, Assert.IsType<RecordClientConnected>(Elements(Emqx(Connected(number)))[0].Command)))));

        var result = await With(kind).TakeAsync("emqx", new HeaderDictionary(), null, "[1,2,3,4]"u8.ToArray(), Arrival, "request-7");

        Assert.Equal(("failed", 2, "[1,2,3,4]"), (Assert.Single(kept).Code, result.Accepted, Encoding.UTF8.GetString(kept[0].Body)));
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=x", "unsupported-media-type")]
    [InlineData("Application/X-WWW-Form-Urlencoded", "unsupported-media-type")]
    [InlineData("application/soap+xml", "unsupported-media-type")]
    [InlineData("image/png", "unsupported-media-type")]
    [InlineData("application/octet-stream", "malformed")]
    [InlineData("text/plain", "malformed")]
    [InlineData("", "malformed")]
    [InlineData(null, "malformed")]
    public async Task Only_a_body_that_neither_is_nor_claims_to_be_JSON_is_of_an_unsupported_type(string? contentType, string code)
    {
        var broken = await TakeAsync("<a/>", contentType);
        var sound = await TakeAsync("{}", contentType);

        Assert.Equal((code, 1), (Assert.Single(broken.Mistakes).Code, sound.Ignored));
    }

    [Fact]
    public async Task What_the_domain_refuses_is_malformed()
    {
        mediator.Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>()).Returns<Outcome>(_ => throw new DomainException("No.", "peer"));

        var result = await TakeAsync(Connected(1));

        Assert.Equal((0, "malformed", "peer"), (result.Taken, Assert.Single(kept).Code, kept[0].Parameter));
    }

    [Fact]
    public async Task What_fails_by_our_fault_is_kept_too_and_stops_no_other()
    {
        mediator.Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>()).Returns<Outcome>(_ => throw new InvalidOperationException("a bug"));

        var result = await TakeAsync($$"""[{{Connected(1)}},{"event":"client.disconnected","clientid":"c"}]""");

        Assert.Equal((1, "failed"), (result.Accepted, Assert.Single(kept).Code));
        Assert.DoesNotContain("a bug", kept[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_overload_is_told_when_all_others_are_through()
    {
        var later = new TaskCompletionSource<Outcome>();
        mediator.Send(Arg.Any<RecordClientConnected>(), Arg.Any<CancellationToken>()).Returns<Outcome>(_ => throw new OverloadedException(TimeSpan.FromSeconds(1)));
        mediator.Send(Arg.Any<RecordClientDisconnected>(), Arg.Any<CancellationToken>()).Returns(later.Task);

        var taking = TakeAsync($$"""[{{Connected(1)}},{"event":"client.disconnected","clientid":"c"}]""");

        Assert.False(taking.IsCompleted);
        later.SetResult(Outcome.Applied);
        await Assert.ThrowsAsync<OverloadedException>(() => taking);
        Assert.Empty(kept);
    }

    [Fact]
    public async Task A_source_that_does_not_exist_is_not_found_and_the_others_are_named()
    {
        var refusal = await Assert.ThrowsAsync<ApiException>(() => intake.TakeAsync("nope", new HeaderDictionary(), null, "{}"u8.ToArray(), Arrival, "request-7"));

        Assert.Equal(404, refusal.Problem.Status);
        Assert.Contains("emqx", refusal.Problem.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retry_that_succeeds_releases_the_body_and_counts_with_its_first_arrival()
    {
        var result = await intake.RetryAsync(Quarantined(Connected(1)), Arrival.AddDays(1), "request-7");

        Assert.Equal(1, result.Accepted);
        await mediator.Received().Send(Arg.Is<RecordClientConnected>(command => command.ReceivedAt == Arrival), Arg.Any<CancellationToken>());
        await mediator.Received().Send(new ReleaseFromQuarantine(7), Arg.Any<CancellationToken>());
    }

    [Fact]
    public async Task A_retry_that_fails_is_noted_and_keeps_no_second_copy()
    {
        var result = await intake.RetryAsync(Quarantined("""{"event":"client.connected"}"""), Arrival.AddDays(1), "request-7");

        Assert.Equal((0, "clientid"), (result.Taken, Assert.Single(result.Mistakes).Mistake.Parameter));
        Assert.Empty(kept);
        await mediator.Received().Send(new NoteQuarantineAttempt(7, "'clientid' is missing.", Arrival.AddDays(1)), Arg.Any<CancellationToken>());
        await mediator.DidNotReceive().Send(Arg.Any<ReleaseFromQuarantine>(), Arg.Any<CancellationToken>());
    }

    [Fact]
    public async Task Nothing_can_cancel_what_is_on_its_way()
    {
        await TakeAsync(Connected(1));

        await mediator.Received().Send(Arg.Any<RecordClientConnected>(), CancellationToken.None);
    }

    private Intake With(params IWebhookSource[] kinds)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new(mediator, new WebhookSources(Options.Create(new IngestOptions()), kinds), new IngestWatch(TimeProvider.System), new ServiceMetrics(meters), log);
    }

    private Task<IntakeResult> TakeAsync(string body, string? contentType = "text/odd") =>
        intake.TakeAsync("emqx", new HeaderDictionary(), contentType, Encoding.UTF8.GetBytes(body), Arrival, "request-7");

    private void Answering<TCommand>(Outcome outcome)
        where TCommand : ICommand => mediator.Send(Arg.Any<TCommand>(), Arg.Any<CancellationToken>()).Returns(outcome);

    private static string Connected(int number) => $$"""{"event":"client.connected","clientid":"c{{number}}"}""";

    private static QuarantinedBody Quarantined(string body) => new(
        new QuarantinedView { Id = 7, ReceivedAt = Arrival, Source = "emqx", Code = "malformed", Reason = "?", Bytes = body.Length, Truncated = false, Attempts = 0 },
        Encoding.UTF8.GetBytes(body));

    private sealed class Translator(Func<Translation> translate) : IWebhookSource
    {
        public string Kind => "emqx";

        public Translation Translate(Webhook webhook) => translate();
    }

    /// <summary>Its lines: what was thrown, and the end of what was said of it.</summary>
    private sealed class Log : List<string>, ILogger<Intake>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var said = formatter(state, exception);
            Add($"{exception?.Message} {said[said.LastIndexOf('(')..]}");
        }
    }
}
