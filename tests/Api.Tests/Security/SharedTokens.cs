using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using WebhookService.Api.Security;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Security;

public sealed class SharedTokens
{
    /// <summary>One route per scope, as the rooms will have them.</summary>
    internal static void MapScopes(WebApplication app)
    {
        foreach (var scope in Scopes.All) app.MapGet($"/test/{scope}", (HttpContext context) => context.User.Identity!.Name).RequireAuthorization(scope);
    }

    [Theory]
    [InlineData(ApiHost.IngestToken, true, false, false)]
    [InlineData(ApiHost.ReadToken, false, true, false)]
    [InlineData(ApiHost.ManageToken, false, true, true)]
    public async Task A_token_opens_what_its_scope_names_and_manage_includes_read(string token, bool ingest, bool read, bool manage)
    {
        await using var api = await ApiHost.StartAsync(map: MapScopes);
        var client = api.ClientWith(token);

        var opened = new List<bool>();
        foreach (var scope in Scopes.All) opened.Add((await client.GetAsync($"/test/{scope}")).IsSuccessStatusCode);

        Assert.Equal([ingest, read, manage], opened);
    }

    [Theory]
    [InlineData("Authorization", "Bearer " + ApiHost.ReadToken)]
    [InlineData("Authorization", "bearer " + ApiHost.ReadToken)]
    [InlineData("X-Webhook-Token", ApiHost.ReadToken)]
    [InlineData("token", ApiHost.ReadToken)]
    [InlineData("Authorization", "Basic base64(anyone:" + ApiHost.ReadToken + ")")]
    [InlineData("Authorization", "Basic base64(:" + ApiHost.ReadToken + ")")]
    public async Task A_token_may_come_as_bearer_as_basic_password_or_in_its_own_header(string header, string value)
    {
        await using var api = await ApiHost.StartAsync(map: MapScopes);
        if (value.IndexOf("base64(", StringComparison.Ordinal) is > 0 and var at)
            value = value[..at] + Convert.ToBase64String(Encoding.UTF8.GetBytes(value[(at + 7)..^1]));

        var answer = await SendAsync(api.Anonymous, "/test/read", header, value);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("read", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/test/read?token=" + ApiHost.ReadToken, "Accept", "*/*", "credential-missing")]
    [InlineData("/test/read?access_token=" + ApiHost.ReadToken, "Accept", "*/*", "credential-missing")]
    [InlineData("/test/read", "Cookie", "token=" + ApiHost.ReadToken, "credential-missing")]
    [InlineData("/test/read", "Authorization", "Bearer", "credential-missing")]
    [InlineData("/test/read", "Authorization", "Digest " + ApiHost.ReadToken, "credential-missing")]
    [InlineData("/test/read", "Authorization", "Bearer " + ApiHost.ReadToken + "x", "credential-invalid")]
    [InlineData("/test/read", "Authorization", "Bearer READ-TOKEN-OF-THE-TESTS", "credential-invalid")]
    [InlineData("/test/read", "Authorization", "Basic not-base64!", "credential-invalid")]
    [InlineData("/test/read", "token", "ключ", "credential-invalid")]
    [InlineData("/test/read", "Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.", "credential-invalid")]
    public async Task Anything_else_stays_outside(string path, string header, string value, string code)
    {
        await using var api = await ApiHost.StartAsync(map: MapScopes);

        var answer = await SendAsync(api.Anonymous, path, header, value);

        await answer.ProblemAsync(HttpStatusCode.Unauthorized, code);
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
        Assert.Contains(api.Logs, line => line.EndsWith($"Refused GET /test/read from 127.0.0.1 with 401 {code} ({(code is "credential-missing" ? "no credential" : "no credential that is known")})", StringComparison.Ordinal));
        Assert.DoesNotContain(api.Logs, line => line.Contains(ApiHost.ReadToken, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_known_token_without_the_scope_is_told_which_one_it_lacks()
    {
        await using var api = await ApiHost.StartAsync(map: MapScopes);

        var answer = await api.Read.GetAsync("/test/manage");

        var problem = await answer.ProblemAsync(HttpStatusCode.Forbidden, "scope-missing");
        Assert.Equal("manage", (string?)problem["parameter"]);
        Assert.Contains(api.Logs, line => line.EndsWith("Refused GET /test/manage from 127.0.0.1 with 403 scope-missing (credential read)", StringComparison.Ordinal));
        Assert.Contains("error=\"insufficient_scope\", scope=\"manage\"", answer.Headers.WwwAuthenticate.Single().Parameter, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Header_names_are_configurable()
    {
        await using var api = await ApiHost.StartAsync(new() { ["Security:Headers:0"] = "X-Gateway-Key", ["Security:Headers:1"] = "X-Other" }, map: MapScopes);

        var own = await SendAsync(api.Anonymous, "/test/read", "X-Gateway-Key", ApiHost.ReadToken);
        var former = await SendAsync(api.Anonymous, "/test/read", "token", ApiHost.ReadToken);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (own.StatusCode, former.StatusCode));
    }

    [Fact]
    public async Task A_token_that_was_known_opens_nothing_for_others_that_are_like_it()
    {
        await using var api = await ApiHost.StartAsync(map: MapScopes);
        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync("/test/read")).StatusCode);

        Assert.Equal(HttpStatusCode.Unauthorized, (await api.ClientWith(ApiHost.ReadToken[..^1] + '#').GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await api.ClientWith(ApiHost.ReadToken[..^1]).GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.ClientWith(ApiHost.IngestToken).GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync("/test/read")).StatusCode);
    }

    [Fact]
    public async Task Tokens_in_a_settings_file_rotate_without_a_restart_and_a_broken_edit_changes_nothing()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, Settings("the-first-token-of-all"));
        await using var api = await ApiHost.StartAsync(tokens: false, map: MapScopes,
            configure: builder => builder.Configuration.AddJsonFile(file, optional: false, reloadOnChange: true));
        var (first, second) = (api.ClientWith("the-first-token-of-all"), api.ClientWith("the-second-token-of-all"));
        Assert.Equal(HttpStatusCode.OK, (await first.GetAsync("/test/read")).StatusCode);

        await File.WriteAllTextAsync(file, Settings("the-second-token-of-all"));

        await UntilAsync(() => Task.FromResult(api.Logs.Any(line => line.Contains("The shared tokens were replaced", StringComparison.Ordinal))));
        Assert.Equal(HttpStatusCode.Unauthorized, (await first.GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await second.GetAsync("/test/read")).StatusCode);

        await File.WriteAllTextAsync(file, Settings("short"));

        await UntilAsync(() => Task.FromResult(api.Logs.Any(line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains("Security:Tokens:0:Token is shorter", StringComparison.Ordinal))));
        Assert.Equal(HttpStatusCode.OK, (await second.GetAsync("/test/read")).StatusCode);
        File.Delete(file);

        static string Settings(string token) => $$"""{ "Security": { "Tokens": [ { "Token": "{{token}}", "Name": "n", "Scopes": [ "read" ] } ] } }""";
    }

    [Theory]
    [InlineData("Security:Tokens:0:Token", "fifteen-letters", "Security:Tokens:0:Token is shorter than 16")]
    [InlineData("Security:Tokens:1:Token", ApiHost.IngestToken, "Security:Tokens:1:Token is the same as Security:Tokens:0:Token")]
    [InlineData("Security:Tokens:1:Token", "sixteen letters and spaces", "Security:Tokens:1:Token holds a space")]
    [InlineData("Security:Tokens:2:Scopes:0", "admin", "Security:Tokens:2:Scopes:0 is 'admin'")]
    [InlineData("Security:Tokens:3:Token", "a-token-without-any-scope", "Security:Tokens:3:Scopes is empty")]
    [InlineData("Security:Headers:0", "X Token", "Security:Headers:0 is no header name")]
    [InlineData("Security:CredentialsFile", " ", "Security:CredentialsFile is empty")]
    public async Task A_mistake_in_the_settings_stops_the_start_and_names_its_key(string key, string value, string expected)
    {
        var stopped = await Assert.ThrowsAsync<OptionsValidationException>(() => ApiHost.StartAsync(new() { [key] = value }));

        Assert.Contains(stopped.Failures, failure => failure.StartsWith(expected, StringComparison.Ordinal));
        Assert.DoesNotContain(ApiHost.IngestToken, stopped.Message, StringComparison.Ordinal);
    }

    internal static Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string header, string value)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation(header, value);
        return client.SendAsync(request);
    }

    internal static Task UntilAsync(Func<Task<bool>> condition) => Eventually.IsAsync(condition);
}
