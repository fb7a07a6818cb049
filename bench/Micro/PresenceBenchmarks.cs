using BenchmarkDotNet.Attributes;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Bench.Micro;

/// <summary>The rules of presence in memory, as the handlers use them: sessions and device are told and their events taken. Each device has had some connections.</summary>
public class PresenceBenchmarks
{
    /// <summary>Told one after another in an iteration, since each can be told a fact only once.</summary>
    internal const int Devices = 4_096;

    /// <summary>A device has had so many connections of a minute each before; the next would begin at minute <see cref="Next"/>.</summary>
    internal const int Before = 10;

    private const int Next = 2 * Before;
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly ConnectionDetails Details = new() { Ip = "10.16.0.77", Port = 20_000, Protocol = "MQTT", ProtocolVersion = "5", KeepAliveSeconds = 60, CleanStart = true };

    private Subject[] subjects = [];

    [IterationSetup(Targets = [nameof(Connected), nameof(OutOfOrder)])]
    public void Leave() => subjects = [.. Enumerable.Range(0, Devices).Select(_ => new Subject())];

    [IterationSetup(Targets = [nameof(Disconnected), nameof(Message)])]
    public void Arrive()
    {
        Leave();
        Connected();
    }

    [Benchmark(OperationsPerInvoke = Devices)]
    public void Connected()
    {
        foreach (var subject in subjects) subject.Connected(Next);
    }

    [Benchmark(OperationsPerInvoke = Devices)]
    public void Disconnected()
    {
        foreach (var subject in subjects) subject.Disconnected(Next);
    }

    [Benchmark(OperationsPerInvoke = Devices)]
    public void Message()
    {
        foreach (var subject in subjects) subject.Published(Next);
    }

    /// <summary>The end of a connection comes before its beginning.</summary>
    [Benchmark(OperationsPerInvoke = 2 * Devices)]
    public void OutOfOrder()
    {
        foreach (var subject in subjects)
        {
            subject.Disconnected(Next);
            subject.Connected(Next);
        }
    }

    private sealed class Subject
    {
        private static readonly ClientId Client = new("sensor-007-000001");

        private readonly Device device = Device.Discovered(Client, Start);
        private readonly SessionSet sessions = new(Client);

        public Subject()
        {
            for (var minute = 0; minute < Next; minute += 2)
            {
                Connected(minute);
                Disconnected(minute);
            }
        }

        public void Connected(int minute) => Tell(Start.AddMinutes(minute), (set, at, seen) => set.Connected("emqx@10.0.0.1", at, "10.16.0.77:20000", Details, timeIsArrival: false, seen));

        /// <param name="minute">When the connection began, which lasted one.</param>
        public void Disconnected(int minute) => Tell(Start.AddMinutes(minute + 1), (set, at, seen) => set.Disconnected(
            "emqx@10.0.0.1", at.AddMinutes(-1), "10.16.0.77:20000", new SessionEnd(at, DisconnectReason.Network, "tcp_closed", EndedBy.Event), seen));

        public void Published(int minute)
        {
            var at = Start.AddMinutes(minute).AddSeconds(30);
            var seen = new Observation(at, PresenceRules.Default);
            device.Published("site/01/sensor/000001/telemetry", at, seen);
            device.Showed(at, "10.16.0.77:20000", seen);
            device.TakeEvents();
        }

        private void Tell(DateTimeOffset at, Func<SessionSet, DateTimeOffset, Observation, Outcome> fact)
        {
            var seen = new Observation(at, PresenceRules.Default, device.Traffic);
            var starts = sessions.Starts;
            if (fact(sessions, at, seen) is Outcome.Repeated) throw new InvalidOperationException("A device was told the same twice.");
            device.Follow(sessions, sessions.Starts > starts, seen);
            device.Seen(at);
            sessions.TakeEvents();
            device.TakeEvents();
        }
    }
}
