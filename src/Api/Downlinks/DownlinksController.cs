using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Brokers;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Api.Downlinks;

/// <summary>Messages to devices and what became of them, and the end of a device's connection.</summary>
[ApiController]
[Route("api/v1")]
[Authorize(Policy = Policies.Read)]
public sealed class DownlinksController(IMediator mediator) : ControllerBase
{
    private const string IdempotencyKey = "Idempotency-Key";

    /// <summary>
    /// Publishes a message to a device through its broker, at most once. Answered when the broker has answered; where the message stands from then on is at `Location`.
    /// With a header `Idempotency-Key` it may be sent again safely: the same key and body lead to the same message, another body to 409.
    /// </summary>
    [HttpPost("devices/{clientId}/messages")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType<DownlinkView>(StatusCodes.Status202Accepted)]
    public async Task<IActionResult> Publish([ClientIdFromPath] string clientId, DownlinkRequest request, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        await mediator.RequireDeviceAsync(client, cancellation);
        var keys = Request.Headers[IdempotencyKey];
        if (keys.Count > 1) throw ApiException.BadRequest("invalid-value", "There are several Idempotency-Key headers.", IdempotencyKey, "Send one.");

        var published = await mediator.Send(request.ToCommand(client, keys.Count == 0 ? null : keys[0] ?? ""), cancellation);
        if (published is { Status: DownlinkStatus.Uncertain, IsRepetition: false }) throw Uncertain(published);
        return Accepted(At(published.Id), await FindAsync(published.Id, CancellationToken.None));
    }

    /// <summary>One message to a device, and how far it got.</summary>
    [HttpGet("downlinks/{id:long}")]
    public Task<DownlinkView> Get(long id, CancellationToken cancellation)
    {
        Response.Headers.CacheControl = "no-store";
        return FindAsync(id, cancellation);
    }

    /// <summary>The messages to all devices, newest first.</summary>
    [HttpGet("downlinks")]
    public ListResult<DownlinkView> List([FromQuery] DownlinksQuery query)
    {
        var downlinks = query.ToQuery(query.ClientId is null ? null : new ClientId(query.ClientId));
        return new(query, (page, cancellation) => mediator.Send(downlinks with { Page = page }, cancellation));
    }

    /// <summary>The messages to a device, newest first. Those that it published are at `/devices/{clientId}/messages`.</summary>
    [HttpGet("devices/{clientId}/downlinks")]
    public ListResult<DownlinkView> OfDevice([ClientIdFromPath] string clientId, [FromQuery] DeviceDownlinksQuery query)
    {
        var client = new ClientId(clientId);
        var downlinks = query.ToQuery(client);
        return mediator.ListOf(client, query, (page, cancellation) => mediator.Send(downlinks with { Page = page }, cancellation));
    }

    /// <summary>
    /// Has the broker end the device's connection, and its session with it: messages that wait for it there are lost. The device goes offline when the broker
    /// reports it, and most devices connect again at once.
    /// </summary>
    [HttpDelete("devices/{clientId}/connection")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType(StatusCodes.Status202Accepted)]
    public async Task<IActionResult> Kick([ClientIdFromPath] string clientId, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        return await mediator.Send(new KickClient(client), cancellation) ? Accepted()
            : throw ApiException.NotFound($"The broker knows no client '{client}'.", "It has neither a connection nor a session. Compare the spelling, percent-encoding included.");
    }

    private async Task<DownlinkView> FindAsync(long id, CancellationToken cancellation) =>
        await mediator.Send(new GetDownlink(id), cancellation)
        ?? throw ApiException.NotFound($"There is no downlink {id}.", "Its device was forgotten, or there never was one; GET /api/v1/downlinks lists them.");

    private static ApiException Uncertain(PublishedToDevice published) => new(new(StatusCodes.Status504GatewayTimeout, "broker-uncertain", "Gateway Timeout")
    {
        Detail = $"{published.Problem} The message may have been published or not.",
        Hint = $"It is not sent again. If the device gets it, the broker's reports tell: look at {At(published.Id)} before you send another.",
        Extensions = DownlinkProblems.Naming(published.Id),
    });

    private static string At(long id) => string.Create(CultureInfo.InvariantCulture, $"/api/v1/downlinks/{id}");
}

/// <summary>The filters of the messages to one device.</summary>
public class DeviceDownlinksQuery : ListQuery
{
    /// <summary>How far it got: `accepted`, `sent`, `delivered`, `acked`, `dropped`, `no-subscriber`, `refused`, `failed`, `uncertain`, `timed-out`, or several of them with commas between.</summary>
    public string? Status { get; init; }

    internal ListDownlinks ToQuery(ClientId? client) => new(default(Application.Common.PageRequest)) { Client = client, Status = WordList.Read<DownlinkStatus>(Status, "status") };
}

/// <summary>The filters of the messages to all devices.</summary>
public sealed class DownlinksQuery : DeviceDownlinksQuery
{
    /// <summary>The device.</summary>
    public string? ClientId { get; init; }
}
