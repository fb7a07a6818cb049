using System.Globalization;
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

/// <summary>The journal: everything that happened, once, in the order it was committed. Told in docs/events.md.</summary>
[ApiController]
[Route("api/v1")]
[Authorize(Policy = Policies.Read)]
internal sealed class EventsController(IMediator mediator, JournalFollower journal, EventStreams streams) : ControllerBase
{
    private const string LastEventId = "Last-Event-ID";

    /// <summary>
    /// Events after a sequence number, oldest first. Ask again with `after` = `next` for what follows; a page may be short or empty before all
    /// is read, which is when `next` equals `head`. An `after` beyond `head` is refused (`after-beyond-head`): it belongs to a journal that was reset.
    /// With `Prefer: wait=30`, JSON that would be empty is held back until something comes, for so many seconds at the most.
    /// </summary>
    /// <param name="prefer">`wait=` and 0 to 60 seconds; answered by `Preference-Applied`.</param>
    [HttpGet("events")]
    [ProducesResponseType<EventsResponse>(StatusCodes.Status200OK, ListForms.Json, ListForms.NdJson, ListForms.Csv)]
    public async Task<IActionResult> List([FromQuery] EventsQuery query, [FromHeader(Name = Prefer.Header)] string[]? prefer, CancellationToken cancellation) =>
        await AnswerAsync(query.ToQuery(), new ListQuery { Limit = query.Limit }, cancellation, Prefer.Wait(prefer));

    /// <summary>
    /// Events as they happen, as Server-Sent Events: `id` is the sequence number, `event` the type, `data` what GET /events has as an item. Begins
    /// after `Last-Event-ID` or, without it, `after`; without both, with what happens from now on.
    /// </summary>
    /// <remarks>
    /// If events in between are gone by retention, `event: reset` says so, its data `{"after":…,"oldest":…}`, and the oldest that is kept comes next.
    /// Ids without data come with the heartbeat and move the place to resume from. Readers reconnect when a stream ends, as it does now and then.
    /// </remarks>
    /// <param name="lastEventId">The id seen last, which readers of Server-Sent Events send by themselves when they come back.</param>
    [HttpGet("events/stream")]
    [ProducesResponseType<EventView>(StatusCodes.Status200OK, EventStreams.MediaType)]
    public async Task<IActionResult> Stream([FromQuery] EventStreamQuery query, [FromHeader(Name = LastEventId)] string? lastEventId, CancellationToken cancellation)
    {
        RepeatedQuery.Refuse(Request.Query);
        if (string.IsNullOrEmpty(lastEventId)) return await streams.SendAsync(HttpContext, journal, query.ToQuery(query.After ?? journal.Head), "after");

        if (!long.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out var last))
            throw ApiException.BadRequest("invalid-value", $"'{lastEventId}' is no id of an event here.", LastEventId, "Send the last id that this stream gave, or none.");
        return await streams.SendAsync(HttpContext, journal, query.ToQuery(last), LastEventId);
    }

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

    private async Task<IActionResult> AnswerAsync(ListEvents events, ListQuery list, CancellationToken cancellation, int? wait = null)
    {
        if (ListForms.Accepted(Request) is not ListForm.Json)
            return new ListResult<EventView>(list, async (page, stop) =>
            {
                var after = page.Cursor is null ? events.After : long.Parse(page.Cursor);
                var part = await journal.ReadAsync(events with { After = after, Limit = page.Limit }, stop);
                return new Page<EventView>(part.Items, part.Next < part.Head ? $"{part.Next}" : null);
            });

        var found = await journal.ReadAsync(events, TimeSpan.FromSeconds(wait ?? 0), cancellation);
        if (wait is not null) Response.Headers[Prefer.AppliedHeader] = $"wait={wait}";
        Response.Headers.Vary = "Accept";
        Response.Headers.CacheControl = "no-store";
        if (found.Next < found.Head) Response.Headers.Link = $"<{PathOfNext(found.Next)}>; rel=\"next\"";
        return Ok(new EventsResponse(found.Items, $"{found.Next}", found.Head, found.Oldest));
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
