using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WebhookService.Infrastructure.Tests.Notices;

/// <summary>A mail server that takes everything, or says no to what a test tells it to, and remembers what it was told. It offers no encryption.</summary>
internal sealed class AMailServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource over = new();
    private readonly Task work;

    public AMailServer()
    {
        listener.Start();
        work = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>What is answered to a command that begins so, instead of yes.</summary>
    public Dictionary<string, string> Answers { get; } = [];

    /// <summary>The commands, and the mail in one piece.</summary>
    public ConcurrentQueue<string> Heard { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        await work; // before the listener goes, which the next call to accept would complain of
        listener.Dispose();
        over.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(over.Token);
                await ServeAsync(client.GetStream());
            }
        }
        catch (OperationCanceledException)
        {
            // the test is over
        }
    }

    private async Task ServeAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        await using var writer = new StreamWriter(stream, new UTF8Encoding(false)) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 here");
        while (await reader.ReadLineAsync(over.Token) is { } command)
        {
            Heard.Enqueue(command);
            var said = Answers.FirstOrDefault(one => command.StartsWith(one.Key, StringComparison.OrdinalIgnoreCase)).Value;
            var isData = said is null && command.Equals("DATA", StringComparison.OrdinalIgnoreCase);
            await writer.WriteLineAsync(said ?? (isData ? "354 go on" : command.StartsWith("QUIT", StringComparison.OrdinalIgnoreCase) ? "221 bye" : "250 yes"));
            if (!isData) continue;
            var mail = new StringBuilder();
            while (await reader.ReadLineAsync(over.Token) is { } line && line != ".") mail.Append(line).Append('\n');
            Heard.Enqueue(mail.ToString());
            await writer.WriteLineAsync("250 taken");
        }
    }
}
