using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Brokers;

/// <summary>The broker's own list has these clients connected.</summary>
/// <param name="AsOf">A moment by the broker's clock before it was asked.</param>
/// <returns>What that corrected.</returns>
public sealed record RecordListed(IReadOnlyList<ListedClient> Clients, DateTimeOffset AsOf, DateTimeOffset ReceivedAt) : ICommand<Findings>;

/// <summary>The broker, asked for these very clients, has no connection of them.</summary>
/// <param name="Clients">Each with what the broker keeps of it: a session that waits for its client, or nothing.</param>
/// <param name="AsOf">A moment by the broker's clock before it was asked.</param>
/// <param name="AliveUntil">When a complete list last had those online that are; null if never.</param>
/// <returns>What that corrected.</returns>
public sealed record RecordAbsent(
    IReadOnlyList<(ClientId Client, ListedClient? Waiting)> Clients, DateTimeOffset AsOf, DateTimeOffset? AliveUntil, DateTimeOffset ReceivedAt) : ICommand<Findings>;

internal sealed class RecordReconciledHandler(ClientPresence presence, IDeviceRepository devices, ISessionRepository sessions) :
    ICommandHandler<RecordListed, Findings>,
    ICommandHandler<RecordAbsent, Findings>
{
    public async Task<Findings> Handle(RecordListed command, CancellationToken cancellationToken)
    {
        var findings = default(Findings);
        foreach (var listed in command.Clients)
        {
            var isCoarse = listed.Precision >= TimeSpan.FromSeconds(1);
            await sessions.RecallAsync(listed.Id, listed.Node, listed.ConnectedAt, listed.Peer, cancellationToken);
            findings += await TellAsync(
                listed.Id, command.ReceivedAt,
                (set, seen) => set.Listed(listed.Node, listed.ConnectedAt, isCoarse, listed.Peer, listed.Details, command.AsOf, seen),
                listed.ConnectedAt > command.AsOf ? listed.ConnectedAt : command.AsOf, cancellationToken);
        }
        return findings;
    }

    public async Task<Findings> Handle(RecordAbsent command, CancellationToken cancellationToken)
    {
        var findings = default(Findings);
        foreach (var (client, waiting) in command.Clients)
        {
            if (await devices.FindAsync(client, cancellationToken) is not { } device || device.LastEvidenceAt > command.AsOf) continue; // it has come meanwhile

            var alive = device.AliveUntil(command.AliveUntil);
            findings += await TellAsync(
                client, command.ReceivedAt,
                (set, seen) =>
                {
                    // The broker kept the session and says when its connection ended.
                    if (waiting is { DisconnectedAt: { } left } && waiting.Precision < TimeSpan.FromSeconds(1) && left < command.AsOf) set.Absent(left, left, seen);
                    return set.Absent(command.AsOf, alive, seen);
                },
                seenAt: null, cancellationToken);
        }
        return findings;
    }

    private async ValueTask<Findings> TellAsync(
        ClientId client, DateTimeOffset receivedAt, Func<SessionSet, Observation, Outcome> fact, DateTimeOffset? seenAt, CancellationToken cancellation)
    {
        var known = await devices.FindAsync(client, cancellation);
        var before = known?.Connectivity.Status;
        if (await presence.TellAsync(client, receivedAt, fact, seenAt, cancellation, cause: Cause.Reconciliation) is Outcome.Repeated) return default;
        if (before is null) return new Findings { Discovered = 1 };

        var after = known!.Connectivity.Status;
        return new Findings
        {
            CorrectedOnline = after is ConnectivityStatus.Online && before != after ? 1 : 0,
            CorrectedOffline = after is ConnectivityStatus.Offline && before != after ? 1 : 0,
            Confirmed = before == after ? 1 : 0,
        };
    }
}
