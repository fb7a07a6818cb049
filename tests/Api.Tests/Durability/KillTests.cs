using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace WebhookService.Api.Tests.Durability;

/// <summary>The service as a process of its own, killed while brokers send to it: what it answered 200 is there when it comes back.</summary>
public sealed partial class KillTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("killed-");

    [Fact]
    public async Task What_was_answered_200_outlives_kill_9_and_the_service_starts_again_by_itself()
    {
        var answered = new ConcurrentDictionary<string, byte>();
        for (var life = 1; life <= 3; life++)
        {
            using var service = await ServiceProcess.StartAsync(folder);
            var enough = answered.Count + 400;
            var senders = Enumerable.Range(0, 8).Select(sender => SendUntilKilledAsync(service.Address, $"{life}-{sender}", answered)).ToList();
            while (answered.Count < enough && !senders.TrueForAll(sender => sender.IsCompleted)) await Task.Delay(5);

            service.Kill();
            await Task.WhenAll(senders);
            Assert.True(answered.Count >= enough, $"The service answered {answered.Count} of {enough} before it was killed.");
        }

        using var last = await ServiceProcess.StartAsync(folder);
        var stored = await StoredAsync(last.Address);
        Assert.Empty(answered.Keys.Except(stored));
        Assert.Equal(stored.Count, stored.Distinct().Count());
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static async Task SendUntilKilledAsync(Uri address, string sender, ConcurrentDictionary<string, byte> answered)
    {
        using var client = ClientOf(address, ApiHost.IngestToken);
        for (var i = 0; i < 100_000; i++)
        {
            var payload = $"{sender}-{i}";
            var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
            var body = $$"""
                {"event":"message.publish","id":"{{Guid.NewGuid():N}}","clientid":"client-{{sender}}","payload":"{{payload}}","peerhost":"127.0.0.1",
                 "topic":"t/{{sender}}","qos":1,"flags":{"retain":false},"publish_received_at":{{now}},"timestamp":{{now}},"node":"n"}
                """;
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var response = await client.PostAsync("webhook/emqx", content);
                if (response.StatusCode is HttpStatusCode.OK) answered[payload] = 0;
            }
            catch (HttpRequestException)
            {
                return; // killed
            }
        }
    }

    private static async Task<List<string>> StoredAsync(Uri address)
    {
        using var client = ClientOf(address, ApiHost.ReadToken);
        client.DefaultRequestHeaders.Accept.ParseAdd("application/x-ndjson");
        var stored = new List<string>();
        using var reader = new StreamReader(await client.GetStreamAsync("api/v1/messages?limit=1000"));
        while (await reader.ReadLineAsync() is { } line)
            stored.Add(System.Text.Json.JsonElement.Parse(line).GetProperty("payload").GetProperty("data").GetString()!);
        return stored;
    }

    private static HttpClient ClientOf(Uri address, string token) => new()
    {
        BaseAddress = address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };

    private sealed partial class ServiceProcess(Process process, Uri address) : IDisposable
    {
        public Uri Address { get; } = address;

        public static async Task<ServiceProcess> StartAsync(DirectoryInfo folder)
        {
            var start = new ProcessStartInfo("dotnet") { WorkingDirectory = folder.FullName, RedirectStandardOutput = true, UseShellExecute = false };
            foreach (var argument in new[]
            {
                typeof(Program).Assembly.Location, "--urls", "http://127.0.0.1:0",
                "--Security:Tokens:0:Token", ApiHost.IngestToken, "--Security:Tokens:0:Name", "broker", "--Security:Tokens:0:Scopes:0", "ingest",
                "--Security:Tokens:1:Token", ApiHost.ReadToken, "--Security:Tokens:1:Name", "reader", "--Security:Tokens:1:Scopes:0", "read",
            }) start.ArgumentList.Add(argument);
            var process = Process.Start(start)!;
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            using var end = limit.Token.Register(process.Kill); // its output ends, and so does the wait
            while (await process.StandardOutput.ReadLineAsync() is { } line)
                if (Listening().Match(line) is { Success: true } listening)
                {
                    _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null); // else a full pipe would stop its log
                    return new ServiceProcess(process, new Uri(listening.Groups["address"].Value));
                }
            await process.WaitForExitAsync();
            throw new InvalidOperationException($"The service ended before it listened, with code {process.ExitCode}{(limit.IsCancellationRequested ? ", after 60 seconds" : "")}.");
        }

        /// <summary>SIGKILL: no handler runs, nothing is flushed.</summary>
        public void Kill()
        {
            process.Kill();
            process.WaitForExit();
        }

        public void Dispose()
        {
            if (!process.HasExited) Kill();
            process.Dispose();
        }

        [GeneratedRegex(@"Now listening on: (?<address>http://\S+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
        private static partial Regex Listening();
    }
}
