using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The one way a fact about sessions reaches them and the device: load both, tell the sessions, let the device follow, save both.</summary>
internal sealed class ClientPresence(IDeviceRepository devices, ISessionRepository sessions, PresenceRules rules)
{
    public async Task<Outcome> TellAsync(
        ClientId client, DateTimeOffset receivedAt, Func<SessionSet, Observation, Outcome> fact, bool starts, DateTimeOffset? seenAt, CancellationToken cancellation)
    {
        var device = await devices.FindAsync(client, cancellation);
        if (device is null) await devices.SaveAsync(device = Device.Discovered(client, receivedAt), cancellation); // first of all in the journal
        var set = await sessions.OfAsync(client, cancellation);
        var seen = new Observation(receivedAt, rules, device.Traffic);

        var outcome = fact(set, seen);
        if (outcome is Outcome.Repeated) return outcome;

        device.Follow(set, starts, seen);
        device.Seen(seenAt ?? receivedAt);
        await sessions.SaveAsync(set, cancellation);
        await devices.SaveAsync(device, cancellation);
        return outcome;
    }
}
