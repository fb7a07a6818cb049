using System.Net;
using System.Text;

namespace WebhookService.Api.Tests.Quarantine;

public sealed class QuarantineOverHttpTests : IAsyncLifetime
{
    private ApiHost api = null!;

    public async Task InitializeAsync() => api = await ApiHost.StartAsync(new() { ["Ingest:Sources:old:PayloadEncoding"] = "base64" });

    public async Task DisposeAsync() => await api.DisposeAsync();

    [Fact]
    public async Task The_list_is_newest_first_and_pages_without_gap_or_repeat()
    {
        var ids = new List<string>();
        for (var number = 0; number < 5; number++) ids.Add(await RefusedAsync($"broken {number}"));

        var seen = new List<string>();
        var path = "/api/v1/quarantine?limit=2";
        while (path is not null)
        {
            var answer = await api.Read.GetAsync(path);
            var page = await answer.JsonAsync();
            seen.AddRange(page["items"]!.AsArray().Select(item => (string)item!["id"]!));
            Assert.Equal(page["next"] is null, !answer.Headers.Contains("Link"));
            path = page["next"] is { } next ? $"/api/v1/quarantine?limit=2&cursor={next}" : null;
        }

        Assert.Equal(ids.AsEnumerable().Reverse(), seen);
    }

    [Fact]
    public async Task The_list_can_be_narrowed_by_source_and_code()
    {
        await RefusedAsync("broken");
        var xml = await RefusedAsync("<a/>", "/webhook/old", "text/xml", HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

        Assert.Equal([xml], await IdsAsync("?source=old"));
        Assert.Equal([xml], await IdsAsync("?code=unsupported-media-type"));
        Assert.Empty(await IdsAsync("?source=old&code=malformed"));
        Assert.Empty(await IdsAsync("?source=nobody"));
    }

    [Theory]
    [InlineData("?limit=0", "invalid-value", "limit")]
    [InlineData("?limit=1001", "invalid-value", "limit")]
    [InlineData("?cursor=guess", "invalid-value", "cursor")]
    [InlineData("?colour=red", "unknown-parameter", "colour")]
    public async Task Parameters_that_make_no_sense_are_refused(string query, string code, string parameter)
    {
        var problem = await (await api.Read.GetAsync($"/api/v1/quarantine{query}")).ProblemAsync(HttpStatusCode.BadRequest, code);

        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Fact]
    public async Task One_body_tells_all_that_is_known_of_it()
    {
        var id = await RefusedAsync("""{"event":"client.connected"}""");

        var kept = await (await api.Read.GetAsync($"/api/v1/quarantine/{id}")).JsonAsync();

        Assert.Equal(
            (id, "emqx", "malformed", "'clientid' is missing.", "clientid", "application/json", 28, false, 0, null),
            ((string?)kept["id"], (string?)kept["source"], (string?)kept["code"], (string?)kept["reason"], (string?)kept["parameter"],
                (string?)kept["contentType"], (int)kept["bytes"]!, (bool)kept["truncated"]!, (int)kept["attempts"]!, (string?)kept["lastAttemptAt"]));
        Assert.InRange((DateTimeOffset)kept["receivedAt"]!, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddMinutes(1));
    }

    [Fact]
    public async Task Bytes_that_are_no_text_come_as_base64()
    {
        var id = await RefusedAsync([0xFF, 0x00]);

        var kept = await (await api.Read.GetAsync($"/api/v1/quarantine/{id}")).JsonAsync();

        Assert.Equal("""{"encoding":"base64","data":"/wA="}""", kept["body"]!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    [Fact]
    public async Task A_retry_in_vain_is_counted_and_refused_again()
    {
        var id = await RefusedAsync("""{"event":"client.connected"}""");

        var problem = await (await api.Manage.PostAsync($"/api/v1/quarantine/{id}/retry", null)).ProblemAsync(HttpStatusCode.BadRequest, "malformed");

        Assert.Equal("clientid", (string?)problem["parameter"]);
        Assert.Equal(1, (int)(await (await api.Read.GetAsync($"/api/v1/quarantine/{id}")).JsonAsync())["attempts"]!);
    }

    [Fact]
    public async Task A_retry_under_a_mended_configuration_takes_the_body_out()
    {
        var id = await RefusedAsync("""{"event":"message.publish","clientid":"c","topic":"t","payload":"plain!","timestamp":1767225600000}""", "/webhook/old");
        await api.StopAsync();
        await using var mended = await ApiHost.StartAsync(new()
        {
            ["Ingest:Sources:old:PayloadEncoding"] = "plain",
            ["Storage:ConnectionString"] = $"Data Source={Path.Combine(api.DataDirectory, "webhooks.db")}",
        });

        var answer = await (await mended.Manage.PostAsync($"/api/v1/quarantine/{id}/retry", null)).JsonAsync();

        Assert.Equal(("ok", 1), ((string?)answer["result"], (int)answer["accepted"]!));
        await (await mended.Read.GetAsync($"/api/v1/quarantine/{id}")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task A_deleted_body_is_gone()
    {
        var id = await RefusedAsync("broken");

        Assert.Equal(HttpStatusCode.NoContent, (await api.Manage.DeleteAsync($"/api/v1/quarantine/{id}")).StatusCode);

        await (await api.Manage.DeleteAsync($"/api/v1/quarantine/{id}")).ProblemAsync(HttpStatusCode.NotFound, "not-found");
        await (await api.Manage.PostAsync($"/api/v1/quarantine/{id}/retry", null)).ProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task Reading_needs_read_and_changing_needs_manage()
    {
        var id = await RefusedAsync("broken");

        Assert.Equal(HttpStatusCode.Forbidden, (await api.Ingest.GetAsync("/api/v1/quarantine")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.DeleteAsync($"/api/v1/quarantine/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Read.PostAsync($"/api/v1/quarantine/{id}/retry", null)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync($"/api/v1/quarantine/{id}")).StatusCode);
    }

    private async Task<IEnumerable<string>> IdsAsync(string query) =>
        (await (await api.Read.GetAsync($"/api/v1/quarantine{query}")).JsonAsync())["items"]!.AsArray().Select(item => (string)item!["id"]!);

    private Task<string> RefusedAsync(
        string body, string path = "/webhook", string contentType = "application/json", HttpStatusCode status = HttpStatusCode.BadRequest, string code = "malformed") =>
        RefusedAsync(Encoding.UTF8.GetBytes(body), path, contentType, status, code);

    private async Task<string> RefusedAsync(
        byte[] body, string path = "/webhook", string contentType = "application/json", HttpStatusCode status = HttpStatusCode.BadRequest, string code = "malformed")
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new(contentType) } };
        return (string)(await (await api.Ingest.PostAsync(path, content)).ProblemAsync(status, code))["quarantineId"]!;
    }
}
