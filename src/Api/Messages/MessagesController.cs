using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Common;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Api.Messages;

/// <summary>Messages: of all clients, of one device, and what a device said last.</summary>
[ApiController]
[Route("api/v1")]
[Authorize(Policy = Policies.Read)]
public sealed class MessagesController(IMediator mediator) : ControllerBase
{
    /// <summary>
    /// Lists messages, newest first. A page may hold fewer than `limit`, even none, where rare ones are looked for among very many: go on as
    /// long as there is a `next`.
    /// </summary>
    [HttpGet("messages")]
    public ListResult<MessageView> List([FromQuery] MessagesQuery query)
    {
        var messages = query.ToQuery();
        return new(query, (page, cancellation) => mediator.Send(messages with { Page = page }, cancellation));
    }

    /// <summary>One message with its payload and what became of it at each receiver, 1000 of them at most.</summary>
    [HttpGet("messages/{id}")]
    public async Task<MessageDetailsView> Get(string id, CancellationToken cancellation)
    {
        var message = MessageId.Parse(id);
        return await mediator.Send(new GetMessage(message), cancellation)
            ?? throw ApiException.NotFound($"No message '{message}' is known.", "It was never reported, or is gone by retention; GET /api/v1/messages lists what is known.");
    }

    /// <summary>The messages that a device published, newest first.</summary>
    [HttpGet("devices/{clientId}/messages")]
    public ListResult<MessageView> OfDevice([ClientIdFromPath] string clientId, [FromQuery] DeviceMessagesQuery query)
    {
        var client = new ClientId(clientId);
        var messages = query.ToQuery(client);
        return mediator.ListOf(client, query, (page, cancellation) => mediator.Send(messages with { Page = page }, cancellation));
    }

    /// <summary>
    /// The newest message of a device on each of its topics, with its age. `merged=true` makes one JSON document of all payloads that are JSON
    /// objects: of a member told twice the value published later stands.
    /// </summary>
    [HttpGet("devices/{clientId}/state")]
    [ProducesResponseType<LatestStateView>(StatusCodes.Status200OK)]
    public async Task<IActionResult> State([ClientIdFromPath] string clientId, [FromQuery] StateQuery query, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        var state = await mediator.Send(new GetLatestState(client, new PageRequest(query.Limit, query.Cursor)), cancellation) ?? throw KnownDevice.Unknown(client);
        Response.Headers.CacheControl = "no-store";
        return Ok(query.Merged ? MergedStateView.Of(state) : state);
    }
}
