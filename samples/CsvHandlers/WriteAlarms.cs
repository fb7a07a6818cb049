using System.Globalization;
using WebhookService.Application.BusinessHandlers;

namespace CsvHandlers;

/// <summary>What a device of a site says in an alarm.</summary>
public sealed record Alarm(int Level, string Text);

/// <summary>A line in alarms-‹day›.csv for each alarm: key, time, site, device, level, text.</summary>
[Topic("site/{site}/+/alarm")]
internal sealed class WriteAlarms(CsvFiles files) : IMessageHandler<Alarm>
{
    public Task HandleAsync(Alarm payload, HandlingContext context, CancellationToken cancellation)
    {
        var level = payload.Level.ToString(CultureInfo.InvariantCulture);
        files.Append("alarms", context, context.Topic["site"], context.Message!.Publisher.Value, level, payload.Text);
        return Task.CompletedTask;
    }
}
