using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.Brokers;
using WebhookService.Domain.Brokers;

namespace WebhookService.Api.Brokers;

/// <summary>The brokers behind the reports: how they are, how their nodes speak, and the comparisons with their client lists.</summary>
[ApiController]
[Route("api/v1/broker")]
[Authorize(Policy = Policies.Manage)]
internal sealed class BrokerController(IMediator mediator, BrokerWatch watch, SweepDesk desk) : ControllerBase
{
    /// <summary>The brokers that are configured, and the nodes that reports came from with the dialect that each speaks.</summary>
    [HttpGet]
    public async Task<BrokersResponse> Get(CancellationToken cancellation)
    {
        Response.Headers.CacheControl = "no-store";
        return BrokersResponse.Of(await mediator.Send(new GetBrokers(), cancellation));
    }

    /// <summary>The comparisons, newest first.</summary>
    [HttpGet("reconciliations")]
    public ListResult<ReconciliationResponse> List([FromQuery] ReconciliationsQuery query) => new(
        query,
        async (page, cancellation) => (await mediator.Send(new ListReconciliations(query.Broker, page), cancellation)).Select(ReconciliationResponse.Of));

    /// <summary>One comparison: under way, or what came of it.</summary>
    [HttpGet("reconciliations/{id:long}")]
    public async Task<ReconciliationResponse> Get(long id, CancellationToken cancellation) =>
        ReconciliationResponse.Of(await mediator.Send(new GetReconciliation(id), cancellation) ?? throw ApiException.NotFound(
            $"There is no reconciliation {id}.", "The last 1000 are remembered; GET /api/v1/broker/reconciliations lists them."));

    /// <summary>Compares now. Answers at once; where the comparison stands is at `Location`.</summary>
    [HttpPost("reconciliations")]
    [ProducesResponseType<ReconciliationsAsked>(StatusCodes.Status202Accepted)]
    public async Task<IActionResult> Ask(ReconciliationRequest? request, CancellationToken cancellation)
    {
        if (watch.Brokers.Count == 0)
            throw ApiException.Conflict("no-broker", "No broker is configured that could be asked.", "Give the broker's API a place in the configuration, as docs/brokers.md tells: Brokers:0:Url, ApiKey, ApiSecret.");
        var brokers = watch.Brokers.Select(broker => broker.Name).Where(name => request?.Broker is null || name == request.Broker).ToList();
        if (brokers.Count == 0)
            throw ApiException.BadRequest("invalid-value", $"No broker is called '{request!.Broker}'.", "broker", $"There are: {string.Join(", ", watch.Brokers.Select(broker => broker.Name))}.");

        var asked = new List<ReconciliationResponse>();
        foreach (var broker in brokers)
        {
            var planned = await desk.AskAsync(broker, SweepCause.Request, cancellation);
            asked.Add(await Get(planned.Id, cancellation));
        }
        return Accepted($"/api/v1/broker/reconciliations/{asked[0].Id}", new ReconciliationsAsked(asked[0].Id, asked));
    }
}

/// <summary>Which comparisons are wanted.</summary>
internal sealed class ReconciliationsQuery : ListQuery
{
    /// <summary>Those with this broker.</summary>
    public string? Broker { get; init; }
}

/// <param name="Broker">The broker to compare with; all of them if not given.</param>
internal sealed record ReconciliationRequest(string? Broker);

/// <param name="Id">Of the first of <paramref name="Items"/>; with one broker it is the only one.</param>
internal sealed record ReconciliationsAsked(string Id, IReadOnlyList<ReconciliationResponse> Items);

