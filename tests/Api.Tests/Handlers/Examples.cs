using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using MediatR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Consumers;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Api.Tests.Handlers;

// The examples of docs/handlers.md, word for word.

// example 1
/// <summary>Notes who was thrown off by an operator.</summary>
[Handler(IsOff = true)]
public sealed partial class NoteKicks(ILogger<NoteKicks> logger) : IBusinessHandler<DeviceWentOffline>
{
    public Task HandleAsync(DeviceWentOffline happened, HandlingContext context, CancellationToken cancellation)
    {
        if (happened.Reason is DisconnectReason.Kicked && !context.IsReplay) Kicked(happened.Subject, happened.At);
        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Warning, "{Device} was kicked at {At}")]
    private partial void Kicked(ClientId device, DateTimeOffset at);
}
// end

// example 2
public sealed record Alarm(int Level, string Text);

/// <summary>Logs grave alarms, whatever device of a site sends them.</summary>
[Handler(IsOff = true)]
[Topic("site/{site}/+/alarm")]
public sealed partial class LogAlarms(ILogger<LogAlarms> logger) : IMessageHandler<Alarm>
{
    public Task HandleAsync(Alarm alarm, HandlingContext context, CancellationToken cancellation)
    {
        if (alarm.Level >= 3) Grave(context.Topic["site"], context.Message!.Publisher, alarm.Text);
        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Error, "Alarm at {Site} from {Device}: {Text}")]
    private partial void Grave(string site, ClientId device, string text);
}
// end

// example 3
/// <summary>Opens a ticket for each pump that comes online for the first time.</summary>
[Handler(IsOff = true, Clients = "pump-*", TimeoutSeconds = 10)]
public sealed class OpenTicket(IConfiguration configuration) : IBusinessHandler<DeviceDiscovered>
{
    private static readonly HttpClient Http = new();
    private readonly Uri tickets = new(configuration["Tickets:Url"] ?? throw new InvalidOperationException("Tickets:Url is missing."));

    public async Task HandleAsync(DeviceDiscovered happened, HandlingContext context, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, tickets) { Content = JsonContent.Create(new { device = happened.Subject.Value, at = happened.At }) };
        request.Headers.Add("Idempotency-Key", context.Key.ToString(CultureInfo.InvariantCulture)); // the same at each try
        using var answer = await Http.SendAsync(request, cancellation);
        if (answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity) throw new GiveUpException($"The tickets refused it: {(int)answer.StatusCode}");
        answer.EnsureSuccessStatusCode(); // anything else: try again later
    }
}
// end

// example 4
/// <summary>Tells each pump that comes online to switch its light on.</summary>
[Handler(IsOff = true, Clients = "pump-*")]
public sealed class LightPump(IMediator mediator) : IBusinessHandler<DeviceWentOnline>
{
    public async Task HandleAsync(DeviceWentOnline happened, HandlingContext context, CancellationToken cancellation)
    {
        if (context.IsReplay) return;
        var command = PublishToDevice.Json(happened.Subject, new { Light = "on" }) with
        {
            Topic = "pumps/{clientId}/commands",
            Key = $"light-pump-{context.Key}", // the same at each try: what may have been sent is not sent again
        };
        await mediator.Send(command, cancellation); // throws where it surely was not sent: try again later
    }
}
// end
