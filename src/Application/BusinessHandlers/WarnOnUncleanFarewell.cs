using Microsoft.Extensions.Logging;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>Warns when a device drops off without saying goodbye. Off by default: where a network goes down, every device is a line in the log.</summary>
[Handler(IsOff = true)]
internal sealed partial class WarnOnUncleanFarewell(ILogger<WarnOnUncleanFarewell> logger) : IBusinessHandler<DeviceWentOffline>
{
    public Task HandleAsync(DeviceWentOffline happened, HandlingContext context, CancellationToken cancellation)
    {
        if (happened.Reason is not DisconnectReason.ClientDisconnect) UncleanFarewell(happened.Subject, happened.Reason, happened.RawReason);
        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Warning, "Device {Device} left uncleanly: {Reason} ({RawReason})")]
    private partial void UncleanFarewell(ClientId device, DisconnectReason reason, string? rawReason);
}
