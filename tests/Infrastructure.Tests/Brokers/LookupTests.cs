using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>One client by its id: never another's answer, and "nobody" only where the broker says so.</summary>
public sealed class LookupTests
{
    public static TheoryData<string, string> OddIds()
    {
        var data = new TheoryData<string, string>();
        foreach (var id in (string[])[".", "..", "...", "%2E", "../clients", "a/../b", "a b", "a+b", "a/b", "%", "%25", "#", "?clientid=a", "客户端", "😀", "'()*!", "~-_", new string('ß', 500), new string('客', MqttText.MaxBytes / 3)])
        {
            data.Add("4.4.19", id);
            data.Add("5.3.2", id);
            data.Add("5.8.9", id);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(OddIds))]
    public async Task Any_id_finds_its_client_and_no_other(string version, string id)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("other");
        emqx.Connect(id, connectedAt: T1);
        using var broker = Of(emqx);

        var found = await broker.FindAsync(id);
        emqx.Disconnect(id);
        var gone = await broker.FindAsync(id);

        Assert.Equal(id, found?.Id.Value);
        Assert.Null(gone);
    }

    [Fact]
    public async Task No_id_asks_nothing()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Connect("a");
        using var broker = Of(emqx, options => options.Version = "5");

        await Assert.ThrowsAsync<InvalidOperationException>(() => broker.FindAsync(default, CancellationToken.None));

        Assert.Empty(emqx.Requests);
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task A_waiting_session_is_found_as_not_connected(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("pump-1", connectedAt: T1);
        emqx.Disconnect("pump-1", at: T1.AddSeconds(90), keepsSession: true);
        using var broker = Of(emqx);

        var found = await broker.FindAsync("pump-1");

        Assert.False(found!.Connected);
        Assert.InRange(found.DisconnectedAt!.Value, T1.AddSeconds(89), T1.AddSeconds(90));
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task Nobody_is_nobody_even_where_the_list_has_the_client(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("pump-1");
        emqx.LookupsFindNobody = true;
        using var broker = Of(emqx);

        var listed = await broker.IdsAsync();
        var found = await broker.FindAsync("pump-1");

        Assert.Equal(["pump-1"], listed);
        Assert.Null(found);
    }

    [Theory]
    [InlineData("4", """{"data":[{"clientid":"other","connected":true,"connected_at":"2026-03-01 12:00:00"}],"code":0}""")]
    [InlineData("5", """{"clientid":"other","connected":true,"connected_at":"2026-03-01T12:00:00Z"}""")]
    [InlineData("5", """{"data":[{"clientid":"pump-1","connected":true,"connected_at":"2026-03-01T12:00:00Z"}],"meta":{}}""")]
    public async Task Another_client_s_answer_is_none(string version, string body)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Json(body);
        using var broker = Of(emqx, options => options.Version = version);

        await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("pump-1"));
    }

    [Fact]
    public async Task A_filter_that_the_broker_ignores_proves_nothing()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V53);
        emqx.Asked = _ => FakeAnswer.Json("""{"data":[{"clientid":"a","connected_at":"2026-03-01T12:00:00Z"}],"meta":{"hasnext":true}}""");
        using var broker = Of(emqx, options => options.Version = "5");

        await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync(".."));
    }

    [Fact]
    public async Task Of_two_nodes_that_list_a_client_the_newer_connection_counts()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        emqx.Asked = _ => FakeAnswer.Json("""
            {"data":[{"clientid":"a","node":"n1","connected":false,"connected_at":"2026-03-01 12:00:05"},{"clientid":"a","node":"n2","connected":true,"connected_at":"2026-03-01 12:00:03"},
            {"clientid":"a","node":"n3","connected":true,"connected_at":"2026-03-01 12:00:02"}],"code":0}
            """);
        using var broker = Of(emqx, options => options.Version = "4");

        var found = await broker.FindAsync("a");

        Assert.Equal("n2", found?.Node);
    }

    [Theory]
    [InlineData("4", 404, "Not found.", "text/plain")]
    [InlineData("5", 404, """{"code": "NOT_FOUND", "message": "Request Path Not Found"}""", "application/json")]
    [InlineData("5", 404, "", "text/plain")]
    [InlineData("4", 200, """{"message":"channel_not_found","code":112}""", "application/json")]
    [InlineData("5", 200, """{"clientid":"pump-1","connected":true,"connected_at":null}""", "application/json")]
    public async Task An_answer_that_does_not_say_nobody_is_not_taken_for_it(string version, int status, string body, string contentType)
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Asked = _ => FakeAnswer.Status(status, body, contentType);
        using var broker = Of(emqx, options => options.Version = version);

        await Assert.ThrowsAsync<BrokerException>(() => broker.FindAsync("pump-1"));
    }
}
