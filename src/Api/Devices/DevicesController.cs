using System.Text.Json;
using AutoMapper;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using WebhookService.Api.Errors;
using WebhookService.Api.History;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Api.Sessions;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Application.Sessions;
using WebhookService.Domain;

namespace WebhookService.Api.Devices;

/// <summary>Devices: what is known of them, and what people say of them.</summary>
[ApiController]
[Route("api/v1/devices")]
[Authorize(Policy = Policies.Read)]
public sealed class DevicesController(IMediator mediator, IMapper mapper, IOptions<JsonOptions> json, TimeProvider time) : ControllerBase
{
    private const int MaxBatch = 1000;

    /// <summary>Lists devices, with `at` as they were at a past time. Filters combine; `tag.&lt;name&gt;=value` filters by a tag.</summary>
    [HttpGet]
    [AlsoTakesQuery(DeviceFilterQuery.TagPrefix + "*")]
    [ProducesResponseType<ListResponse<DeviceResponse>>(StatusCodes.Status200OK, ListForms.Json, ListForms.NdJson, ListForms.Csv)]
    public IActionResult List([FromQuery] DeviceFilterQuery filters, [FromQuery] DevicesQuery query)
    {
        if (query.At is { } at) return ListAt(at, filters, query);
        var (filter, sort, count) = (filters.ToFilter(Request.Query), query.ToSort(), query.ToCount());
        return new ListResult<DeviceResponse>(
            query, async (page, cancellation) => (await mediator.Send(new ListDevices(filter, sort, page, count), cancellation)).Select(mapper.Map<DeviceResponse>));
    }

    /// <summary>One device. Its ETag changes with it; `If-None-Match` saves the transfer of what is known.</summary>
    [HttpGet("{clientId}")]
    [ProducesResponseType<DeviceResponse>(StatusCodes.Status200OK)]
    [ProducesResponseType(StatusCodes.Status304NotModified)]
    public async Task<IActionResult> Get([ClientIdFromPath] string clientId, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        return Shown(await mediator.Send(new GetDevice(client), cancellation) ?? throw KnownDevice.Unknown(client));
    }

    /// <summary>How long the device was online, offline and unknown, and its outages: in the last 24 hours, or from when to when is asked.</summary>
    [HttpGet("{clientId}/availability")]
    public async Task<DeviceAvailabilityView> Availability([ClientIdFromPath] string clientId, [FromQuery] AvailabilityQuery query, CancellationToken cancellation)
    {
        RepeatedQuery.Refuse(Request.Query);
        var client = new ClientId(clientId);
        Response.Headers.CacheControl = "no-store";
        return await mediator.Send(new GetAvailability(client, query.ToSpan(time.GetUtcNow()), query.Stretches is true), cancellation) ?? throw KnownDevice.Unknown(client);
    }

    /// <summary>The device's connections, newest first.</summary>
    [HttpGet("{clientId}/sessions")]
    public ListResult<SessionResponse> Sessions([ClientIdFromPath] string clientId, [FromQuery] DeviceSessionsQuery query)
    {
        var (client, filter) = (new ClientId(clientId), query.ToFilter(new ClientId(clientId)));
        return mediator.ListOf(
            client, query, async (page, cancellation) => (await mediator.Send(new ListSessions(filter, page), cancellation)).Select(mapper.Map<SessionResponse>));
    }

    /// <summary>The subscriptions that the device has now.</summary>
    [HttpGet("{clientId}/subscriptions")]
    public ListResult<SubscriptionResponse> Subscriptions([ClientIdFromPath] string clientId, [FromQuery] ListQuery query)
    {
        var client = new ClientId(clientId);
        return mediator.ListOf(
            client, query, async (page, cancellation) => (await mediator.Send(new ListSubscriptions(client, page), cancellation)).Select(mapper.Map<SubscriptionResponse>));
    }

