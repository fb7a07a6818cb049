using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Api.Security;

namespace WebhookService.Api.Tests.Security;

public sealed class GeneratedTokens
{
    [Fact]
    public async Task A_first_start_without_credentials_generates_one_per_scope_into_a_file_for_its_owner_alone()
    {
        await using var api = await ApiHost.StartAsync(tokens: false, map: SharedTokens.MapScopes);
        var file = Path.Combine(api.DataDirectory, "credentials.json");

        var tokens = TokensIn(file);

        foreach (var scope in Scopes.All) Assert.Equal(HttpStatusCode.OK, (await api.ClientWith(tokens[scope]).GetAsync($"/test/{scope}")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.ClientWith(tokens["ingest"]).GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await api.Anonymous.GetAsync("/test/read")).StatusCode);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal([file], Directory.GetFiles(api.DataDirectory, "credentials*"));
    }

    [Fact]
    public async Task They_are_shown_once_and_stay_the_same_over_a_restart()
    {
        await using var api = await ApiHost.StartAsync(tokens: false, map: SharedTokens.MapScopes);
        var tokens = TokensIn(Path.Combine(api.DataDirectory, "credentials.json"));
        var shown = FirstStart.Message(api.Services.GetRequiredService<TokenStore>().JustGenerated!, "http://[::]:5080");

        await api.StopAsync();
        await api.StartAgainAsync();

        Assert.Contains($"curl http://localhost:5080/webhook/emqx -H 'Authorization: Bearer {tokens["ingest"]}'", shown, StringComparison.Ordinal);
        foreach (var scope in Scopes.All) Assert.Matches($@"(?m)^ +{scope} +{tokens[scope]}\r?$", shown);
        Assert.Null(api.Services.GetRequiredService<TokenStore>().JustGenerated);
        Assert.Equal(HttpStatusCode.OK, (await api.ClientWith(tokens["read"]).GetAsync("/test/read")).StatusCode);
        Assert.DoesNotContain(api.Logs, line => tokens.Values.Any(token => line.Contains(token, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task None_are_generated_when_tokens_are_configured()
    {
        await using var api = await ApiHost.StartAsync();

        Assert.Empty(Directory.GetFiles(api.DataDirectory, "credentials*"));
    }

    [Fact]
    public async Task An_edit_of_the_file_takes_effect_without_a_restart_and_a_broken_one_does_not()
    {
        await using var api = await ApiHost.StartAsync(tokens: false, map: SharedTokens.MapScopes);
        var file = Path.Combine(api.DataDirectory, "credentials.json");
        var before = api.ClientWith(TokensIn(file)["read"]);
        var after = api.ClientWith("written-by-hand-later");

        await File.WriteAllTextAsync(file, """{ "tokens": [ { "token": "written-by-hand-later", "scopes": [ "read" ] } ] }""");

        await SharedTokens.UntilAsync(async () => (await after.GetAsync("/test/read")).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await before.GetAsync("/test/read")).StatusCode);

        await File.WriteAllTextAsync(file, "{ half an ed");

        await SharedTokens.UntilAsync(() => Task.FromResult(api.Logs.Any(line => line.Contains("the former ones stay in force", StringComparison.Ordinal))));
        Assert.Equal(HttpStatusCode.OK, (await after.GetAsync("/test/read")).StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{ half")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{ "tokens": [] }""")]
    [InlineData("""{ "tokens": [ null ] }""")]
    [InlineData("""{ "tokens": [ { "token": "short", "scopes": [ "read" ] } ] }""")]
    [InlineData("""{ "tokens": [ { "token": "long-enough-to-be-one", "scopes": [ "root" ] } ] }""")]
    [InlineData("""{ "tokens": [ { "token": "long-enough-to-be-one", "scopes": null } ] }""")]
    public async Task A_file_that_makes_no_sense_stops_the_start(string content)
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, content);

        var stopped = await Assert.ThrowsAsync<OptionsValidationException>(
            () => ApiHost.StartAsync(new() { ["Security:CredentialsFile"] = file }, tokens: false));

        Assert.Contains(file, stopped.Message, StringComparison.Ordinal);
        Assert.Equal(content, await File.ReadAllTextAsync(file));
        File.Delete(file);
    }

    [Fact]
    public async Task A_place_that_cannot_be_written_stops_the_start()
    {
        var stopped = await Assert.ThrowsAsync<OptionsValidationException>(
            () => ApiHost.StartAsync(new() { ["Security:CredentialsFile"] = "/proc/credentials.json" }, tokens: false));

        Assert.Contains("cannot be written", stopped.Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, string> TokensIn(string file) =>
        JsonNode.Parse(File.ReadAllText(file))!["tokens"]!.AsArray().ToDictionary(token => (string)token!["scopes"]![0]!, token => (string)token!["token"]!);
}
