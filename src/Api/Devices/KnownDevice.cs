using MediatR;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Application.Common;
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

    /// <summary>A list that belongs to a device.</summary>
    public static ListResult<T> ListOf<T>(this IMediator mediator, ClientId client, ListQuery query, Func<PageRequest, CancellationToken, Task<Page<T>>> read) =>
        new(query, async (page, cancellation) =>
        {
            if (page.Cursor is null) await mediator.RequireDeviceAsync(client, cancellation);
            return await read(page, cancellation);
        });

    public static ApiException Unknown(ClientId client) =>
        ApiException.NotFound($"No device '{client}' is known.", "Compare the spelling, percent-encoding included; GET /api/v1/devices lists what is known.");
}