/// <summary>A comparison of what is known with a broker's own client list.</summary>
/// <param name="Cause">`start`, `schedule`, `ingest-gap`, `losses`, `node-gone`, `doubts`, `brake` or `request`.</param>
/// <param name="Result">`running`, `complete`, `incomplete` (the list was not whole, or there was no answer for some of the missing), `held` (too many were missing to believe it at once, or reports come from nodes that the broker does not name; `problem` says which) or `failed`.</param>
/// <param name="Scanned">Clients in the broker's list.</param>
/// <param name="Discovered">Clients that no report had ever named: all of them when the service is new.</param>
/// <param name="Confirmed">Devices whose status was right, but doubtful or of another session.</param>
/// <param name="Verified">Devices that were missing and asked for one by one.</param>
/// <param name="Held">Devices that were missing and left as they are.</param>
internal sealed record ReconciliationResponse(
    string Id, string Broker, SweepCause Cause, SweepResult Result, DateTimeOffset StartedAt, DateTimeOffset? FinishedAt, double? DurationSeconds,
    long Scanned, long Discovered, long CorrectedOnline, long CorrectedOffline, long Confirmed, long Verified, long Held, string? Problem)
{
    public static ReconciliationResponse Of(ReconciliationView view) => new(
        view.Id.ToString(CultureInfo.InvariantCulture), view.Broker, view.Cause, view.Result, view.StartedAt, view.FinishedAt,
        (view.FinishedAt - view.StartedAt)?.TotalSeconds, view.Findings.Scanned, view.Findings.Discovered, view.Findings.CorrectedOnline, view.Findings.CorrectedOffline,
        view.Findings.Confirmed, view.Findings.Verified, view.Findings.Held, view.Problem);
}

internal sealed record BrokersResponse(IReadOnlyList<BrokerResponse> Brokers, IReadOnlyList<BrokerNodeResponse> Nodes)
{
    public static BrokersResponse Of(BrokersView view) => new(
        [.. view.Brokers.Select(broker => new BrokerResponse(
            broker.Name, broker.Reachable, broker.Problem, broker.Version, broker.ClockOffsetSeconds, broker.LostWebhooks, broker.CheckedAt, broker.ListedAt,
            broker.NextSweepAt, broker.Holding, broker.Running?.ToString(CultureInfo.InvariantCulture), broker.Last is null ? null : ReconciliationResponse.Of(broker.Last)))],
        [.. view.Nodes.Select(node => new BrokerNodeResponse(
            node.Name, node.Broker, node.Dialect, node.DialectSince, node.HeardAt, node.Running, node.Version, node.Connections))]);
}

/// <summary>A broker whose API can be asked.</summary>
/// <param name="Reachable">Null until it was asked for the first time.</param>
/// <param name="Problem">Why it could not be asked, and what to do.</param>
/// <param name="ClockOffsetSeconds">How far its clock is ahead of ours, to about a second.</param>
/// <param name="LostWebhooks">Webhooks that it counted as failed or dropped since it started; null where it does not tell.</param>
/// <param name="ListedAt">When its whole client list last confirmed who is online.</param>
/// <param name="Holding">A comparison was held, and none was complete since.</param>
/// <param name="Running">The id of the comparison under way.</param>
/// <param name="LastReconciliation">The newest comparison.</param>
internal sealed record BrokerResponse(
    string Name, bool? Reachable, string? Problem, string? Version, double? ClockOffsetSeconds, long? LostWebhooks, DateTimeOffset? CheckedAt,
    DateTimeOffset? ListedAt, DateTimeOffset? NextReconciliationAt, bool Holding, string? Running, ReconciliationResponse? LastReconciliation);

/// <summary>A node that reports came from, or that a broker named.</summary>
/// <param name="Node">Its name; empty for reports that name none (EMQX up to 4.2.1).</param>
/// <param name="Broker">The configured broker that it belongs to.</param>
/// <param name="Dialect">How its reports name the connection that ended: `connected-at`, `peername`, `node-and-time` or `arrival`, from the surest to the least sure; null while it reported no end.</param>
/// <param name="HeardAt">When it last reported an end, to the minute.</param>
/// <param name="Running">What its broker says of it.</param>
internal sealed record BrokerNodeResponse(
    string Node, string? Broker, Dialect? Dialect, DateTimeOffset? DialectSince, DateTimeOffset? HeardAt, bool? Running, string? Version, long? Connections);
