using System.ComponentModel.DataAnnotations;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Security;
using WebhookService.Application.History;

namespace WebhookService.Api.History;

/// <summary>How available the fleet was.</summary>
[ApiController]
[Route("api/v1/availability")]
[Authorize(Policy = Policies.Read)]
public sealed class AvailabilityController(IMediator mediator, TimeProvider time) : ControllerBase
{
    /// <summary>
    /// How long the devices that pass the filters now were online, offline and unknown, all together, and which of them fared worst: in the last
    /// 24 hours, or from when to when is asked.
    /// </summary>
    [HttpGet]
    [AlsoTakesQuery(DeviceFilterQuery.TagPrefix + "*")]
    public async Task<FleetAvailabilityView> Get([FromQuery] DeviceFilterQuery filters, [FromQuery] FleetAvailabilityQuery query, CancellationToken cancellation)
    {
        RepeatedQuery.Refuse(Request.Query);
        Response.Headers.CacheControl = "no-store";
        return await mediator.Send(
            new GetFleetAvailability(filters.ToFilter(Request.Query), query.ToSpan(time.GetUtcNow()), query.Worst ?? FleetAvailabilityQuery.DefaultWorst), cancellation);
    }
}

/// <summary>What the availability of a fleet takes beside the filters of devices.</summary>
public sealed class FleetAvailabilityQuery : SpanQuery
{
    public const int DefaultWorst = 10;
    public const int MaxWorst = 1_000;

    /// <summary>So many of the devices with the lowest ratio are named, 0 to 1000; 10 if not given.</summary>
    [Range(0, MaxWorst, ErrorMessage = "'worst' is 0 to 1000.")]
    public int? Worst { get; init; }
}
