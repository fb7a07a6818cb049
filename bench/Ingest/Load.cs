using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace WebhookService.Bench.Ingest;

/// <summary>How webhooks are sent.</summary>
/// <param name="Connections">Kept for the whole load; at most one for each client.</param>
/// <param name="Run">Different for each load on a database: a part of every message id. 1 to 65,535.</param>
internal sealed record LoadPlan(int Connections, long Run, TimeSpan Duration)
{
    public Mix Mix { get; init; } = Mix.PublishOnly;

    /// <summary>Requests of a connection that may be on their way. With more than 1 they are pipelined as EMQX does it: what is free is sent at once, answers come in order.</summary>
    public int Depth { get; init; } = 1;

    /// <summary>Requests a second of all connections together; as many as are answered where it is null.</summary>
    public double? PerSecond { get; init; }
}

/// <summary>What a load did.</summary>
/// <param name="Times">Of what was accepted: from the sending of a request, or of the burst it was part of, until its answer was here.</param>
/// <param name="Refused">Answers other than 200 that took exactly one event.</param>
/// <param name="HeldBack">Those of them that were 429.</param>
/// <param name="Receipts">What was accepted, of each connection.</param>
internal sealed record LoadResult(Timings Times, int Accepted, int Refused, int HeldBack, double Seconds, IReadOnlyList<Receipts> Receipts)
{
    public double PerSecond => Accepted / Seconds;
}

/// <summary>
/// Sends webhooks over kept connections, as EMQX does. Written on bare sockets: the load shares the machine with what it loads, and must not
/// be what is measured.
/// </summary>
internal static class Load
{
    private const int AnswerBytes = 64 * 1024;
    private const string Inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Answers are taken by the thread that hears of them, without waking another one up. To be said before the first socket is used, and only for this
    /// process: servers run as they come.
    /// </summary>
    public static void KeepLight() => Environment.SetEnvironmentVariable(Inline, "1");

    /// <summary>Takes back for a server what <see cref="KeepLight"/> said.</summary>
    public static void AsUsual(IDictionary<string, string?> environment) => environment.Remove(Inline);

    /// <exception cref="InvalidOperationException">The server closed a connection or answered what is no answer.</exception>
    public static async Task<LoadResult> RunAsync(Uri address, LoadPlan plan, CancellationToken cancellation)
    {
        if (plan.Connections > EmqxBodies.Clients) throw new UsageException($"There are {EmqxBodies.Clients:N0} clients for {plan.Connections:N0} connections.");
        var sockets = new List<Socket>(plan.Connections);
        try
        {
            for (var i = 0; i < plan.Connections; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                sockets.Add(socket);
                await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port, cancellation);
            }
            // Ends what waits for an answer; a token given to each operation would cost each of them.
            await using var ending = cancellation.Register(() => sockets.ForEach(socket => socket.Dispose()));
            var start = Stopwatch.GetTimestamp();
            var all = await Task.WhenAll(sockets.Select(
                (socket, number) => Task.Run(() => new Connection(socket, new EmqxBodies(address, plan, number), plan, number, start).DriveAsync(cancellation), cancellation)));
            return new LoadResult(
                new Timings([.. all.SelectMany(one => one.Times)]), all.Sum(one => one.Accepted), all.Sum(one => one.Refused), all.Sum(one => one.HeldBack),
                Stopwatch.GetElapsedTime(start).TotalSeconds, [.. all.Select(one => one.Receipts)]);
        }
        catch (Exception failure) when (cancellation.IsCancellationRequested && failure is not OperationCanceledException)
        {
            throw new OperationCanceledException("The load was ended.", failure, cancellation);
        }
        catch (SocketException failure)
        {
            throw new InvalidOperationException($"The server closed a connection: {failure.Message}", failure);
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    /// <summary>One connection, with what is on its way over it.</summary>
    private sealed class Connection
    {
        private readonly Socket socket;
        private readonly EmqxBodies bodies;
        private readonly int depth;
        private readonly long until;
        private readonly double interval;
        private readonly Queue<(Sent Sent, long At)> waiting;
        private readonly byte[] requests;
        private readonly byte[] answers = new byte[AnswerBytes];
        private double due;
        private int received;

        public Connection(Socket socket, EmqxBodies bodies, LoadPlan plan, int number, long start)
        {
            (this.socket, this.bodies, depth) = (socket, bodies, plan.Depth);
            (waiting, requests) = (new(depth), new byte[depth * bodies.Longest]);
            until = start + (long)(plan.Duration.TotalSeconds * Stopwatch.Frequency);
            interval = plan.PerSecond is { } rate ? plan.Connections * Stopwatch.Frequency / rate : 0;
            due = start + (interval * number / plan.Connections);
        }

        public List<double> Times { get; } = new(10_000);
        public int Accepted { get; private set; }
        public int Refused { get; private set; }
        public int HeldBack { get; private set; }
        public Receipts Receipts => bodies.Receipts;

        public async Task<Connection> DriveAsync(CancellationToken cancellation)
        {
            while (true)
            {
                var at = interval > 0 ? await DueAsync(cancellation) : Stopwatch.GetTimestamp();
                if (at < until && Fill(at) is > 0 and var length) await socket.SendAsync(requests.AsMemory(0, length), CancellationToken.None);
                if (waiting.Count == 0) return this;

                var read = await socket.ReceiveAsync(answers.AsMemory(received), CancellationToken.None);
                if (read == 0) throw new InvalidOperationException("The server closed a connection.");
                received += read;
                Take(Stopwatch.GetTimestamp());
            }
        }

        /// <summary>
        /// Waits until the next request is to be sent. One that is late because the answer before it was counts from when it was due; one that is late
        /// because a timer was does not.
        /// </summary>
        private async ValueTask<long> DueAsync(CancellationToken cancellation)
        {
            var at = (long)due;
            due += interval;
            var rest = TimeSpan.FromSeconds((at - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency);
            if (rest < TimeSpan.FromMilliseconds(1)) return at;
            await Task.Delay(rest, cancellation);
            return Stopwatch.GetTimestamp();
        }

        private int Fill(long at)
        {
            var length = 0;
            while (waiting.Count < depth)
            {
                length += bodies.Next(requests.AsSpan(length), out var sent);
                waiting.Enqueue((sent, at));
                if (interval > 0) break;
            }
            return length;
        }

        private void Take(long now)
        {
            var taken = 0;
            while (AnswerLength(answers.AsSpan(taken, received - taken)) is { } length && length <= received - taken)
            {
                var answer = answers.AsSpan(taken, length);
                var (sent, at) = waiting.Dequeue();
                if (IsAccepted(answer))
                {
                    Accepted++;
                    bodies.Receipts.Acknowledged(sent);
                    Times.Add(Math.Max(0, now - at) * 1_000d / Stopwatch.Frequency);
                }
                else
                {
                    Refused++;
                    if (answer.StartsWith("HTTP/1.1 429"u8)) HeldBack++;
                }
                taken += length;
            }
            received -= taken;
            if (received == AnswerBytes) throw new InvalidOperationException($"An answer is longer than {AnswerBytes} bytes.");
            if (taken > 0) answers.AsSpan(taken, received).CopyTo(answers);
        }
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
