using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;
using WebhookService.Domain;

namespace WebhookService.Api.Events;

/// <summary>The journal: everything that happened, once, in the order it was committed.</summary>
[ApiController]
[Route("api/v1")]
[Authorize(Policy = Policies.Read)]
public sealed class EventsController(IMediator mediator) : ControllerBase
{
    /// <summary>
    /// Events after a sequence number, oldest first. Ask again with `after` = `next` for what follows; a page may be short or empty before all
    /// is read, which is when `next` equals `head`. An `after` beyond `head` is refused (`after-beyond-head`): it belongs to a journal that was reset.
    /// </summary>
    [HttpGet("events")]
    [ProducesResponseType<EventsResponse>(StatusCodes.Status200OK, ListForms.Json, ListForms.NdJson, ListForms.Csv)]
    public async Task<IActionResult> List([FromQuery] EventsQuery query, CancellationToken cancellation) =>
        await AnswerAsync(query.ToQuery(), new ListQuery { Limit = query.Limit }, cancellation);

    /// <summary>What happened to a device: newest first, or with `after` oldest first, as in /events.</summary>
    [HttpGet("devices/{clientId}/events")]
    [ProducesResponseType<ListResponse<EventView>>(StatusCodes.Status200OK, ListForms.Json, ListForms.NdJson, ListForms.Csv)]
    public async Task<IActionResult> OfDevice([ClientIdFromPath] string clientId, [FromQuery] DeviceEventsQuery query, CancellationToken cancellation)
    {
        var (client, types) = (new ClientId(clientId), EventTypes.Parse(query.Types));
        await mediator.RequireDeviceAsync(client, cancellation);
        if (query.After is not { } after)
            return new ListResult<EventView>(query, (page, stop) => mediator.Send(new ListDeviceEvents(client, page) { Types = types }, stop));

        if ((query.Cursor is not null ? "cursor" : query.Fields is not null ? "fields" : null) is { } other)
            throw ApiException.BadRequest("invalid-value", $"'{other}' does not go with 'after'.", other, "With 'after', go on by 'after' = 'next' of the page before.");
        return await AnswerAsync(new ListEvents(after, query.Limit ?? ListQuery.DefaultLimit) { Client = client, Types = types }, query, cancellation);
    }

    private async Task<IActionResult> AnswerAsync(ListEvents events, ListQuery list, CancellationToken cancellation)
    {
        if (ListForms.Accepted(Request) is not ListForm.Json)
            return new ListResult<EventView>(list, async (page, stop) =>
            {
                var after = page.Cursor is null ? events.After : long.Parse(page.Cursor);
                var part = await ReadAsync(events with { After = after, Limit = page.Limit }, stop);
                return new Page<EventView>(part.Items, part.Next < part.Head ? $"{part.Next}" : null);
            });

        var found = await ReadAsync(events, cancellation);
        Response.Headers.Vary = "Accept";
        Response.Headers.CacheControl = "no-store";
        if (found.Next < found.Head) Response.Headers.Link = $"<{PathOfNext(found.Next)}>; rel=\"next\"";
        return Ok(new EventsResponse(found.Items, $"{found.Next}", found.Head, found.Oldest));
    }

    /// <summary>Numbers are never given twice, so who has seen more than there is has followed another journal and would wait in vain.</summary>
    private async Task<EventPage> ReadAsync(ListEvents events, CancellationToken cancellation)
    {
        var page = await mediator.Send(events, cancellation);
        if (events.After <= page.Head) return page;

        throw ApiException.BadRequest("after-beyond-head", $"'after' is {events.After}, but the journal ends at {page.Head}.", "after",
            "The data of the service was reset or restored since: forget what was read before and begin again with after=0.");
    }

    private string PathOfNext(long after)
    {
        var next = new QueryBuilder();
        foreach (var (name, value) in Request.Query)
            if (!name.Equals("after", StringComparison.OrdinalIgnoreCase)) next.Add(name, value.ToString());
        next.Add("after", $"{after}");
        return RawPath.Of(HttpContext) + next;
    }
}
