using System.Globalization;
using System.Net.Sockets;
using System.Text;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Pipelining;

/// <summary>An answer as it came.</summary>
internal sealed record RawAnswer(int Status, string Head, string Body);

/// <summary>An HTTP/1.1 client that sends whatever bytes it is told, whenever it is told.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;

    public static async Task<RawClient> ConnectAsync(Uri address)
    {
        var client = new RawClient();
        await client.socket.ConnectAsync(address.Host, address.Port);
        return client;
    }

    public static string Post(string body, string path = "/webhook", string headers = "", string token = ApiHost.IngestToken) =>
        $"POST {path} HTTP/1.1\r\nHost: x\r\nX-Webhook-Token: {token}\r\n{headers}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public static string Get(string path) => $"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n";

    public Socket Socket => socket;

    public Task SendAsync(params IEnumerable<string> requests) => SendAsync(Encoding.UTF8.GetBytes(string.Concat(requests)));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>The next answer; null at the end of the connection.</summary>
    public async Task<RawAnswer?> ReadAsync()
    {
        var first = await LineAsync();
        if (first is null) return null;

        var head = new StringBuilder();
        while (await LineAsync() is { Length: > 0 } line) head.Append(line).Append('\n');
        var status = int.Parse(first.AsSpan(9, 3), CultureInfo.InvariantCulture);
        var headers = head.ToString();
        if (status is 204) return new(status, headers, "");
        if (!headers.Contains("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase))
        {
            var length = headers.Split('\n').First(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))[15..];
            return new(status, headers, await BytesAsync(int.Parse(length, CultureInfo.InvariantCulture)));
        }

        var body = new StringBuilder();
        while (int.Parse((await LineAsync())!, NumberStyles.HexNumber, CultureInfo.InvariantCulture) is > 0 and var size)
        {
            body.Append(await BytesAsync(size));
            await LineAsync();
        }

        await LineAsync();
        return new(status, headers, body.ToString());
    }

    public async Task<List<RawAnswer>> ReadAsync(int count)
    {
        var answers = new List<RawAnswer>();
        while (answers.Count < count) answers.Add(await ReadAsync() ?? throw new IOException($"The connection ended after {answers.Count} of {count} answers."));
        return answers;
    }

    public async Task<List<RawAnswer>> ReadToEndAsync()
    {
        var answers = new List<RawAnswer>();
        while (await ReadAsync() is { } answer) answers.Add(answer);
        return answers;
    }

    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();

    private async Task<string?> LineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (start == end && !await FillAsync()) return line.Length == 0 ? null : throw new IOException($"The connection ended after '{line}'.");

            var character = (char)buffer[start++];
            if (character == '\n') return line.ToString().TrimEnd('\r');
            line.Append(character);
        }
    }

    private async Task<string> BytesAsync(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            if (start == end && !await FillAsync()) throw new IOException("The connection ended within an answer.");

            var part = Math.Min(count - at, end - start);
            buffer.AsSpan(start, part).CopyTo(bytes.AsSpan(at));
            (start, at) = (start + part, at + part);
        }

        return Encoding.UTF8.GetString(bytes);
    }

    private async Task<bool> FillAsync()
    {
        using var patience = new CancellationTokenSource(Eventually.Patience); // a test that hangs says where
        (start, end) = (0, await socket.ReceiveAsync(buffer, patience.Token));
        return end > 0;
    }
}