    /// <summary>The states of up to 1000 devices in short, in the order asked.</summary>
    [HttpPost("state:batch")]
    public async Task<DeviceStatesResponse> States(DeviceStatesRequest request, CancellationToken cancellation)
    {
        if (request.ClientIds.Count is 0 or > MaxBatch)
            throw ApiException.BadRequest("invalid-value", $"'clientIds' names {request.ClientIds.Count} devices.", "clientIds", $"Name 1 to {MaxBatch} at a time.");
        var known = await mediator.Send(new GetDeviceStates([.. request.ClientIds.Select(id => new ClientId(id))]), cancellation);
        var found = known.Select(device => device.ClientId).ToHashSet(StringComparer.Ordinal);
        return new([.. known.Select(mapper.Map<DeviceStateResponse>)], [.. request.ClientIds.Distinct(StringComparer.Ordinal).Where(id => !found.Contains(id))]);
    }

    /// <summary>Changes name, tags and expectations by JSON merge patch, if the device still is as `If-Match` says.</summary>
    [HttpPatch("{clientId}")]
    [Authorize(Policy = Policies.Manage)]
    [Consumes("application/merge-patch+json", "application/json")]
    [ProducesResponseType<DeviceResponse>(StatusCodes.Status200OK)]
    public async Task<IActionResult> Describe([ClientIdFromPath] string clientId, [FromBody] JsonElement patch, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        var members = Columns.Of(typeof(DeviceResponse), json.Value.JsonSerializerOptions).Names.Select(name => name.Split('.')[0]).ToHashSet(StringComparer.Ordinal);
        var change = new DevicePatch(patch, members);
        foreach (var version in DeviceTag.Expected(Request))
        {
            switch (await mediator.Send(new DescribeDevice(client, change.Apply, version), cancellation))
            {
                case Described.Done: return Shown(await mediator.Send(new GetDevice(client), cancellation) ?? throw KnownDevice.Unknown(client));
                case Described.NoSuchDevice: throw KnownDevice.Unknown(client);
            }
        }
        throw DeviceTag.HasChanged();
    }

    /// <summary>Forgets a device and its data: sessions, subscriptions, messages, events. The next report that names it makes it anew. With `If-Match`, only if it still is so.</summary>
    [HttpDelete("{clientId}")]
    [Authorize(Policy = Policies.Manage)]
    [ProducesResponseType(StatusCodes.Status204NoContent)]
    public async Task<IActionResult> Forget([ClientIdFromPath] string clientId, CancellationToken cancellation)
    {
        var client = new ClientId(clientId);
        await mediator.RequireDeviceAsync(client, cancellation);
        foreach (var version in Request.Headers.IfMatch.Count == 0 ? [null] : DeviceTag.Expected(Request))
        {
            // Once begun it goes on to the end, whether the caller waits or not: half a device cannot be asked for again.
            var forgotten = await mediator.Send(new ForgetDevice(client, version), CancellationToken.None);
            while (forgotten is Forgotten.InPart) forgotten = await mediator.Send(new ForgetDevice(client), CancellationToken.None);
            if (forgotten is Forgotten.Completely) return NoContent();
        }
        throw DeviceTag.HasChanged();
    }

    private ListResult<DeviceResponseAt> ListAt(DateTimeOffset at, DeviceFilterQuery filters, DevicesQuery query)
    {
        var filter = filters.ToFilterAt(Request.Query);
        DeviceFilterQuery.Refuse("count", query.Count);
        if (query.Sort is not "clientId") DeviceFilterQuery.Refuse("sort", query.Sort);
        if (at > time.GetUtcNow())
            throw ApiException.BadRequest("invalid-value", "'at' lies ahead: nobody knows yet how the devices will be.", "at", "Take a time that is past.");
        return new(query, async (page, cancellation) => (await mediator.Send(new ListDevicesAt(at.ToWholeMs(), filter, page), cancellation)).Select(mapper.Map<DeviceResponseAt>));
    }

    private IActionResult Shown(DeviceView device)
    {
        var tag = DeviceTag.Of(device);
        Response.Headers.ETag = tag.ToString();
        Response.Headers.CacheControl = "no-cache"; // may be kept, must be asked for
        return HttpMethods.IsGet(Request.Method) && DeviceTag.IsKnown(Request, tag) ? StatusCode(StatusCodes.Status304NotModified) : Ok(mapper.Map<DeviceResponse>(device));
    }
}
