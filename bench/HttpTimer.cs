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

    /// <summary>
    /// Asks all questions in turn, again and again: what else the machine does meanwhile falls on all of them alike. Stops early when
    /// <paramref name="longest"/> is over.
    /// </summary>
    public async Task<Timings[]> MeasureAsync(IReadOnlyList<Func<string>> paths, int rounds, TimeSpan longest, CancellationToken cancellation)
    {
        var (times, all) = (paths.Select(_ => new List<double>()).ToArray(), Stopwatch.StartNew());
        for (var round = 0; round < rounds && all.Elapsed < longest; round++)
            for (var which = 0; which < paths.Count; which++)
            {
                var path = paths[which]();
                var start = Stopwatch.GetTimestamp();
                await GetAsync(path, cancellation);
                times[which].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        return [.. times.Select(one => new Timings(one))];
    }

    public void Dispose() => http.Dispose();
}
