using System.IO.Compression;
using System.Text.Json;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>What running brokers answered, byte for byte (recordings/management-api), with 35 clients connected and 5 sessions waiting.</summary>
public sealed class RecordedAnswersTests
{
    private static readonly string[] OddIds =
    [
        "温度传感器-01", "客户端 甲/乙", "dev with space", "dev/with/slash", "a?b=c&d", "100%", "%2F", "plus+id", "hash#id", "dot.dot..", "quote\"id",
        "apo'id", "semi;colon", "user@host:1", "back\\slash", "emoji😀", "_limit", "undefined", "ÄÖÜ ß", new string('x', 200),
    ];

    private static readonly string[] Connected =
        [.. Enumerable.Range(0, 10).Select(number => $"plain-0{number}"), .. OddIds, .. Enumerable.Range(0, 5).Select(number => $"persist-on-{number}")];

    [Theory]
    [InlineData("v4", 1000)]
    [InlineData("v58", 1)]
    [InlineData("v6", 1)]
    public async Task The_list_gives_all_connected_clients_and_no_other(string recording, int precision)
    {
        await using var emqx = await ReplayAsync(recording);
        using var broker = ABroker.Of(emqx, options => options.PageSize = 10);

        var clients = await broker.ClientsAsync();

        Assert.Equal(Connected.Order(StringComparer.Ordinal), clients.Select(client => client.Id.Value).Order(StringComparer.Ordinal));
        Assert.All(clients, client =>
        {
            Assert.True(client.Connected);
            Assert.Null(client.DisconnectedAt);
            Assert.Equal(TimeSpan.FromMilliseconds(precision), client.Precision);
            Assert.Equal($"127.0.0.1:{client.Details.Port}", client.Peer);
            Assert.Equal("MQTT", client.Details.Protocol);
        });
        Assert.Null(clients.Single(client => client.Id.Value == "plain-00").Details.Username);
        Assert.Equal("用户1", clients.Single(client => client.Id.Value == "客户端 甲/乙").Details.Username);
    }

    [Theory]
    [InlineData("v4", 1000)]
    [InlineData("v58", 1)]
    public async Task Each_listed_connection_is_the_one_that_the_webhook_told_of(string recording, long precision)
    {
        await using var emqx = await ReplayAsync(recording);
        using var broker = ABroker.Of(emqx, options => options.PageSize = 10);
        var told = Lines($"{recording}.connected").Select(line => (
            Id: line.GetProperty("clientid").GetString(),
            Node: line.GetProperty("node").GetString(),
            At: line.GetProperty("connected_at").GetInt64() / precision * precision,
            Peer: line.TryGetProperty("peername", out var peer) ? peer.GetString() : null,
            KeepAlive: line.GetProperty("keepalive").GetInt32())).ToHashSet();

        var clients = await broker.ClientsAsync();

        Assert.Equal(Connected.Length, clients.Count);
        Assert.All(clients, client => Assert.Contains(
            ((string?)client.Id.Value, (string?)client.Node, client.ConnectedAt.ToUnixTimeMilliseconds(), recording == "v58" ? client.Peer : null, client.Details.KeepAliveSeconds!.Value),
            told));
    }

