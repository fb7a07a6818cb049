using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Reports;

namespace WebhookService.Application.Reports;

/// <summary>A source told something that we only keep: see <see cref="Report"/>.</summary>
/// <param name="Type">The journal's event type: source and event, such as `emqx.client.connack`.</param>
/// <param name="IsDevice">True when the client named is a device of the fleet, whose "last seen" it moves.</param>
public sealed record RecordReport(string Type, ReportKey? Key, ClientId? Client, bool IsDevice, DateTimeOffset? At, string Body, DateTimeOffset ReceivedAt) : ICommand;

internal sealed class RecordReportHandler(IReportRepository reports, IDeviceRepository devices) : ICommandHandler<RecordReport>
{
    public async Task<Outcome> Handle(RecordReport command, CancellationToken cancellationToken)
    {
        if (command.Key is { } key && await reports.KnowsAsync(key, cancellationToken)) return Outcome.Repeated;

        var at = command.At ?? command.ReceivedAt;
        await reports.SaveAsync(new Report(command.Type, command.Key, command.Client, at, command.Body), cancellationToken);
        // A refused client sends connack and authn reports too: they never make a device, they only move one that is known.
        if (command is { IsDevice: true, Client: { } client } && await devices.FindAsync(client, cancellationToken) is { } device)
        {
            device.Seen(at);
            await devices.SaveAsync(device, cancellationToken);
        }
        return Outcome.Applied;
    }
}
