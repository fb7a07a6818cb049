using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace WebhookService.Bench.Ingest;

/// <summary>What a load did. Refused: answers other than 200 that took exactly one event.</summary>
internal sealed record LoadResult(Timings Times, int Accepted, int Refused, double Seconds)
{
    public double PerSecond => Accepted / Seconds;
}

/// <summary>
/// Sends webhooks over kept connections, each sending the next one when the last was answered, as EMQX does. Written on bare sockets:
/// the load shares the machine with what it loads, and must not be what is measured.
/// </summary>
internal static class Load
{
    public static async Task<LoadResult> RunAsync(Uri address, int connections, long run, TimeSpan duration, CancellationToken cancellation)
    {
        var until = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var watch = Stopwatch.StartNew();
        var all = await Task.WhenAll(Enumerable.Range(0, connections).Select(
            number => Task.Run(() => DriveAsync(address, new EmqxBodies(address, number, run), until, cancellation), cancellation)));
        var seconds = watch.Elapsed.TotalSeconds;
        return new LoadResult(new Timings([.. all.SelectMany(one => one.Times)]), all.Sum(one => one.Accepted), all.Sum(one => one.Refused), seconds);
    }

    private static async Task<(List<double> Times, int Accepted, int Refused)> DriveAsync(
        Uri address, EmqxBodies bodies, long until, CancellationToken cancellation)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port, cancellation);
        var (times, accepted, refused, buffer) = (new List<double>(100_000), 0, 0, new byte[16 * 1024]);
        while (Stopwatch.GetTimestamp() is var start && start < until)
        {
            await socket.SendAsync(bodies.Next(), cancellation);
            var received = 0;
            while (AnswerLength(buffer.AsSpan(0, received)) is not { } length || received < length)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(received), cancellation);
                if (read == 0) throw new InvalidOperationException("The server closed a connection.");
                received += read;
            }
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            if (IsAccepted(buffer.AsSpan(0, received))) accepted++;
            else refused++;
        }
        return (times, accepted, refused);
    }

    private static bool IsAccepted(ReadOnlySpan<byte> answer) =>
        answer.StartsWith("HTTP/1.1 200"u8) && answer.IndexOf("\"accepted\":1,"u8) >= 0;

    /// <returns>The bytes of head and body; null until the head is here.</returns>
    private static int? AnswerLength(ReadOnlySpan<byte> received)
    {
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0) return null;

        var head = received[..(end + 2)];
        var name = "\r\nContent-Length: "u8;
        var at = head.IndexOf(name);
        return at >= 0 && Utf8Parser.TryParse(head[(at + name.Length)..], out int length, out _)
            ? end + 4 + length
            : throw new InvalidOperationException("The answer has no Content-Length: " + System.Text.Encoding.ASCII.GetString(head));
    }
}