    [Theory]
    [InlineData("v58")]
    [InlineData("v6")]
    public async Task A_list_of_chosen_fields_says_the_same_as_one_of_all_fields(string recording)
    {
        await using var emqx = await ReplayAsync(recording);
        using var whole = ABroker.Of(emqx, options => options.PageSize = 10);
        using var chosen = ABroker.Of(emqx, options => options.PageSize = 1000);

        var clients = await chosen.ClientsAsync();

        Assert.Equal(Sorted(await whole.ClientsAsync()), Sorted(clients));
        Assert.Contains(emqx.Requests, request => request.Query.Contains("limit=1000", StringComparison.Ordinal));
        Assert.DoesNotContain(emqx.Requests, request => request.Query.Contains("limit=1000", StringComparison.Ordinal) && !request.Query.Contains("fields", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("v4")]
    [InlineData("v58")]
    [InlineData("v6")]
    public async Task Every_odd_client_id_is_found(string recording)
    {
        await using var emqx = await ReplayAsync(recording);
        using var broker = ABroker.Of(emqx);

        foreach (var id in OddIds)
        {
            var client = await broker.FindAsync(id);

            Assert.Equal((id, true), (client?.Id.Value, client?.Connected));
        }
    }

    [Theory]
    [InlineData("v4", "2026-11-21T23:12:18Z", "2026-11-21T23:12:18Z")]
    [InlineData("v58", "2026-11-21T23:17:45.999Z", "2026-11-21T23:17:46.004Z")]
    [InlineData("v6", "2026-11-21T23:47:27.700Z", "2026-11-21T23:47:27.706Z")]
    public async Task A_waiting_session_is_found_with_its_end_and_an_absent_client_is_not(string recording, DateTimeOffset connectedAt, DateTimeOffset disconnectedAt)
    {
        await using var emqx = await ReplayAsync(recording);
        using var broker = ABroker.Of(emqx);

        var waiting = await broker.FindAsync("persist-off-0");
        var absent = await broker.FindAsync("absent-1");

        Assert.Equal((false, connectedAt, disconnectedAt), (waiting!.Connected, waiting.ConnectedAt, waiting.DisconnectedAt));
        Assert.Equal(("q0", 7200L, false, "4"), (waiting.Details.Username, waiting.Details.ExpirySeconds, waiting.Details.CleanStart, waiting.Details.ProtocolVersion));
        Assert.Null(absent);
    }

    [Theory]
    [InlineData("v4", "4.4.19", "emqx@127.0.0.1", "2026-11-21T23:12:18Z")]
    [InlineData("v58", "5.8.9", "emqx58@127.0.0.1", "2026-11-21T23:17:46Z")]
    [InlineData("v6", "6.0.2", "emqx6@127.0.0.1", "2026-11-21T23:47:27Z")]
    public async Task The_condition_tells_version_node_clock_and_connected_clients(string recording, string version, string node, DateTimeOffset date)
    {
        await using var emqx = await ReplayAsync(recording);
        using var broker = ABroker.Of(emqx, time: new AClock(date.AddSeconds(-30)));

        var condition = await broker.ConditionAsync();

        Assert.Equal((version, TimeSpan.FromSeconds(30.5)), (condition.Version, condition.ClockOffset));
        Assert.Equal(new BrokerNodeCondition(node, Running: true, version, Connections: 35), Assert.Single(condition.Nodes));
    }

    public static TheoryData<string, string, PublishResult?> Publishes() => new()
    {
        { "v4", "one subscriber", PublishResult.Taken },
        { "v4", "undocumented return=...", PublishResult.Taken },
        { "v4", "no subscriber", PublishResult.Taken }, // it never says
        { "v4", "invalid base64", null },
        { "v4", "wildcard topic", null },
        { "v4", "v5 properties", PublishResult.Taken },
        { "v4", "subscriber offline, persistent", PublishResult.Taken },
        { "v58", "one subscriber", PublishResult.Taken },
        { "v58", "no subscriber", PublishResult.NoSubscriber },
        { "v58", "no subscriber, retained", PublishResult.NoSubscriber },
        { "v58", "base64", PublishResult.Taken },
        { "v58", "Chinese", PublishResult.Taken },
        { "v58", "invalid base64", null },
        { "v58", "wildcard topic", null },
        { "v58", "unknown property", null },
        { "v58", "v5 properties", PublishResult.Taken },
        { "v58", "subscriber offline, persistent", PublishResult.Taken },
        { "v58", "$SYS topic", PublishResult.NoSubscriber },
    };

    /// <summary>Null stands for a refusal.</summary>
    [Theory]
    [MemberData(nameof(Publishes))]
    public async Task What_the_broker_said_of_a_publish_is_understood(string recording, string note, PublishResult? result)
    {
        var exchange = Control(recording, note);
        await using var emqx = await ReplayControlAsync(recording, exchange);
        using var broker = ABroker.Of(emqx, options => options.Version = recording == "v4" ? "4" : "5");
        var order = new DownlinkOrder(new ClientId("plain-00"), "cmd/plain-00/x", "x"u8.ToArray(), 1, false, null, TimeSpan.FromSeconds(60));

        if (result is null)
        {
            var refused = await Assert.ThrowsAsync<BrokerException>(() => broker.PublishAsync(order, default));
            Assert.Equal(BrokerFault.Refused, refused.Fault);
            var said = JsonElement.Parse(exchange.GetProperty("body").GetString()!).GetProperty("message").GetString()!;
            Assert.Contains(said[..Math.Min(said.Length, 30)], refused.Message, StringComparison.Ordinal);
            return;
        }
        var answer = await broker.PublishAsync(order, default);
        var body = exchange.GetProperty("body").GetString()!;
        Assert.Equal(result, answer.Result);
        Assert.Equal(body.Contains("000660D1", StringComparison.Ordinal), answer.Message is not null && body.Contains(answer.Message.Value.ToString(), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("v4", "connected", true)] // 4.x says the same of an absent one: it is asked before, and lists it
    [InlineData("v58", "connected", true)]
    [InlineData("v58", "again", false)]
    [InlineData("v58", "absent", false)]
    [InlineData("v58", "odd id", true)]
    [InlineData("v58", "offline session", true)]
    public async Task What_the_broker_said_of_a_kick_is_understood(string recording, string note, bool kicked)
    {
        var exchange = Control(recording, note);
        var id = Uri.UnescapeDataString(exchange.GetProperty("target").GetString()!.Split('/')[^1]);
        await using var emqx = await ReplayControlAsync(recording, exchange);
        emqx.Connect(id);
        using var broker = ABroker.Of(emqx, options => options.Version = recording == "v4" ? "4" : "5");

        Assert.Equal(kicked, await broker.KickAsync(new ClientId(id), default));
        Assert.Contains(emqx.Requests, request => request.Method == "DELETE" && request.Path == exchange.GetProperty("target").GetString());
    }

    private static JsonElement Control(string recording, string note) =>
        Lines($"{recording}.control").First(line => line.GetProperty("note").ValueEquals(note) && line.GetProperty("method").GetString() is not "GET");

    /// <summary>Answers what was recorded to anything but a question.</summary>
    private static async Task<FakeEmqx> ReplayControlAsync(string recording, JsonElement exchange)
    {
        var emqx = await FakeEmqx.StartAsync(recording == "v4" ? FakeEmqx.V4 : FakeEmqx.V5);
        emqx.Asked = request => request.Method is "GET" ? null
            : request.Path.Contains("publish", StringComparison.Ordinal) && request.Path != exchange.GetProperty("target").GetString() ? FakeAnswer.Status(404)
            : FakeAnswer.Status(exchange.GetProperty("status").GetInt32(), exchange.GetProperty("body").GetString()!, exchange.GetProperty("content_type").GetString()!);
        return emqx;
    }

    private static IEnumerable<ListedClient> Sorted(IEnumerable<ListedClient> clients) => clients.OrderBy(client => client.Id.Value, StringComparer.Ordinal);

    /// <summary>Answers what was recorded for a target. Which fields were asked for, and whether an apostrophe is escaped, makes no other target.</summary>
    private static async Task<FakeEmqx> ReplayAsync(string recording)
    {
        var answers = new Dictionary<string, FakeAnswer>(StringComparer.Ordinal);
        FakeAnswer? refusal = null;
        foreach (var line in Lines(recording))
        {
            var (target, status) = (line.GetProperty("target").GetString()!, line.GetProperty("status").GetInt32());
            var answer = FakeAnswer.Status(status, line.GetProperty("body").GetString()!, line.GetProperty("content_type").GetString()!, line.GetProperty("date").GetString());
            if (status == 400) refusal = answer;
            else answers.Add(Key(target), answer);
        }
        var emqx = await FakeEmqx.StartAsync(recording == "v4" ? FakeEmqx.V4 : FakeEmqx.V5);
        emqx.Asked = request => answers.TryGetValue(Key(request.Target), out var answer) ? answer
            : request.Query.Contains("fields", StringComparison.Ordinal) ? refusal
            : FakeAnswer.Status(404);
        return emqx;
    }

    private static string Key(string target)
    {
        var question = target.IndexOf('?', StringComparison.Ordinal);
        if (question < 0) return Uri.UnescapeDataString(target);
        var parameters = target[(question + 1)..].Split('&').Select(parameter => parameter.StartsWith("fields=", StringComparison.Ordinal) ? "fields" : parameter);
        return target[..question] + "?" + string.Join('&', parameters.Order(StringComparer.Ordinal));
    }

    private static List<JsonElement> Lines(string name)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "recordings", "README.md"))) folder = folder.Parent!;
        using var file = File.OpenRead(Path.Combine(folder.FullName, "recordings", "management-api", name + ".jsonl.gz"));
        using var text = new StreamReader(new GZipStream(file, CompressionMode.Decompress));
        var lines = new List<JsonElement>();
        while (text.ReadLine() is { } line) lines.Add(JsonElement.Parse(line));
        return lines;
    }
}
