using AutoMapper;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Sessions;

namespace WebhookService.Api.Sessions;

/// <summary>The ledger of connections of all devices.</summary>
[ApiController]
[Route("api/v1/sessions")]
[Authorize(Policy = Policies.Read)]
public sealed class SessionsController(IMediator mediator, IMapper mapper) : ControllerBase
{
    /// <summary>Lists connections, newest first.</summary>
    [HttpGet]
    public ListResult<SessionResponse> List([FromQuery] SessionsQuery query)
    {
        var filter = query.ToFilter();
        return new(query, async (page, cancellation) => (await mediator.Send(new ListSessions(filter, page), cancellation)).Select(mapper.Map<SessionResponse>));
    }
}
