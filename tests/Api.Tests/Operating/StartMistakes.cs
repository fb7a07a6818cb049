using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Operating;

/// <summary>The service as a process of its own that cannot start: one sentence for people, no stack, exit code 1.</summary>
public sealed class StartMistakes : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("not-started-");

    [Theory]
    [InlineData("--Ingest:MaxBodyBytes=abc", "Ingest:MaxBodyBytes", "'abc'")]
    [InlineData("--Ingest:MaxBodyBytes=7", "MaxBodyBytes", "1024")]
    [InlineData("--Ingest:DefaultSource=nobody", "Ingest:DefaultSource", "'nobody'")]
    [InlineData("--Ingest:Queue:Hold=soon", "Ingest:Queue:Hold", "'soon'")]
    [InlineData("--Retention:Messages:MaxAge=00:00:00.5", "Retention:Messages:MaxAge", "at least 00:00:01")]
    [InlineData("--Retention:Journal:MaxAge=month", "Retention:Journal:MaxAge", "'month'")]
    [InlineData("--Brokers:0:Url=http://emqx:18083", "Brokers:0 has no credentials", "ApiKey and ApiSecret")]
    [InlineData("--Brokers:0:Timeout=soon", "Brokers:0:Timeout", "'soon'")]
    [InlineData("--Security:CredentialsFile=/proc/credentials.json", "Security:CredentialsFile", "cannot be written")]
    [InlineData("--Storage:ConnectionString=Data Source=/proc/nowhere/webhooks.db", "/proc/nowhere", "Storage:ConnectionString")]
    [InlineData("--Storage:ConnectionString=Nonsense", "Nonsense", "Storage:ConnectionString")]
    [InlineData("--Plugins:Folder=/nowhere", "Plugins:Folder", "/nowhere")]
    [InlineData("--urls=nonsense", "nonsense", "--urls")]
    public async Task A_wrong_setting_is_named(string argument, string key, string what) =>
        AssertSays(await StartAsync(argument), key, what);

    [Fact]
    public async Task An_address_that_is_taken_is_named()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var address = $"http://{other.LocalEndpoint}";

        var said = await StartAsync("--urls", address);

        AssertSays(said, address, "already in use", "--urls");
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_named()
    {
        var file = Path.Combine(folder.FullName, "letter.txt");
        await File.WriteAllTextAsync(file, string.Concat(Enumerable.Repeat("Dear reader, this is no database. ", 100)));

        var said = await StartAsync($"--Storage:ConnectionString=Data Source={file}");

        AssertSays(said, file, "not a database", "Storage:ConnectionString");
    }

    [Fact]
    public async Task A_database_of_a_newer_program_is_named()
    {
        var file = Path.Combine(folder.FullName, "newer.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (9999, 0)";
            command.ExecuteNonQuery();
        }

        var said = await StartAsync($"--Storage:ConnectionString=Data Source={file}");

        AssertSays(said, file, "9999", "newer program");
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static void AssertSays((int Code, string Output, string Error) said, params string[] parts)
    {
        Assert.Equal(1, said.Code);
        Assert.StartsWith("The service does not start", said.Error, StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains(part, said.Error, StringComparison.Ordinal));
        Assert.InRange(said.Error.Trim().Split('\n').Length, 1, 2);
        Assert.DoesNotContain("   at ", said.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", said.Output, StringComparison.Ordinal);
    }

    private async Task<(int Code, string Output, string Error)> StartAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = folder.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.ArgumentList.Add(typeof(Program).Assembly.Location);
        if (!arguments[0].StartsWith("--urls", StringComparison.Ordinal)) start.ArgumentList.Add("--urls=http://127.0.0.1:0");
        foreach (var argument in arguments) start.ArgumentList.Add(argument);

        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(Eventually.Patience);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }
}
