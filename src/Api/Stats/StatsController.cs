using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Security;
using WebhookService.Application.Stats;

namespace WebhookService.Api.Stats;

/// <summary>The service in numbers.</summary>
[ApiController]
[Route("api/v1/stats")]
[Authorize(Policy = Policies.Read)]
public sealed class StatsController(IMediator mediator) : ControllerBase
{
    /// <summary>What is stored, what is going on, and how busy the writer is.</summary>
    [HttpGet]
    public async Task<StatsView> Get(CancellationToken cancellation)
    {
        Response.Headers.CacheControl = "no-store";
        return await mediator.Send(new GetStats(), cancellation);
    }
}
