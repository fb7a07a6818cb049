using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class WebhooksOverHttpTests(ApiHost api) : IClassFixture<ApiHost>
{
    [Theory]
    [InlineData("/webhook")]
    [InlineData("/webhook/")]
    [InlineData("/webhook/emqx")]
    [InlineData("/Webhook/EMQX?token=whatever&topic=t")]
    [InlineData("/webhook/publishHook")]
    [InlineData("/webhook/eventhook")]
    public async Task An_event_is_taken_under_every_path_that_brokers_use(string path)
    {
        var body = ConnectedBody();

        var (first, again) = (await PostAsync(path, body), await PostAsync(path, body));

        Assert.Equal("""{"result":"ok","accepted":1,"duplicates":0,"ignored":0}""", await OkAsync(first));
        Assert.Equal("""{"result":"ok","accepted":0,"duplicates":1,"ignored":0}""", await OkAsync(again));
        Assert.Equal("application/json", first.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/octet-stream")]
    [InlineData("application/json;charset=gbk")]
    [InlineData("multipart/form-data")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("nonsense")]
    public async Task What_parses_is_taken_whatever_it_calls_itself(string? contentType)
    {
        Assert.Contains("\"accepted\":1", await OkAsync(await PostAsync("/webhook", ConnectedBody(), contentType)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chunked_body_is_taken()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/webhook") { Content = new StringContent(ConnectedBody()) };
        request.Headers.TransferEncodingChunked = true;

        Assert.Contains("\"accepted\":1", await OkAsync(await api.Ingest.SendAsync(request)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_compressed_body_is_refused_by_its_encoding_and_kept(string encoding)
    {
        using var packed = new MemoryStream();
        await using (Stream pack = encoding is "gzip" ? new GZipStream(packed, CompressionMode.Compress, leaveOpen: true) : new BrotliStream(packed, CompressionMode.Compress, leaveOpen: true))
            await pack.WriteAsync(Encoding.UTF8.GetBytes(ConnectedBody()));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/webhook/emqx") { Content = new ByteArrayContent(packed.ToArray()) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);

        var problem = await (await api.Ingest.SendAsync(request)).ProblemAsync(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

        Assert.Equal("Content-Encoding", (string?)problem["parameter"]);
        Assert.Contains($"'{encoding}'", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains("without Content-Encoding", (string?)problem["hint"], StringComparison.Ordinal);
        var kept = await (await api.Read.GetAsync($"/api/v1/quarantine/{problem["quarantineId"]}")).JsonAsync();
        Assert.Equal("unsupported-media-type", (string?)kept["code"]);
    }

    [Fact]
    public async Task An_array_answers_for_each_of_its_elements()
    {
        var answer = await PostAsync("/webhook", $$"""[{{ConnectedBody()}}, {"event":"client.connected"}, {}, 7]""");

        Assert.Equal("""{"result":"ok","accepted":1,"duplicates":0,"ignored":1,"quarantined":2}""", await OkAsync(answer));
    }

    [Theory]
    [InlineData("[]", 0)]
    [InlineData("{}", 1)]
    public async Task What_says_nothing_is_no_mistake(string body, int ignored)
    {
        Assert.Equal($$"""{"result":"ok","accepted":0,"duplicates":0,"ignored":{{ignored}}}""", await OkAsync(await PostAsync("/webhook", body)));
    }

    [Fact]
    public async Task An_unknown_event_is_kept_and_known_again()
    {
        var body = $$"""{"event":"some.thing_new","timestamp":1767225600000,"id":"{{Guid.NewGuid()}}"}""";

        Assert.Contains("\"accepted\":1", await OkAsync(await PostAsync("/webhook", body)), StringComparison.Ordinal);
        Assert.Contains("\"duplicates\":1", await OkAsync(await PostAsync("/webhook", body)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"event\":", null)]
    [InlineData("", null)]
    [InlineData("{\"event\":\"client.connected\"}", "clientid")]
    [InlineData("[{\"event\":\"client.connected\"}]", "clientid")]
    public async Task A_malformed_body_is_refused_and_kept(string body, string? parameter)
    {
        var problem = await (await PostAsync("/webhook", body)).ProblemAsync(HttpStatusCode.BadRequest, "malformed");
        var kept = await (await api.Read.GetAsync($"/api/v1/quarantine/{problem["quarantineId"]}")).JsonAsync();

        Assert.Equal((parameter, (string?)problem["detail"]), ((string?)problem["parameter"], (string?)kept["reason"]));
        Assert.Equal(("utf8", body.Trim('[', ']')), ((string?)kept["body"]!["encoding"], (string?)kept["body"]!["data"]));
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_and_says_so_is_of_an_unsupported_type_and_kept()
    {
        var problem = await (await PostAsync("/webhook", "<event/>", "application/xml")).ProblemAsync(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync($"/api/v1/quarantine/{problem["quarantineId"]}")).StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_beginning_of_a_body_that_is_too_large_is_kept(bool chunked)
    {
        await using var small = await ApiHost.StartAsync(new() { ["Ingest:MaxBodyBytes"] = "2000" });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/webhook") { Content = new StringContent(new string('x', 100_000)) };
        request.Headers.TransferEncodingChunked = chunked;

        var problem = await (await small.Ingest.SendAsync(request)).ProblemAsync(HttpStatusCode.RequestEntityTooLarge, "too-large");
        var kept = await (await small.Read.GetAsync($"/api/v1/quarantine/{problem["quarantineId"]}")).JsonAsync();

        Assert.Equal((2000, true, new string('x', 2000)), ((int)kept["bytes"]!, (bool)kept["truncated"]!, (string?)kept["body"]!["data"]));
    }

    [Fact]
    public async Task A_body_of_exactly_the_limit_is_taken()
    {
        await using var small = await ApiHost.StartAsync(new() { ["Ingest:MaxBodyBytes"] = "2000" });
        using var content = new StringContent(ConnectedBody().PadRight(2000));

        Assert.Equal(HttpStatusCode.OK, (await small.Ingest.PostAsync("/webhook", content)).StatusCode);
    }

    [Fact]
    public async Task A_body_beyond_what_Kestrel_takes_by_itself_is_kept_too()
    {
        var problem = await (await PostAsync("/webhook", new string('x', 31_000_000))).ProblemAsync(HttpStatusCode.RequestEntityTooLarge, "too-large");

        Assert.NotNull(problem["quarantineId"]);
    }

    [Fact]
    public async Task A_source_that_is_not_configured_is_not_found()
    {
        var problem = await (await PostAsync("/webhook/github", "{}")).ProblemAsync(HttpStatusCode.NotFound, "not-found");

        Assert.Contains("emqx", (string?)problem["hint"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task Other_methods_are_told_that_POST_is_allowed(string method)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), "/webhook/emqx");

        var answer = await api.Ingest.SendAsync(request);

        Assert.Equal((HttpStatusCode.MethodNotAllowed, "POST"), (answer.StatusCode, answer.Content.Headers.Allow.Single()));
    }

    [Fact]
    public async Task Nobody_comes_in_without_the_scope_ingest()
    {
        using var content = new StringContent("{}");

        Assert.Equal(HttpStatusCode.Unauthorized, (await api.Anonymous.PostAsync("/webhook", content)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Manage.PostAsync("/webhook", content)).StatusCode);
    }

    [Fact]
    public async Task Configured_sources_have_paths_of_their_own()
    {
        await using var host = await ApiHost.StartAsync(new()
        {
            ["Ingest:Sources:shop:Kind"] = "json",
            ["Ingest:Sources:shop:Event"] = "header:X-Event",
            ["Ingest:Sources:shop:DeliveryId"] = "id",
            ["Ingest:Sources:old:PayloadEncoding"] = "base64",
            ["Ingest:DefaultSource"] = "Shop",
        });

        Assert.Contains("\"accepted\":1", await OkAsync(await PostAsync("/webhook/SHOP", """{"id":"1","n":1}""", client: host.Ingest)), StringComparison.Ordinal);
        Assert.Contains("\"duplicates\":1", await OkAsync(await PostAsync("/webhook", """{"id":"1","n":2}""", client: host.Ingest)), StringComparison.Ordinal);
        const string notEncoded = """{"event":"message.publish","clientid":"c","topic":"t","payload":"!","timestamp":1767225600000}""";
        Assert.Equal("payload", (string?)(await (await PostAsync("/webhook/old", notEncoded, client: host.Ingest)).ProblemAsync(HttpStatusCode.BadRequest, "malformed"))["parameter"]);
        Assert.Contains("\"accepted\":1", await OkAsync(await PostAsync("/webhook/emqx", notEncoded, client: host.Ingest)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipelined_requests_are_all_answered_in_order()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, api.Address.Port);
        var stream = socket.GetStream();
        var requests = new StringBuilder();
        for (var number = 0; number < 100; number++)
        {
            var body = number % 10 == 9 ? "broken" : ConnectedBody();
            requests.Append($"POST /webhook HTTP/1.1\r\nHost: x\r\ntoken: {ApiHost.IngestToken}\r\nContent-Length: {body.Length}\r\n{(number == 99 ? "Connection: close\r\n" : "")}\r\n{body}");
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(requests.ToString()));
        using var reader = new StreamReader(stream);
        var statuses = (await reader.ReadToEndAsync()).Split("HTTP/1.1 ").Skip(1).Select(answer => answer[..3]);

        Assert.Equal(Enumerable.Range(0, 100).Select(number => number % 10 == 9 ? "400" : "200"), statuses);
    }

    [Fact]
    public async Task A_sender_that_hangs_up_before_the_answer_is_taken_all_the_same()
    {
        var body = ConnectedBody();
        var client = System.Text.Json.JsonElement.Parse(body).GetProperty("clientid").GetString();
        using (var socket = new TcpClient { LingerState = new LingerOption(true, 0) })
        {
            await socket.ConnectAsync(IPAddress.Loopback, api.Address.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /webhook HTTP/1.1\r\nHost: x\r\ntoken: {ApiHost.IngestToken}\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
            await Eventually.IsAsync(IsKnownAsync);
        }

        Assert.Contains("\"duplicates\":1", await OkAsync(await PostAsync("/webhook", body)), StringComparison.Ordinal);

        async Task<bool> IsKnownAsync() => (await api.Read.GetAsync($"/api/v1/devices/{client}")).StatusCode is HttpStatusCode.OK;
    }

    [Fact]
    public async Task What_else_the_broker_said_of_a_connection_is_shown_with_the_session()
    {
        await OkAsync(await PostAsync("/webhook", """{"event":"client.connected","clientid":"detailed","connected_at":1767225600000,"conn_props":{"Receive-Maximum":20}}"""));
        await OkAsync(await PostAsync("/webhook", """{"event":"client.connected","clientid":"plain","connected_at":1767225600000}"""));

        var detailed = await (await api.Read.GetAsync("/api/v1/devices/detailed/sessions")).JsonAsync();
        var plain = await (await api.Read.GetAsync("/api/v1/sessions?clientId=plain")).JsonAsync();

        Assert.Equal("""{"conn_props":{"Receive-Maximum":20}}""", detailed["items"]![0]!["details"]?.ToJsonString());
        Assert.True(plain["items"]![0]!.AsObject().TryGetPropertyValue("details", out var none) && none is null);
    }

    [Fact]
    public async Task Payloads_and_tokens_stay_out_of_the_log()
    {
        await PostAsync("/webhook", """{"event":"message.publish","clientid":"c","topic":"t","payload":"a-secret-payload","timestamp":"a-secret-time"}""");

        Assert.DoesNotContain(api.Logs, line => line.Contains("a-secret", StringComparison.Ordinal) || line.Contains(ApiHost.IngestToken, StringComparison.Ordinal));
    }

    private async Task<HttpResponseMessage> PostAsync(string path, string body, string? contentType = "application/json", HttpClient? client = null)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        if (contentType is not null) content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return await (client ?? api.Ingest).PostAsync(path, content);
    }

    private static async Task<string> OkAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode is HttpStatusCode.OK, $"{(int)answer.StatusCode}: {text}");
        return text;
    }

    private static string ConnectedBody() =>
        $$"""{"event":"client.connected","clientid":"{{Guid.NewGuid()}}","node":"n1","connected_at":1767225600000,"peername":"10.0.0.1:1000","timestamp":1767225600001}""";
}
