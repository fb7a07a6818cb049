using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.History;
using WebhookService.Api.Security;
using WebhookService.Application.History;
using WebhookService.Application.Stats;

namespace WebhookService.Api.Stats;

/// <summary>The service in numbers.</summary>
[ApiController]
[Route("api/v1/stats")]
[Authorize(Policy = Policies.Read)]
public sealed class StatsController(IMediator mediator, TimeProvider time) : ControllerBase
{
    /// <summary>What is stored, what is going on, and how busy the writer is.</summary>
    [HttpGet]
    public async Task<StatsView> Get(CancellationToken cancellation)
    {
        Response.Headers.CacheControl = "no-store";
        return await mediator.Send(new GetStats(), cancellation);
    }

    /// <summary>
    /// How many of the devices that pass the filters now were online, offline and unknown from bucket to bucket, and how many came and went: in
    /// the last 24 hours, or from when to when is asked.
    /// </summary>
    [HttpGet("presence")]
    [AlsoTakesQuery(DeviceFilterQuery.TagPrefix + "*")]
    public async Task<PresenceHistoryView> Presence([FromQuery] DeviceFilterQuery filters, [FromQuery] PresenceQuery query, CancellationToken cancellation)
    {
        RepeatedQuery.Refuse(Request.Query);
        Response.Headers.CacheControl = "no-store";
        var span = query.ToSpan(time.GetUtcNow());
        return await mediator.Send(new GetPresenceHistory(filters.ToFilter(Request.Query), span, query.ToBucket(span)), cancellation);
    }
}
