using WebhookService.Application.Common;
using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;
using static WebhookService.Infrastructure.Tests.ADatabase;

namespace WebhookService.Infrastructure.Tests.History;

/// <summary>Devices with ledgers as odd as ledgers get, in the database and beside it. All lies within the hour before now, on whole minutes, so that times often meet.</summary>
internal sealed class InventedFleet
{
    public static readonly DateTimeOffset Start = Now.AddHours(-1);

    private static readonly DisconnectReason[] Reasons = [DisconnectReason.Network, DisconnectReason.Takeover, DisconnectReason.Kicked];
    private static readonly string[] Evidence = ["session", "session-end", "sign-of-life", "broker-list", "takeover", "none"];

    private readonly List<InventedDevice> devices = [];

    public InventedFleet(ADatabase database, int seed, int size)
    {
        var random = new Random(seed);
        database.InOneTransaction(() =>
        {
            for (var i = 0; i < size; i++) Add(database, random, $"d{i:000}");
        });
    }

    public IReadOnlyList<InventedDevice> Devices => devices;

    public static DateTimeOffset Minute(int minute) => Start.AddMinutes(minute);

    private void Add(ADatabase database, Random random, string clientId)
    {
        var sessions = new List<LedgerSession>();
        var farewells = new List<LedgerFarewell>();
        for (var i = random.Next(6); i > 0; i--)
        {
            var start = random.Next(60);
            var end = random.Next(4) == 0 ? (DateTimeOffset?)null : Minute(start + random.Next(15));
            sessions.Add(new(
                Minute(start), end, end is null ? null : Reasons[random.Next(3)], end is not null && random.Next(3) == 0 ? Minute(start + random.Next(15)) : null));
        }
        for (var i = random.Next(6) - 2; i > 0; i--) farewells.Add(new(Minute(random.Next(62)), Reasons[random.Next(3)]));
        farewells = [.. farewells.DistinctBy(one => one.At).OrderBy(one => one.At)];
        var present = new PresentState(
            (ConnectivityStatus)random.Next(3), (Confidence)random.Next(3), Minute(random.Next(60)), Evidence[random.Next(Evidence.Length)],
            random.Next(2) == 0 ? null : DisconnectReason.Kicked, Minute(random.Next(60)));
        // The device shows its newest session, or one of the others where clocks differ.
        DateTimeOffset? shown = sessions.Count == 0 ? null : random.Next(4) == 0 ? sessions[^1].Start : sessions.Max(session => session.Start);
        var firstSeen = Minute(random.Next(60));

        var number = database.Device(
            clientId, status: (int)present.Status, confidence: (int)present.Confidence, since: present.Since, evidence: present.Evidence, lastSeen: present.LastSeenAt,
            reason: present.LastReason is { } left ? Words.Of(left) : null, connected: shown, firstSeen: firstSeen, username: random.Next(2) == 0 ? "even" : "odd");
        foreach (var (session, i) in sessions.Select((session, i) => (session, i)))
            database.Session(
                number, session.Start, session.End, node: $"n{i}", peer: $"10.0.0.{i}:1", ip: $"10.0.0.{i}", reason: session.Reason is { } reason ? Words.Of(reason) : null,
                aliveUntil: session.AliveUntil);
        foreach (var farewell in farewells) database.Farewell(number, farewell.At, reason: Words.Of(farewell.Reason));
        for (var i = random.Next(3); i > 0; i--) database.Farewell(number, Minute(random.Next(60)), reason: "network", kind: i % 2, matched: i % 2 == 0);
        devices.Add(new(clientId, firstSeen, new DeviceLedger(sessions, farewells, present)));
    }
}

internal sealed record InventedDevice(string ClientId, DateTimeOffset FirstSeen, DeviceLedger Ledger)
{
    public IReadOnlyList<Stretch> Timeline => Domain.History.Timeline.Of(Ledger, Now);
}
