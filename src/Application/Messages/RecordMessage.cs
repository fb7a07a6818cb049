using WebhookService.Application.Common;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Messages;

/// <summary>A client published a message.</summary>
/// <param name="Peer">The publisher's "ip:port" (EMQX ≥ 5.8), which tells a will from a living client.</param>
/// <param name="IsEvidence">False where the time is not that of the publish (a will of the 4.x plugin carries the time of CONNECT) or no client sent it.</param>
public sealed record RecordMessagePublished(MessageContent Content, string? Peer, bool IsEvidence, DateTimeOffset ReceivedAt) : ICommand;

/// <summary>The broker sent a message to a subscriber.</summary>
/// <param name="At">When it was sent; null in the 4.x plugin, which tells only the time of the publish.</param>
/// <param name="Duplicate">A re-delivery (DUP).</param>
public sealed record RecordMessageDelivered(
    MessageContent Content, ClientId Receiver, DateTimeOffset? At, string? Peer, bool Duplicate, DateTimeOffset ReceivedAt) : ICommand;

/// <summary>A subscriber acknowledged a message (QoS 1 and 2).</summary>
/// <param name="At">When; null in the 4.x plugin.</param>
public sealed record RecordMessageAcked(MessageContent Content, ClientId Receiver, DateTimeOffset? At, string? Peer, DateTimeOffset ReceivedAt) : ICommand;

/// <summary>The broker dropped a message for everybody (`no_subscribers` …).</summary>
public sealed record RecordMessageDropped(MessageContent Content, DateTimeOffset? At, string Reason, DateTimeOffset ReceivedAt) : ICommand;

/// <summary>The broker dropped a message for one receiver (`queue_full`, `expired` …).</summary>
public sealed record RecordDeliveryDropped(MessageContent Content, ClientId Receiver, DateTimeOffset? At, string Reason, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordMessageHandler(IMessageRepository messages, IDeviceRepository devices, DownlinkFollower downlinks, PresenceRules rules) :
    ICommandHandler<RecordMessagePublished>,
    ICommandHandler<RecordMessageDelivered>,
    ICommandHandler<RecordMessageAcked>,
    ICommandHandler<RecordMessageDropped>,
    ICommandHandler<RecordDeliveryDropped>
{
    public Task<Outcome> Handle(RecordMessagePublished command, CancellationToken cancellationToken)
    {
        var content = command.Content;
        return TellAsync(
            content, receiver: null, command.ReceivedAt, message => message.Published(content),
            device =>
            {
                var seen = new Observation(command.ReceivedAt, rules);
                device.Published(content.Topic, content.PublishedAt, seen);
                if (command.IsEvidence) device.Showed(content.PublishedAt, command.Peer, seen);
            },
            cancellationToken);
    }

    public Task<Outcome> Handle(RecordMessageDelivered command, CancellationToken cancellationToken) => TellAsync(
        command.Content, command.Receiver, command.ReceivedAt,
        message => message.Delivered(command.Receiver, command.At ?? command.ReceivedAt, command.Duplicate, command.Content.Qos),
        device =>
        {
            device.Received();
            device.Showed(command.At, command.Peer, new Observation(command.ReceivedAt, rules));
        },
        cancellationToken);

    public Task<Outcome> Handle(RecordMessageAcked command, CancellationToken cancellationToken) => TellAsync(
        command.Content, command.Receiver, command.ReceivedAt,
        message => message.Acked(command.Receiver, command.At ?? command.ReceivedAt),
        device => device.Showed(command.At, command.Peer, new Observation(command.ReceivedAt, rules)),
        cancellationToken);

    public Task<Outcome> Handle(RecordMessageDropped command, CancellationToken cancellationToken) => TellAsync(
        command.Content, receiver: null, command.ReceivedAt,
        message => message.Dropped(command.At ?? command.ReceivedAt, command.Reason),
        device => device.Lost(),
        cancellationToken);

    public Task<Outcome> Handle(RecordDeliveryDropped command, CancellationToken cancellationToken) => TellAsync(
        command.Content, command.Receiver, command.ReceivedAt,
        message => message.DroppedFor(command.Receiver, command.At ?? command.ReceivedAt, command.Reason),
        device => device.Lost(),
        cancellationToken);

    /// <param name="receiver">Whose device the report is about; null where that is the publisher's, if it has one.</param>
    /// <param name="consequence">For that device, if the fact is news.</param>
    private async Task<Outcome> TellAsync(
        MessageContent content, ClientId? receiver, DateTimeOffset receivedAt, Func<Message, Outcome> fact, Action<Device> consequence, CancellationToken cancellation)
    {
        Device? device = null;
        if ((receiver ?? (content.FromDevice ? content.Publisher : null)) is { } client)
        {
            device = await devices.FindAsync(client, cancellation);
            if (device is null) await devices.SaveAsync(device = Device.Discovered(client, receivedAt), cancellation); // stands in the journal before what it did
        }

        var message = await messages.FindAsync(content.Id, receiver, cancellation) ?? Message.Of(content, receivedAt);
        var outcome = fact(message);
        if (outcome is Outcome.Repeated) return outcome;

        await messages.SaveAsync(message, cancellation);
        if (!content.FromDevice) await downlinks.ReportedAsync(message, cancellation);
        if (outcome is not Outcome.Applied || device is null) return outcome;

        consequence(device);
        await devices.SaveAsync(device, cancellation);
        return outcome;
    }
}
