using MediatR;
using WebhookService.Api.Errors;
using WebhookService.Application.Devices;
using WebhookService.Domain;

namespace WebhookService.Api.Devices;

/// <summary>404 for what belongs to a device that nobody ever named.</summary>
internal static class KnownDevice
{
    /// <exception cref="ApiException">No report ever named the device.</exception>
    public static async Task RequireDeviceAsync(this IMediator mediator, ClientId client, CancellationToken cancellation)
    {
        if (!await mediator.Send(new IsDeviceKnown(client), cancellation)) throw Unknown(client);
    }

    public static ApiException Unknown(ClientId client) =>
        ApiException.NotFound($"No device '{client}' is known.", "Compare the spelling, percent-encoding included; GET /api/v1/devices lists what is known.");
}
