using WebhookService.Application.BusinessHandlers;
using WebhookService.Domain.Devices;

namespace CsvHandlers;

/// <summary>A line in outages-‹day›.csv for each device that stays offline: key, time, device, since, reason. Off until the configuration says `Handlers:write-outages:Enabled`.</summary>
[Handler(IsOff = true)]
internal sealed class WriteOutages(CsvFiles files) : IBusinessHandler<DeviceOfflineConfirmed>
{
    public Task HandleAsync(DeviceOfflineConfirmed happened, HandlingContext context, CancellationToken cancellation)
    {
        files.Append("outages", context, happened.Subject.Value, happened.Since.UtcDateTime.ToString("O"), happened.Reason.ToString());
        return Task.CompletedTask;
    }
}
