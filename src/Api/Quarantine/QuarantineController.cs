using AutoMapper;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Quarantine;

namespace WebhookService.Api.Quarantine;

/// <summary>Bodies that nothing could be made of: why, their bytes, and another try.</summary>
[ApiController]
[Route("api/v1/quarantine")]
[Authorize(Policy = Policies.Read)]
internal sealed class QuarantineController(IMediator mediator, IMapper mapper, Intake intake, TimeProvider time) : ControllerBase
{
    /// <summary>Lists the refused bodies, newest first.</summary>
    [HttpGet]
    public ListResult<QuarantineItem> List([FromQuery] QuarantineQuery query) => new(
        query,
        async (page, cancellation) => (await mediator.Send(new ListQuarantine(query.Source, query.Code, page), cancellation)).Select(mapper.Map<QuarantineItem>));

    /// <summary>One refused body with its bytes.</summary>
    [HttpGet("{id:long}")]
    public async Task<ActionResult<QuarantineDetail>> Get(long id, CancellationToken cancellation)
    {
        var kept = await FindAsync(id, cancellation);
        var detail = mapper.Map<QuarantineDetail>(kept.About);
        detail.Body = QuarantineBytes.Of(kept.Body);
        return detail;
    }

    /// <summary>Tries it again, as the service is now configured. What succeeds leaves the quarantine.</summary>
    [HttpPost("{id:long}/retry")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType<WebhookAnswer>(StatusCodes.Status200OK, "application/json")]
    public async Task Retry(long id)
    {
        var result = await intake.RetryAsync(await FindAsync(id, HttpContext.RequestAborted), time.GetUtcNow(), RequestId.Of(HttpContext));
        if (WebhookAnswers.ProblemOf(result) is { } problem) await problem.WriteAsync(HttpContext);
        else await WebhookAnswers.WriteAsync(Response, result);
    }

    /// <summary>Throws it away.</summary>
    [HttpDelete("{id:long}")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType(StatusCodes.Status204NoContent)]
    public async Task<IActionResult> Delete(long id) =>
        await mediator.Send(new ReleaseFromQuarantine(id), CancellationToken.None) ? NoContent() : throw NotThere(id);

    private async Task<QuarantinedBody> FindAsync(long id, CancellationToken cancellation) =>
        await mediator.Send(new GetQuarantined(id), cancellation) ?? throw NotThere(id);

    private static ApiException NotThere(long id) => ApiException.NotFound(
        $"There is no body {id} in quarantine.", "It may have been retried, deleted or aged out; GET /api/v1/quarantine lists what is there.");
}

/// <summary>The filters of the quarantine.</summary>
internal sealed class QuarantineQuery : ListQuery
{
    /// <summary>Only what was sent to this source.</summary>
    public string? Source { get; init; }

    /// <summary>Only what was refused for this: `malformed`, `too-large`, `unsupported-media-type`, `failed`.</summary>
    public string? Code { get; init; }
}
