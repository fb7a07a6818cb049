using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Tests;
using static WebhookService.Infrastructure.Tests.Brokers.ABroker;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>What is published and kicked through the API, and how sure a failure is.</summary>
public sealed class PublishTests
{
    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    [InlineData("6.0.2")]
    public async Task A_message_arrives_as_it_was_ordered_and_its_id_comes_back(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx);
        var properties = new DownlinkProperties { ContentType = "text/plain", ResponseTopic = "r/t", CorrelationData = "cd", UserProperties = new Dictionary<string, string> { ["a"] = "1" } };

        var answer = await broker.PublishAsync(Order("你好 \"x\"\n", 2, TimeSpan.FromSeconds(60), properties, retain: true), default);

        var message = Assert.Single(emqx.Published);
        Assert.Equal((PublishResult.Taken, message.Id), (answer.Result, answer.Message?.ToString()));
        Assert.Equal(("cmd/命令", 2, true, "http_api", "你好 \"x\"\n"), (message.Topic, message.Qos, message.Retain, message.Publisher, Encoding.UTF8.GetString(message.Payload)));
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse("""{"message_expiry_interval":60,"content_type":"text/plain","response_topic":"r/t","correlation_data":"cd","user_properties":{"a":"1"}}"""), message.Properties));
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    public async Task Bytes_that_are_no_text_arrive_whole_and_text_is_not_encoded(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        using var broker = Of(emqx);

        await broker.PublishAsync(new DownlinkOrder(Device, "t", new byte[] { 0, 255, 1 }, 0, false, null, TimeSpan.FromSeconds(5)), default);
        await broker.PublishAsync(Order("on"), default);

        Assert.Equal([0, 255, 1], emqx.Published[0].Payload);
        Assert.DoesNotContain("base64", emqx.Requests[^1].Body, StringComparison.Ordinal); // before 4.4 the device would get the letters
    }

    [Fact]
    public async Task Without_subscribers_5_x_says_so_and_4_x_does_not()
    {
        await using var five = await FakeEmqx.StartAsync(FakeEmqx.V5);
        await using var four = await FakeEmqx.StartAsync(FakeEmqx.V4);
        (five.SubscribedTopics, four.SubscribedTopics) = ([], []);
        using var newer = Of(five);
        using var older = Of(four);

        Assert.Equal(new PublishAnswer(PublishResult.NoSubscriber), await newer.PublishAsync(Order("x"), default));
        Assert.Equal(PublishResult.Taken, (await older.PublishAsync(Order("x"), default)).Result);
    }

    [Fact]
    public async Task Before_4_4_no_id_comes_back()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V4);
        emqx.TellsNoIds = true;
        using var broker = Of(emqx);

        Assert.Equal(new PublishAnswer(PublishResult.Taken), await broker.PublishAsync(Order("x"), default));
    }

    public static TheoryData<string, FakeAnswer, BrokerFault> Misdeeds() => new()
    {
        { "5.8.9", FakeAnswer.Json("""{"message":"packet_too_large","reason_code":151}""", 400), BrokerFault.Refused },
        { "5.8.9", FakeAnswer.Status(404, "Not found."), BrokerFault.Refused },
        { "5.8.9", FakeAnswer.Json("""{"code":"BAD_API_KEY_OR_SECRET","message":"x"}""", 401), BrokerFault.Credentials },
        { "5.8.9", FakeAnswer.Json("""{"code":"API_KEY_NOT_ALLOW","message":"x"}""", 403), BrokerFault.Credentials },
        { "5.8.9", FakeAnswer.Status(500, "Internal Error"), BrokerFault.Unclear },
        { "5.8.9", FakeAnswer.Status(503, "busy"), BrokerFault.Unclear },
        { "5.8.9", FakeAnswer.Half, BrokerFault.Unclear },
        { "5.8.9", FakeAnswer.Cut, BrokerFault.Unclear },
        { "5.8.9", FakeAnswer.Drop, BrokerFault.Unclear },
        { "5.8.9", FakeAnswer.Late(TimeSpan.FromMinutes(1)), BrokerFault.Unclear },
        { "4.4.19", FakeAnswer.Json("""{"message":"bad_params","code":108}"""), BrokerFault.Refused },
        { "4.4.19", FakeAnswer.Status(401, "UNAUTHORIZED"), BrokerFault.Credentials },
        { "4.4.19", FakeAnswer.Status(500, "Internal Error"), BrokerFault.Unclear },
        { "4.4.19", FakeAnswer.Json("{}"), BrokerFault.Unclear },
    };

    [Theory]
    [MemberData(nameof(Misdeeds))]
    public async Task A_failure_says_whether_the_broker_may_have_the_message(string version, FakeAnswer misdeed, BrokerFault fault)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Once("/publish", misdeed);
        using var broker = Of(emqx, options => options.Timeout = misdeed.Delay > TimeSpan.Zero ? TimeSpan.FromSeconds(3) : options.Timeout);
        await broker.ConditionAsync(); // so that its time is for the message alone

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.PublishAsync(Order("x"), default));

        Assert.Equal(fault, failure.Fault);
        Assert.Contains("POST /api/v", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(FakeEmqx.ApiSecret, failure.ToString(), StringComparison.Ordinal);
        Assert.Single(emqx.Requests, request => request.Method == "POST");
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("5")]
    [InlineData("4")]
    public async Task A_broker_that_is_not_there_surely_has_nothing(string version)
    {
        using var nobody = new ADeadPort();
        using var broker = new Infrastructure.Brokers.EmqxBroker(new() { Url = nobody.Url, ApiKey = "k", ApiSecret = "s", Version = version }, TimeProvider.System);

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.PublishAsync(Order("x"), default));

        Assert.Equal(BrokerFault.NotReached, failure.Fault);
    }

    [Fact]
    public async Task While_nobody_knows_the_brokers_generation_nothing_was_published()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
        emqx.Once("/nodes", FakeAnswer.Drop);
        using var broker = Of(emqx);

        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.PublishAsync(Order("x"), default));

        Assert.Equal(BrokerFault.NotReached, failure.Fault);
        Assert.DoesNotContain(emqx.Requests, request => request.Method == "POST");
    }

    /// <summary>HTTP clients may send again by themselves where a kept connection turns out to be closed; a command to a device must not be doubled so.</summary>
    [Fact]
    public async Task A_publish_on_a_kept_connection_that_breaks_is_not_sent_again()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var broker = new Infrastructure.Brokers.EmqxBroker(new() { Url = $"http://{listener.LocalEndpoint}", ApiKey = "k", ApiSecret = "s", Version = "5" }, TimeProvider.System);
        var posts = 0;
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                await using var stream = client.GetStream();
                for (var n = 0; await ReadRequestAsync(stream); n++)
                {
                    posts++;
                    if (n > 0) break; // the second on a connection: closed without a word
                    await stream.WriteAsync("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n{\"id\":\"000660D19193473326DB000011B90000\"}"u8.ToArray().AsMemory());
                }
            }
        });

        await broker.PublishAsync(Order("1"), default);
        var failure = await Assert.ThrowsAsync<BrokerException>(() => broker.PublishAsync(Order("2"), default));

        Assert.Equal((BrokerFault.Unclear, 2), (failure.Fault, posts));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
    }

    [Theory]
    [InlineData("4.4.19")]
    [InlineData("5.8.9")]
    [InlineData("6.0.2")]
    public async Task A_client_is_kicked_once_and_unknown_ones_are_told(string version)
    {
        await using var emqx = await FakeEmqx.StartAsync(Version(version));
        emqx.Connect("客户端 甲/乙");
        using var broker = Of(emqx);

        Assert.True(await broker.KickAsync(new ClientId("客户端 甲/乙"), default));
        Assert.False(await broker.KickAsync(new ClientId("客户端 甲/乙"), default));
        Assert.Equal(["客户端 甲/乙"], emqx.Kicked);
    }

    [Fact]
    public async Task An_id_that_fits_in_no_path_is_kicked_by_5_x_and_refused_for_4_x()
    {
        await using var five = await FakeEmqx.StartAsync(FakeEmqx.V5);
        await using var four = await FakeEmqx.StartAsync(FakeEmqx.V4);
        five.Connect("..");
        four.Connect("..");
        using var newer = Of(five);
        using var older = Of(four);

        Assert.True(await newer.KickAsync(new ClientId(".."), default));
        Assert.Equal([".."], five.Kicked);
        Assert.Equal(BrokerFault.Refused, (await Assert.ThrowsAsync<BrokerException>(() => older.KickAsync(new ClientId(".."), default))).Fault);
        Assert.Empty(four.Kicked);
    }

    private static readonly ClientId Device = new("pump-7");

    private static DownlinkOrder Order(string payload, int qos = 1, TimeSpan? expiry = null, DownlinkProperties? properties = null, bool retain = false) =>
        new(Device, "cmd/命令", Encoding.UTF8.GetBytes(payload), qos, retain, expiry, TimeSpan.FromSeconds(60), properties);

    /// <returns>False at the end of the connection.</returns>
    private static async Task<bool> ReadRequestAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[8192];
        while (true)
        {
            var read = await stream.ReadAsync(buffer);
            if (read == 0) return false;
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            var all = text.ToString();
            var head = all.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head < 0) continue;
            var length = all.Split("\r\n").Single(line => line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
            if (Encoding.UTF8.GetByteCount(all.AsSpan(head + 4)) >= int.Parse(length.AsSpan(16), System.Globalization.CultureInfo.InvariantCulture)) return true;
        }
    }
}
