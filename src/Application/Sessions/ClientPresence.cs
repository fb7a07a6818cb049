using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Sessions;

/// <summary>The one way a fact about sessions reaches them and the device: load both, tell the sessions, let the device follow, save both.</summary>
internal sealed class ClientPresence(IDeviceRepository devices, ISessionRepository sessions, PresenceRules rules)
{
    /// <param name="seenAt">When the client was mentioned, by the broker's clock; null where nobody says.</param>
    /// <param name="sign">The fact is a sign of life: when, and from which peer.</param>
    public async Task<Outcome> TellAsync(
        ClientId client, DateTimeOffset receivedAt, Func<SessionSet, Observation, Outcome> fact, DateTimeOffset? seenAt, CancellationToken cancellation,
        (DateTimeOffset? At, string? Peer)? sign = null, Cause cause = Cause.Event)
    {
        var device = await devices.FindAsync(client, cancellation);
        if (device is null) await devices.SaveAsync(device = Device.Discovered(client, receivedAt), cancellation); // first of all in the journal
        var set = await sessions.OfAsync(client, cancellation);
        var seen = new Observation(receivedAt, rules, device.Traffic, cause);
        var starts = set.Starts;

        var outcome = fact(set, seen);
        if (outcome is Outcome.Repeated) return outcome;

        device.Follow(set, set.Starts > starts, seen);
        if (seenAt is { } at) device.Seen(at);
        if (sign is { } showed) device.Showed(showed.At, showed.Peer, seen);
        await sessions.SaveAsync(set, cancellation);
        await devices.SaveAsync(device, cancellation);
        return outcome;
    }
}
