using System.Net;
using System.Text;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Events;

/// <summary>One event as a reader of Server-Sent Events gets it.</summary>
internal sealed record Told(string Id, string Event, string Data);

/// <summary>Understands Server-Sent Events as the HTML standard has them, piece by piece. What is not whole when the connection ends is dropped.</summary>
internal sealed class EventParser
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder line = new();
    private readonly List<string> data = [];
    private string type = "";
    private string id = "";

    public string LastEventId { get; private set; } = "";

    public int Comments { get; private set; }

    public string? Retry { get; private set; }

    public IEnumerable<Told> Feed(ReadOnlyMemory<byte> bytes)
    {
        var text = new char[bytes.Length];
        var length = decoder.GetChars(bytes.Span, text, flush: false);
        for (var i = 0; i < length; i++)
        {
            if (text[i] is not '\n')
            {
                line.Append(text[i]);
                continue;
            }
            var whole = line.ToString();
            line.Clear();
            if (Take(whole) is { } told) yield return told;
        }
    }

    private Told? Take(string whole)
    {
        if (whole.Length == 0)
        {
            LastEventId = id;
            var told = data.Count > 0 ? new Told(id, type, string.Join('\n', data)) : null;
            data.Clear();
            type = "";
            return told;
        }

        var (field, value) = whole.Split(':', 2) is [var left, var right] ? (left, right.StartsWith(' ') ? right[1..] : right) : (whole, "");
        switch (field)
        {
            case "": Comments++; break;
            case "id": id = value; break;
            case "event": type = value; break;
            case "data": data.Add(value); break;
            case "retry": Retry = value; break;
            default: throw new FormatException($"A line that is none of the format: {whole}");
        }
        return null;
    }
}

/// <summary>One open stream, read with patience that ends.</summary>
internal sealed class AStream(HttpResponseMessage response, Stream body) : IDisposable
{
    private static readonly TimeSpan Patience = Eventually.Patience;

    private readonly byte[] buffer = new byte[64 * 1024];
    private readonly Queue<Told> told = new();

    public HttpResponseMessage Response { get; } = response;

    public EventParser Parser { get; } = new();

    public static async Task<AStream> OpenAsync(HttpClient client, string query = "", string? lastEventId = null)
    {
        var response = await AskAsync(client, query, lastEventId);
        Assert.True(response.StatusCode is HttpStatusCode.OK, $"{response.StatusCode}");
        return new AStream(response, await response.Content.ReadAsStreamAsync());
    }

    public static async Task<HttpResponseMessage> AskAsync(HttpClient client, string query = "", string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/events/stream{query}");
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
    }

    /// <returns>Null when the stream has ended.</returns>
    public async Task<Told?> NextAsync()
    {
        while (told.Count == 0)
            if (!await ReadAsync()) return null;
        return told.Dequeue();
    }

    public async Task<List<Told>> NextAsync(int count)
    {
        var all = new List<Told>();
        while (all.Count < count) all.Add(await NextAsync() ?? throw new InvalidOperationException($"The stream ended after {all.Count} of {count} events."));
        return all;
    }

    /// <summary>Reads until the parser is where it shall be, such as after a heartbeat.</summary>
    public async Task UntilAsync(Func<EventParser, bool> reached)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!reached(Parser))
            if (!await ReadAsync() || TimeProvider.System.GetElapsedTime(began) > Patience) throw new InvalidOperationException("The stream ended, or went on without it.");
    }

    public void Dispose() => Response.Dispose();

    private async Task<bool> ReadAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        var length = await body.ReadAsync(buffer, limit.Token);
        foreach (var one in Parser.Feed(buffer.AsMemory(0, length))) told.Enqueue(one);
        return length > 0;
    }
}
