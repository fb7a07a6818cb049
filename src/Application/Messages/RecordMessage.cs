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
    public Task<Outcome> Handle(RecordMessagePublished command, CancellationToken cancellationToken) => TellAsync(
        command, command.Content, receiver: null, command.ReceivedAt,
        static (message, told) => message.Published(told.Content),
        static (device, told, seen) =>
        {
            device.Published(told.Content.Topic, told.Content.PublishedAt, seen);
            if (told.IsEvidence) device.Showed(told.Content.PublishedAt, told.Peer, seen);
        },
        cancellationToken);

    public Task<Outcome> Handle(RecordMessageDelivered command, CancellationToken cancellationToken) => TellAsync(
        command, command.Content, command.Receiver, command.ReceivedAt,
        static (message, told) => message.Delivered(told.Receiver, told.At ?? told.ReceivedAt, told.Duplicate, told.Content.Qos),
        static (device, told, seen) =>
        {
            device.Received();
            device.Showed(told.At, told.Peer, seen);
        },
        cancellationToken);

    public Task<Outcome> Handle(RecordMessageAcked command, CancellationToken cancellationToken) => TellAsync(
        command, command.Content, command.Receiver, command.ReceivedAt,
        static (message, told) => message.Acked(told.Receiver, told.At ?? told.ReceivedAt),
        static (device, told, seen) => device.Showed(told.At, told.Peer, seen),
        cancellationToken);

    public Task<Outcome> Handle(RecordMessageDropped command, CancellationToken cancellationToken) => TellAsync(
        command, command.Content, receiver: null, command.ReceivedAt,
        static (message, told) => message.Dropped(told.At ?? told.ReceivedAt, told.Reason),
        static (device, _, _) => device.Lost(),
        cancellationToken);

    public Task<Outcome> Handle(RecordDeliveryDropped command, CancellationToken cancellationToken) => TellAsync(
        command, command.Content, command.Receiver, command.ReceivedAt,
        static (message, told) => message.DroppedFor(told.Receiver, told.At ?? told.ReceivedAt, told.Reason),
        static (device, _, _) => device.Lost(),
        cancellationToken);

    /// <param name="receiver">Whose device the report is about; null where that is the publisher's, if it has one.</param>
    /// <param name="consequence">For that device, if the fact is news.</param>
    private async Task<Outcome> TellAsync<TCommand>(
        TCommand command, MessageContent content, ClientId? receiver, DateTimeOffset receivedAt, Func<Message, TCommand, Outcome> fact,
        Action<Device, TCommand, Observation> consequence, CancellationToken cancellation)
    {
        Device? device = null;
        if ((receiver ?? (content.FromDevice ? content.Publisher : null)) is { } client)
        {
            device = await devices.FindAsync(client, cancellation);
            if (device is null) await devices.SaveAsync(device = Device.Discovered(client, receivedAt), cancellation); // stands in the journal before what it did
        }

        var message = await messages.FindAsync(content.Id, receiver, cancellation) ?? Message.Of(content, receivedAt);
        var outcome = fact(message, command);
        if (outcome is Outcome.Repeated) return outcome;

        await messages.SaveAsync(message, cancellation);
        if (!content.FromDevice) await downlinks.ReportedAsync(message, cancellation);
        if (outcome is not Outcome.Applied || device is null) return outcome;

        consequence(device, command, new Observation(receivedAt, rules));
        await devices.SaveAsync(device, cancellation);
        return outcome;
    }
}
