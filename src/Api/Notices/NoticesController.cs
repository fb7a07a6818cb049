using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Notices;
using WebhookService.Domain.Notices;

namespace WebhookService.Api.Notices;

/// <summary>What the rules of the configuration say at present.</summary>
[ApiController]
[Route("api/v1/notices")]
[Authorize(Policy = Policies.Read)]
internal sealed class NoticesController(IMediator mediator) : ControllerBase
{
    /// <summary>Notices that are pending or raised, those that began last first. What was, is in the journal: `notice.raised` and `notice.cleared`.</summary>
    [HttpGet]
    public ListResult<NoticeResponse> List([FromQuery] NoticesQuery query)
    {
        var states = WordList.Read<NoticeState>(query.State, "state");
        if (states.Contains(NoticeState.Clear))
            throw ApiException.BadRequest("invalid-value", "Notices that are clear are not listed.", "state", "It takes pending, raised, or both with a comma between.");
        return new(query, async (page, cancellation) => (await mediator.Send(new ListNotices(query.Rule, states, page), cancellation)).Select(NoticeResponse.Of));
    }
}

/// <summary>The filters of the notices.</summary>
internal sealed class NoticesQuery : ListQuery
{
    /// <summary>Only those of this rule.</summary>
    public string? Rule { get; init; }

    /// <summary>`pending` or `raised`; both if not given.</summary>
    public string? State { get; init; }
}

/// <summary>What a rule says of a device or a handler.</summary>
/// <param name="Kind">`offline`, `silence`, `threshold` or `dead-letter`.</param>
/// <param name="State">`pending` while it waits to be sure, then `raised`.</param>
/// <param name="Handler">Of the kind `dead-letter`: whose; there is no `clientId` then.</param>
/// <param name="Topic">Of the kind `threshold`: where the value was published.</param>
/// <param name="Since">Since when the condition holds.</param>
/// <param name="DueAt">When it is raised; null once it is.</param>
/// <param name="Value">The newest value, or how many dead letters there were.</param>
internal sealed record NoticeResponse(
    string Rule, NoticeKind Kind, NoticeState State, string? ClientId, string? Handler, string? Topic, DateTimeOffset Since, DateTimeOffset? DueAt,
    DateTimeOffset? RaisedAt, string Why, double? Value)
{
    public static NoticeResponse Of(NoticeView view) => new(
        view.Rule, view.Kind, view.State, view.Kind is NoticeKind.DeadLetter ? null : view.Subject, view.Kind is NoticeKind.DeadLetter ? view.Subject : null, view.Topic,
        view.Since, view.DueAt, view.RaisedAt, view.Why, view.Value);
}
