using WebhookService.Application.Brokers;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>Failures are sentences that name the broker, what was asked and what to do, and no secret.</summary>
public sealed class FailureTests
{
    public static TheoryData<FakeAnswer, string, string> Misdeeds() => new()
    {
        { FakeAnswer.Status(500, "Internal Error"), "answered 500 (Internal Error)", "broker's log" },
        { FakeAnswer.Status(500), "cannot read the credentials", "Brokers:0:ApiKey" },
        { FakeAnswer.Status(401, "UNAUTHORIZED"), "401 (UNAUTHORIZED)", "Check Brokers:0:ApiKey and Brokers:0:ApiSecret" },
        { FakeAnswer.Json("""{"code":"API_KEY_NOT_ALLOW","message":"Please use bearer Token instead"}""", 401), "API_KEY_NOT_ALLOW", "Brokers:0:ApiKey" },
        { FakeAnswer.Json("""{"code":"FORBIDDEN","message":""}""", 403), "403 (FORBIDDEN)", "role must be viewer" },
        { FakeAnswer.Status(404, "Not found."), "404", "Brokers:0:Url" },
        { FakeAnswer.Status(503, new string('x', 5000)), "503", "broker's log" },
        { FakeAnswer.Redirect("http://127.0.0.1:1/api/v5/nodes"), "302", "Brokers:0:Url" },
        { FakeAnswer.Status(200, "<!doctype html>"), "half a JSON text, or none", "Brokers:0:Url" },
        { FakeAnswer.Half, "half a JSON text, or none", "Brokers:0:Url" },
        { FakeAnswer.Cut, "connection broke", "broker's log" },
        { FakeAnswer.Drop, "connection broke", "broker's log" },
    };

    [Theory]
    [MemberData(nameof(Misdeeds))]
    public async Task A_failure_says_what_came_and_what_to_do(FakeAnswer misdeed, string came, string toDo)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => misdeed;
        using var broker = Of(emqx, options => options.Name = "east");

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ConditionAsync);

        Assert.StartsWith($"Broker 'east': GET /api/v5/nodes at {emqx.Address.Authority} ", failure.Message, StringComparison.Ordinal);
        Assert.Contains(came, failure.Message, StringComparison.Ordinal);
        Assert.Contains(toDo, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(FakeEmqx.ApiSecret, failure.ToString(), StringComparison.Ordinal);
        Assert.InRange(failure.Message.Length, 1, 500);
        Assert.All(emqx.Requests, request => Assert.EndsWith("/nodes", request.Path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_late_answer_is_told()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Late(TimeSpan.FromMinutes(1));
        using var broker = Of(emqx, options => options.Timeout = TimeSpan.FromSeconds(1));

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ConditionAsync);

        Assert.Contains("within 1 s", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Brokers:0:Timeout", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_that_is_not_there_is_told()
    {
        using var nobody = new ADeadPort();
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        using var broker = Of(emqx, options => options.Url = nobody.Url);

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("a"));

        Assert.Contains("could not be sent", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Brokers:0:Url", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_cannot_be_trusted_is_told()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        using var broker = Of(emqx, options => options.Url = $"https://{emqx.Address.Authority}");

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ConditionAsync);

        Assert.Contains("TLS", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_without_bounds_is_not_read_to_its_end()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json($"[\"{new string('x', 65 * 1024 * 1024)}\"]");
        using var broker = Of(emqx);

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ConditionAsync);

        Assert.Contains("more than 64 MB", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Brokers:0:PageSize", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_stops_asking_gets_no_failure()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Late(TimeSpan.FromMinutes(1));
        using var broker = Of(emqx);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => broker.ConditionAsync(stop.Token));
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task A_wrong_secret_is_told_by_real_answers(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx, options => (options.Version, options.ApiSecret) = (version[..1], "wrong-secret"));

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("a"));

        Assert.Contains("401", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-secret", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_path_is_shown_in_part()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Status(414);
        using var broker = Of(emqx, options => options.Version = "5");

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync(new string('x', 10_000)));

        Assert.InRange(failure.Message.Length, 1, 500);
    }

    [Fact]
    public async Task An_error_of_4_x_comes_with_status_200()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        emqx.Once("/clients", FakeAnswer.Json("""{"message":"Can't convert <<\"x\">> to timestamp type","code":108}"""));
        using var broker = Of(emqx);

        var failure = await Assert.ThrowsAsync<BrokerException>(broker.ClientsAsync);

        Assert.Contains("error (108 Can't convert", failure.Message, StringComparison.Ordinal);
    }
}
