using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using WebhookService.Tests;

namespace WebhookService.Api.Tests;

/// <summary>The service as a process of its own, with the tokens of <see cref="ApiHost"/> and its data in a folder of the test.</summary>
internal sealed partial class ServiceProcess : IDisposable
{
    private readonly Process process;
    private readonly List<HttpClient> clients = [];
    private readonly Uri address;

    private ServiceProcess(Process process, Uri address) => (this.process, this.address) = (process, address);

    public int Id => process.Id;

    public static Task<ServiceProcess> StartAsync(DirectoryInfo folder, params string[] arguments) => StartAsync(folder, typeof(Program).Assembly.Location, arguments);

    /// <param name="program">The service, or one that has it within.</param>
    public static async Task<ServiceProcess> StartAsync(DirectoryInfo folder, string program, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = folder.FullName, RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add(program);
        start.ArgumentList.Add("--urls=http://127.0.0.1:0");
        foreach (var (index, (scope, token)) in new[] { ("ingest", ApiHost.IngestToken), ("read", ApiHost.ReadToken), ("manage", ApiHost.ManageToken) }.Index())
        {
            start.ArgumentList.Add($"--Security:Tokens:{index}:Token={token}");
            start.ArgumentList.Add($"--Security:Tokens:{index}:Name={scope}");
            start.ArgumentList.Add($"--Security:Tokens:{index}:Scopes:0={scope}");
        }
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var started = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Eventually.Patience);
        using var end = limit.Token.Register(started.Kill); // its output ends, and so does the wait
        while (await started.StandardOutput.ReadLineAsync() is { } line)
            if (Listening().Match(line) is { Success: true } listening)
            {
                _ = started.StandardOutput.BaseStream.CopyToAsync(Stream.Null); // else a full pipe would stop its log
                return new ServiceProcess(started, new Uri(listening.Groups["address"].Value));
            }
        await started.WaitForExitAsync();
        throw new EndedEarlyException(started.ExitCode, limit.IsCancellationRequested ? $", after {Eventually.Patience}" : "");
    }

    /// <summary>Ends when the process has ended by itself.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>A client that brings this token. The process disposes it.</summary>
    public HttpClient ClientWith(string token)
    {
        var client = new HttpClient { BaseAddress = address, Timeout = Eventually.Patience, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        clients.Add(client);
        return client;
    }

    /// <summary>SIGKILL: no handler runs, nothing is flushed.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit();
    }

    public void Dispose()
    {
        foreach (var client in clients) client.Dispose();
        if (!process.HasExited) Kill();
        process.Dispose();
    }

    /// <summary>It ended before it listened.</summary>
    internal sealed class EndedEarlyException(int exitCode, string when) : Exception($"The service ended before it listened, with code {exitCode}{when}.")
    {
        public int ExitCode => exitCode;
    }

    [GeneratedRegex(@"Now listening on: (?<address>http://\S+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 60_000)]
    private static partial Regex Listening();
}
