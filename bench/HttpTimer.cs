using System.Diagnostics;
using System.Net.Http.Headers;

namespace WebhookService.Bench;

/// <summary>Times GET requests over kept connections, from sending until the whole body is here.</summary>
internal sealed class HttpTimer : IDisposable
{
    private readonly HttpClient http;

    public HttpTimer(Uri address)
    {
        http = new HttpClient(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromMinutes(10) }) { BaseAddress = address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ServiceProcess.Token);
    }

    /// <exception cref="InvalidOperationException">The answer was not 200.</exception>
    public async Task<byte[]> GetAsync(string path, CancellationToken cancellation)
    {
        using var answer = await http.GetAsync(path, cancellation);
        var body = await answer.Content.ReadAsByteArrayAsync(cancellation);
        return answer.IsSuccessStatusCode
            ? body
            : throw new InvalidOperationException($"GET {path} answered {(int)answer.StatusCode}: {System.Text.Encoding.UTF8.GetString(body)}");
    }

    /// <summary>Asks one path after the other; stops early when <paramref name="longest"/> is over.</summary>
    public async Task<Timings> MeasureAsync(IEnumerable<string> paths, TimeSpan longest, CancellationToken cancellation)
    {
        var (times, all) = (new List<double>(), Stopwatch.StartNew());
        foreach (var path in paths)
        {
            var start = Stopwatch.GetTimestamp();
            await GetAsync(path, cancellation);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            if (all.Elapsed > longest) break;
        }
        return new Timings(times);
    }

    public void Dispose() => http.Dispose();
}
