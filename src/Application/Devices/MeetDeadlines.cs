using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Devices;

/// <summary>Something may be due for these devices.</summary>
/// <param name="UpSince">Since when reports could reach the service.</param>
/// <returns>Those whose state is doubtful, so that the broker should be asked.</returns>
public sealed record MeetDeadlines(IReadOnlyList<ClientId> Clients, DateTimeOffset UpSince) : ICommand<IReadOnlyList<ClientId>>;

/// <summary>The service has started: if it has other rules than the last time, every device is looked at once.</summary>
public sealed record AdoptRules : ICommand;

/// <summary>Looking at the device failed, so that it has to wait for a better program.</summary>
public sealed record PostponeDeadline(ClientId Client, DateTimeOffset Until) : ICommand;

/// <summary>The due times of all devices together; each device keeps its own (<see cref="Device.DueAt"/>).</summary>
public interface IDeadlineTable
{
    /// <summary>Makes every device due at once, unless the rules are those of the last time.</summary>
    /// <returns>Whether they were others.</returns>
    ValueTask<bool> AdoptAsync(string rules, CancellationToken cancellation);

    /// <summary>Nothing of the client is due any more: there is no such device.</summary>
    ValueTask DropAsync(ClientId client, CancellationToken cancellation);

    ValueTask PostponeAsync(ClientId client, DateTimeOffset until, CancellationToken cancellation);
}

/// <summary>The broker should have been asked about these devices and could not.</summary>
public sealed record LeaveUnverified(IReadOnlyList<ClientId> Clients) : ICommand;

internal sealed class DeadlineHandler(
    IDeviceRepository devices, ISessionRepository sessions, ClientPresence presence, BrokerWatch watch, PresenceRules rules,
    IOptions<ReconciliationOptions> options, IDeadlineTable deadlines, TimeProvider time) :
    ICommandHandler<MeetDeadlines, IReadOnlyList<ClientId>>,
    ICommandHandler<LeaveUnverified>,
    ICommandHandler<AdoptRules>,
    ICommandHandler<PostponeDeadline>
{
    public async Task<IReadOnlyList<ClientId>> Handle(MeetDeadlines command, CancellationToken cancellationToken)
    {
        var (now, doubtful) = (time.GetUtcNow(), new List<ClientId>());
        foreach (var client in command.Clients)
        {
            if (await devices.FindAsync(client, cancellationToken) is not { } device)
            {
                await deadlines.DropAsync(client, cancellationToken); // forgotten meanwhile; a row that stayed would be due for ever
                continue;
            }
            var node = device.Session?.Node;
            var moment = new Moment(now, command.UpSince, options.Value.StartGrace, watch.ListedAt(node), watch.CanVerify(node), rules);
            var set = device.NeedsSessions(moment) ? await sessions.OfAsync(client, cancellationToken) : null;

            var wish = device.Pass(set, moment);

            if (set is not null) await sessions.SaveAsync(set, cancellationToken);
            await devices.SaveAsync(device, cancellationToken);
            if (wish is Wish.Verification) doubtful.Add(client);
            if (wish is Wish.GivingUp)
                await presence.TellAsync(
                    client, now, (all, seen) => all.GivenUp(device.Pending.AliveUntil, seen), seenAt: null, cancellationToken, cause: Cause.Deadline);
        }
        return doubtful;
    }

    public async Task<Outcome> Handle(LeaveUnverified command, CancellationToken cancellationToken)
    {
        foreach (var client in command.Clients)
        {
            if (await devices.FindAsync(client, cancellationToken) is not { } device) continue;
            device.Unverifiable(new Observation(time.GetUtcNow(), rules, device.Traffic, Cause.Deadline));
            await devices.SaveAsync(device, cancellationToken);
        }
        return Outcome.Applied;
    }

    public async Task<Outcome> Handle(AdoptRules command, CancellationToken cancellationToken) =>
        await deadlines.AdoptAsync(rules.ToString(), cancellationToken) ? Outcome.Applied : Outcome.Repeated;

    public async Task<Outcome> Handle(PostponeDeadline command, CancellationToken cancellationToken)
    {
        await deadlines.PostponeAsync(command.Client, command.Until, cancellationToken);
        return Outcome.Applied;
    }
}
