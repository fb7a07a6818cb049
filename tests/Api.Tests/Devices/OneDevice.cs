using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace WebhookService.Api.Tests.Devices;

public sealed class OneDevice(ApiHost api) : IClassFixture<ApiHost>
{
    [Fact]
    public async Task A_device_has_the_members_of_the_contract_in_their_order()
    {
        await api.ConnectAsync("contract");

        var device = await (await api.Read.GetAsync("/api/v1/devices/contract")).JsonAsync();

        Assert.Equal(
            "clientId username name tags expectations connectivity activity lastSeenAt session subscriptionCount counters firstSeenAt version",
            Members(device));
        Assert.Equal("status since confidence lastOnlineAt lastOfflineAt lastReason lastRawReason flapping evidence", Members(device["connectivity"]!));
        Assert.Equal("id node connectedAt ip port protocol protocolVersion keepAliveSeconds cleanStart expirySeconds", Members(device["session"]!));
        Assert.Equal("sessions messagesPublished messagesDelivered messagesDropped", Members(device["counters"]!));
        Assert.Equal(("online", "confirmed", "session"), ((string?)device["connectivity"]!["status"], (string?)device["connectivity"]!["confidence"], (string?)device["connectivity"]!["evidence"]));
        Assert.Equal((5, 61003, "127.0.0.1", 1), ((int)device["session"]!["protocolVersion"]!, (int)device["session"]!["port"]!, (string?)device["session"]!["ip"], (int)device["counters"]!["sessions"]!));
        Assert.Equal(DeviceRequests.Connected.ToString("yyyy-MM-ddTHH:mm:ss.fffZ"), (string?)device["session"]!["connectedAt"]);
        Assert.Matches(new Regex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", RegexOptions.None, TimeSpan.FromMinutes(1)), (string?)device["firstSeenAt"]);
        Assert.Equal("never", (string?)device["activity"]!["status"]);
    }

    [Fact]
    public async Task What_is_known_is_not_sent_again()
    {
        await api.ConnectAsync("etag");
        var first = await api.Read.GetAsync("/api/v1/devices/etag");
        var tag = first.Headers.ETag!.ToString();

        var same = await GetAsync("etag", tag);
        var weak = await GetAsync("etag", $"\"other\", W/{tag}");
        var other = await GetAsync("etag", "\"999999\"");

        Assert.Equal($"\"{(long)(await first.JsonAsync())["version"]!}\"", tag);
        Assert.Equal((HttpStatusCode.NotModified, tag), (same.StatusCode, same.Headers.ETag!.ToString()));
        Assert.Equal((HttpStatusCode.NotModified, HttpStatusCode.OK), (weak.StatusCode, other.StatusCode));

        await api.Ingest.PostAsJsonAsync("/webhook/emqx", new { @event = "message.publish", clientid = "etag", id = "0006", topic = "t", payload = "x", qos = 0, publish_received_at = DeviceRequests.Connected.AddSeconds(9).ToUnixTimeMilliseconds() });
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("etag", tag)).StatusCode);
    }

    [Fact]
    public async Task A_patch_merges_name_tags_and_expectations()
    {
        await api.ConnectAsync("patched");

        var set = await api.PatchAsync("patched", """{"name":"Pump 7","tags":{"site":"north","odd.name":"x"},"expectations":{"messageIntervalSeconds":60}}""", await TagOf("patched"));
        var merged = await api.PatchAsync("patched", """{"tags":{"site":null,"line":"2"}}""", set.Headers.ETag!.ToString(), "application/json");
        var cleared = await api.PatchAsync("patched", """{"name":null,"expectations":null}""", "*");

        Assert.Equal("""{"site":"north","odd.name":"x"}""", (await set.JsonAsync())["tags"]!.ToJsonString());
        var second = await merged.JsonAsync();
        Assert.Equal(("Pump 7", 2, "x", "2", 60), ((string?)second["name"], second["tags"]!.AsObject().Count, (string?)second["tags"]!["odd.name"], (string?)second["tags"]!["line"], (int)second["expectations"]!["messageIntervalSeconds"]!));
        var third = await cleared.JsonAsync();
        Assert.Null(third["name"]);
        Assert.Null(third["expectations"]!["messageIntervalSeconds"]);
        Assert.Equal(cleared.Headers.ETag!.ToString(), await TagOf("patched"));
        Assert.NotEqual(set.Headers.ETag, merged.Headers.ETag);
    }

    [Fact]
    public async Task A_patch_needs_the_version_it_is_meant_for()
    {
        await api.ConnectAsync("guarded");
        var tag = await TagOf("guarded");
        await api.PatchAsync("guarded", """{"name":"first"}""", tag);

        await (await api.PatchAsync("guarded", """{"name":"second"}""", null)).ProblemAsync(HttpStatusCode.PreconditionRequired, "precondition-required");
        await (await api.PatchAsync("guarded", """{"name":"second"}""", tag)).ProblemAsync(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await api.PatchAsync("guarded", """{"name":"second"}""", "W/" + await TagOf("guarded"))).ProblemAsync(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await api.PatchAsync("guarded", """{"name":"second"}""", "\"abc\"")).ProblemAsync(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await api.PatchAsync("nobody", """{"name":"second"}""", "*")).ProblemAsync(HttpStatusCode.NotFound, "not-found");

        Assert.Equal(HttpStatusCode.OK, (await api.PatchAsync("guarded", """{"name":"second"}""", $"{tag}, {await TagOf("guarded")}")).StatusCode);
    }

    [Theory]
    [InlineData("""{"connectivity":{"status":"online"}}""", "read-only-member", "connectivity")]
    [InlineData("""{"lastSeenAt":null}""", "read-only-member", "lastSeenAt")]
    [InlineData("""{"colour":"red"}""", "unknown-member", "colour")]
    [InlineData("""{"expectations":{"x":1}}""", "unknown-member", "expectations.x")]
    [InlineData("""{"expectations":{"messageIntervalSeconds":0}}""", "invalid-value", "expectations.messageIntervalSeconds")]
    [InlineData("""{"expectations":{"messageIntervalSeconds":1.5}}""", "invalid-value", "expectations.messageIntervalSeconds")]
    [InlineData("""{"expectations":{"messageIntervalSeconds":99999999999}}""", "invalid-value", "expectations.messageIntervalSeconds")]
    [InlineData("""{"expectations":7}""", "invalid-value", "expectations")]
    [InlineData("""{"name":7}""", "invalid-value", "name")]
    [InlineData("""{"name":""}""", "invalid-value", "name")]
    [InlineData("""{"name":"\ud800"}""", "invalid-value", "name")]
    [InlineData("""{"name":"a\u0000b"}""", "invalid-value", "name")]
    [InlineData("""{"tags":{"a":1}}""", "invalid-value", "tags.a")]
    [InlineData("""{"tags":["a"]}""", "invalid-value", "tags")]
    [InlineData("[]", "invalid-value", null)]
    [InlineData("{", "malformed-json", null)]
    public async Task A_patch_that_cannot_be_is_refused_by_name(string patch, string code, string? parameter)
    {
        await api.ConnectAsync("refused");

        var problem = await (await api.PatchAsync("refused", patch, "*")).ProblemAsync(HttpStatusCode.BadRequest, code);

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Fact]
    public async Task A_forgotten_device_is_gone_and_needs_manage()
    {
        await api.ConnectAsync("for/get");

        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.DeleteAsync("/api/v1/devices/for%2Fget")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await api.Manage.DeleteAsync("/api/v1/devices/for%2Fget")).StatusCode);
        await (await api.Read.GetAsync("/api/v1/devices/for%2Fget")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        await (await api.Manage.DeleteAsync("/api/v1/devices/for%2Fget")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task A_device_that_has_changed_is_not_forgotten()
    {
        await api.ConnectAsync("kept");
        var tag = await TagOf("kept");
        await api.PatchAsync("kept", """{"name":"changed"}""", tag);

        await (await ForgetAsync("kept", tag)).ProblemAsync(HttpStatusCode.PreconditionFailed, "precondition-failed");
        await (await ForgetAsync("kept", "\"abc\"")).ProblemAsync(HttpStatusCode.PreconditionFailed, "precondition-failed");

        Assert.Equal(HttpStatusCode.NoContent, (await ForgetAsync("kept", $"{tag}, {await TagOf("kept")}")).StatusCode);
        await api.ConnectAsync("kept");
        Assert.Equal(HttpStatusCode.NoContent, (await ForgetAsync("kept", "*")).StatusCode);
        await (await ForgetAsync("kept", "*")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Theory]
    [InlineData("DELETE", "/api/v1/devices/any", ApiHost.ReadToken)]
    [InlineData("PATCH", "/api/v1/devices/any", ApiHost.ReadToken)]
    [InlineData("DELETE", "/api/v1/quarantine/1", ApiHost.ReadToken)]
    [InlineData("POST", "/api/v1/quarantine/1/retry", ApiHost.IngestToken)]
    public async Task Who_lacks_manage_is_told_so(string method, string path, string token)
    {
        var answer = await api.ClientWith(token).SendAsync(new HttpRequestMessage(new HttpMethod(method), path));

        var problem = await answer.ProblemAsync(HttpStatusCode.Forbidden, "scope-missing");
        Assert.Equal("manage", (string?)problem["parameter"]);
        Assert.Contains("'manage'", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains("'manage'", (string?)problem["hint"], StringComparison.Ordinal);
        Assert.Contains("scope=\"manage\"", answer.Headers.WwwAuthenticate.Single().Parameter, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/devices?limit=x", "limit", "'x'", "1 to 1000")]
    [InlineData("/api/v1/devices?limit=0", "limit", "'limit'", "1 to 1000")]
    [InlineData("/api/v1/devices?flapping=maybe", "flapping", "'maybe'", "true or false")]
    [InlineData("/api/v1/devices?lastSeenAfter=soon", "lastSeenAfter", "'soon'", "2026-01-01T00:00:00.000Z")]
    [InlineData("/api/v1/devices/any/state?merged=yes", "merged", "'yes'", "true or false")]
    [InlineData("/api/v1/devices/any/state?merged=", "merged", "''", "true or false")]
    [InlineData("/api/v1/events?after=-1", "after", "'after'", "0 or more")]
    [InlineData("/api/v1/events?after=x", "after", "'x'", "0 or more")]
    public async Task A_parameter_that_cannot_be_read_is_told_with_what_it_takes(string path, string parameter, string detail, string hint)
    {
        var problem = await (await api.Read.GetAsync(path)).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

        Assert.Equal(parameter, (string?)problem["parameter"]);
        Assert.Contains(detail, (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains($"'{parameter}'", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains(hint, (string?)problem["hint"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"clientIds":null}""", "invalid-value", "clientIds")]
    [InlineData("""{}""", "invalid-value", "clientIds")]
    [InlineData("""{"clientIds":[""", "malformed-json", null)]
    public async Task A_body_that_cannot_be_read_is_told_with_what_to_do(string body, string code, string? parameter)
    {
        var answer = await api.Read.PostAsync("/api/v1/devices/state:batch", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));

        var problem = await answer.ProblemAsync(HttpStatusCode.BadRequest, code);
        Assert.Equal(parameter, (string?)problem["parameter"]);
        Assert.DoesNotContain("ClientIds", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains("/docs", (string?)problem["hint"], StringComparison.Ordinal);
    }

    private Task<HttpResponseMessage> ForgetAsync(string clientId, string ifMatch)
    {
        var request = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/devices/{clientId}");
        request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return api.Manage.SendAsync(request);
    }

    [Fact]
    public async Task A_batch_answers_in_the_order_asked_and_names_the_unknown()
    {
        await api.ConnectAsync("batch1", "batch2");

        var states = await (await api.Read.PostAsJsonAsync("/api/v1/devices/state:batch", new { clientIds = new[] { "batch2", "nobody", "batch1" } })).JsonAsync();

        Assert.Equal(["batch2", "batch1"], states["items"]!.AsArray().Select(item => (string?)item!["clientId"]));
        Assert.Equal("online", (string?)states["items"]![0]!["status"]);
        Assert.Equal("""["nobody"]""", states["missing"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""{"clientIds":[]}""")]
    [InlineData("""{}""")]
    [InlineData("""{"clientIds":null}""")]
    [InlineData("""{"clientIds":[null]}""")]
    [InlineData("""{"clientIds":[""]}""")]
    [InlineData("""{"clientIds":[7]}""")]
    [InlineData("""{"ids":["a"]}""")]
    [InlineData("""[]""")]
    [InlineData("")]
    public async Task A_batch_that_is_none_is_refused(string body)
    {
        var answer = await api.Read.PostAsync("/api/v1/devices/state:batch", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));

        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    [Fact]
    public async Task A_batch_of_more_than_a_thousand_is_refused() => await (await api.Read.PostAsJsonAsync(
        "/api/v1/devices/state:batch", new { clientIds = Enumerable.Range(0, 1001).Select(i => $"d{i}") })).ProblemAsync(HttpStatusCode.BadRequest, "invalid-value");

    private async Task<string> TagOf(string id) => (await api.Read.GetAsync($"/api/v1/devices/{id}")).Headers.ETag!.ToString();

    private Task<HttpResponseMessage> GetAsync(string id, string ifNoneMatch)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/devices/{id}");
        request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        return api.Read.SendAsync(request);
    }

    private static string Members(JsonNode node) => string.Join(' ', node.AsObject().Select(member => member.Key));
}
