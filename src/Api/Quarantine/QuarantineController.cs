using System.ComponentModel.DataAnnotations;
using System.Text.Unicode;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Errors;
using WebhookService.Api.Security;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Common;
using WebhookService.Application.Quarantine;

namespace WebhookService.Api.Quarantine;

/// <summary>Bodies that nothing could be made of: why, their bytes, and another try.</summary>
[ApiController]
[Route("api/v1/quarantine")]
[Authorize(Policy = Policies.Read)]
internal sealed class QuarantineController(IMediator mediator, Intake intake, TimeProvider time) : ControllerBase
{
    /// <summary>The refused bodies, newest first.</summary>
    /// <param name="source">Only those sent to this source.</param>
    /// <param name="code">Only those refused for this: <c>malformed</c>, <c>too-large</c>, <c>unsupported-media-type</c>, <c>failed</c>.</param>
    [HttpGet]
    public async Task<ActionResult<QuarantinePage>> List(
        string? source, string? code, [Range(1, 1000)] int limit = 50, string? cursor = null, CancellationToken cancellation = default)
    {
        var page = await mediator.Send(new ListQuarantine(source, code, new PageRequest(limit, cursor)), cancellation);
        if (page.Next is { } next)
            Response.Headers.Link = $"<{Request.PathBase}{Request.Path}{QueryString.Create(Request.Query.Where(pair => pair.Key != "cursor").Append(new("cursor", next)))}>; rel=\"next\"";
        return new QuarantinePage([.. page.Items.Select(QuarantineItem.Of)], page.Next);
    }

    /// <summary>One refused body with its bytes.</summary>
    [HttpGet("{id:long}")]
    public async Task<ActionResult<QuarantineDetail>> Get(long id, CancellationToken cancellation)
    {
        var kept = await FindAsync(id, cancellation);
        return new QuarantineDetail(QuarantineItem.Of(kept.About), QuarantineBytes.Of(kept.Body));
    }

    /// <summary>Tries it again, as the service is now configured. What succeeds leaves the quarantine.</summary>
    [HttpPost("{id:long}/retry")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType<WebhookAnswer>(StatusCodes.Status200OK, "application/json")]
    public async Task Retry(long id)
    {
        var kept = await FindAsync(id, HttpContext.RequestAborted);
        var result = await intake.RetryAsync(kept, time.GetUtcNow());
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

    private static ApiException NotThere(long id) => ApiException.NotFound($"There is no body {id} in quarantine.", "It may have been retried, deleted or aged out; GET /api/v1/quarantine lists what is there.");
}

internal sealed record QuarantinePage(IReadOnlyList<QuarantineItem> Items, string? Next);

/// <summary>A refused body without its bytes. <paramref name="Bytes"/> is how many were kept, <paramref name="Truncated"/> that there were more.</summary>
internal sealed record QuarantineItem(
    string Id, DateTimeOffset ReceivedAt, string Source, string Code, string Reason, string? Parameter, string? ContentType, long Bytes, bool Truncated,
    int Attempts, DateTimeOffset? LastAttemptAt)
{
    public static QuarantineItem Of(QuarantinedView view) => new(
        view.Id.ToString(), view.ReceivedAt, view.Source, view.Code, view.Reason, view.Parameter, view.ContentType, view.Bytes, view.Truncated,
        view.Attempts, view.LastAttemptAt);
}

internal sealed record QuarantineDetail(
    string Id, DateTimeOffset ReceivedAt, string Source, string Code, string Reason, string? Parameter, string? ContentType, long Bytes, bool Truncated,
    int Attempts, DateTimeOffset? LastAttemptAt, QuarantineBytes Body)
{
    public QuarantineDetail(QuarantineItem item, QuarantineBytes body)
        : this(item.Id, item.ReceivedAt, item.Source, item.Code, item.Reason, item.Parameter, item.ContentType, item.Bytes, item.Truncated,
            item.Attempts, item.LastAttemptAt, body)
    {
    }
}

/// <summary>Bytes in JSON: as text where they are UTF-8, else as base64.</summary>
internal sealed record QuarantineBytes(string Encoding, string Data)
{
    public static QuarantineBytes Of(byte[] bytes) => Utf8.IsValid(bytes)
        ? new("utf8", System.Text.Encoding.UTF8.GetString(bytes))
        : new("base64", Convert.ToBase64String(bytes));
}
