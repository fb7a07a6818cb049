using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using WebhookService.Api.Errors;
using WebhookService.Api.Lists;
using WebhookService.Api.Security;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;

namespace WebhookService.Api.Handlers;

/// <summary>The business handlers: how far each came, what it could not do, and its levers.</summary>
[ApiController]
[Route("api/v1/handlers")]
[Authorize(Policy = Policies.Manage)]
internal sealed class HandlersController(IMediator mediator, HandlerFinder handlers, ConsumerDesk desk, IJournalReader journal, IJournalBell bell) : ControllerBase
{
    /// <summary>The handlers that there are, by name, also those that are off (`enabled`). There are few: all are on one page.</summary>
    [HttpGet]
    public ListResult<HandlerResponse> List([FromQuery] ListQuery query) => new(query, async (_, cancellation) =>
    {
        var (dead, oldest) = (await mediator.Send(new CountDeadLetters(), cancellation), await OldestAsync(cancellation));
        return new Page<HandlerResponse>([.. handlers.All.Select(handler => AnswerOf(handler, dead, oldest))], null);
    });

    /// <summary>One handler.</summary>
    [HttpGet("{name}")]
    public async Task<HandlerResponse> Get(string name, CancellationToken cancellation)
    {
        Response.Headers.CacheControl = "no-store";
        return AnswerOf(Known(name), await mediator.Send(new CountDeadLetters(), cancellation), await OldestAsync(cancellation));
    }

    /// <summary>Begins nothing more until it is resumed, also after a restart. What is under way ends.</summary>
    [HttpPost("{name}/pause")]
    public async Task<HandlerResponse> Pause(string name, CancellationToken cancellation)
    {
        await Find(name).PauseAsync();
        return await Get(name, cancellation);
    }

    /// <summary>Goes on.</summary>
    [HttpPost("{name}/resume")]
    public async Task<HandlerResponse> Resume(string name, CancellationToken cancellation)
    {
        await Find(name).ResumeAsync();
        return await Get(name, cancellation);
    }

    /// <summary>
    /// Handles events again, under their old keys, from a place on; with a place ahead it leaves out what lies between. A time means the first
    /// event in the journal's order that happened at or after it; before the `oldest` event that is kept nothing can be handled again. Answered when
    /// what is under way has ended, at the latest after the handler's timeout.
    /// </summary>
    [HttpPost("{name}/replay")]
    public async Task<HandlerResponse> Replay(string name, ReplayRequest request, CancellationToken cancellation)
    {
        var engine = Find(name);
        await engine.ReplayAsync(await PlaceAsync(request.From, cancellation)).WaitAsync(cancellation);
        return await Get(name, cancellation);
    }

    /// <summary>Ends a replay: goes on where it was before.</summary>
    [HttpDelete("{name}/replay")]
    public async Task<HandlerResponse> EndReplay(string name, CancellationToken cancellation)
    {
        await Find(name).EndReplayAsync().WaitAsync(cancellation);
        return await Get(name, cancellation);
    }

    /// <summary>What it could not handle, newest first.</summary>
    [HttpGet("{name}/dead-letters")]
    public ListResult<DeadLetterResponse> DeadLetters(string name, [FromQuery] ListQuery query) => new(
        query,
        async (page, cancellation) => (await mediator.Send(new ListDeadLetters(Known(name).Name, page), cancellation)).Select(DeadLetterResponse.Of));

    /// <summary>Takes one back: it is tried again, before what waits of its client.</summary>
    [HttpPost("{name}/dead-letters/{id:long}/redeliver")]
    [ProducesResponseType(StatusCodes.Status202Accepted)]
    public async Task<IActionResult> Redeliver(string name, long id) =>
        await Find(name).RedeliverAsync(id) ? Accepted() : throw NoLetter(name, id);

    /// <summary>Throws one away.</summary>
    [HttpDelete("{name}/dead-letters/{id:long}")]
    [ProducesResponseType(StatusCodes.Status204NoContent)]
    public async Task<IActionResult> Drop(string name, long id) =>
        await mediator.Send(new DropDeadLetter(Known(name).Name, id), CancellationToken.None) ? NoContent() : throw NoLetter(name, id);

    private async Task<long> PlaceAsync(string from, CancellationToken cancellation)
    {
        if (long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var seq))
            return seq <= bell.Head + 1 ? seq : throw ApiException.BadRequest(
                "invalid-value", $"The journal ends at {bell.Head}, before {seq}.", "from", $"With {bell.Head + 1} the next event is the first.");
        if (from.Contains('T', StringComparison.OrdinalIgnoreCase)
            && DateTimeOffset.TryParse(from, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return await mediator.Send(new FindFirstEventSince(time), cancellation);
        throw ApiException.BadRequest("invalid-value", $"'{from}' is neither a sequence number nor a time.", "from", "Write 4711 or 2026-03-01T12:00:00Z, in quotes.");
    }

    private FoundHandler Known(string name) => handlers.Named(name) ?? throw ApiException.NotFound($"There is no handler '{name}'.", "GET /api/v1/handlers lists those that there are.");

    private async Task<long?> OldestAsync(CancellationToken cancellation) => (await mediator.Send(new ListEvents(bell.Head, 1), cancellation)).Oldest;

    private ConsumerEngine Find(string name) => desk.Find(Known(name).Name) ?? throw ApiException.Conflict(
        "handler-off", $"The handler '{name}' is off.", $"Handlers:{name}:Enabled=true in the configuration switches it on at the next start.");

    private HandlerResponse AnswerOf(FoundHandler handler, IReadOnlyDictionary<string, long> dead, long? oldest)
    {
        var (head, letters) = (bell.Head, dead.GetValueOrDefault(handler.Name));
        return desk.Find(handler.Name) is { } engine
            ? HandlerResponse.Of(handler, engine.State, engine.Parked, head, oldest, letters)
            : journal.Load(handler.Name) is var (state, parked) ? HandlerResponse.Of(handler, state, parked.Count, head, oldest, letters) : HandlerResponse.Of(handler, null, 0, head, oldest, letters);
    }

    private static ApiException NoLetter(string name, long id) => ApiException.NotFound(
        $"The handler '{name}' has no dead letter {id}.", $"It may have been redelivered or deleted; GET /api/v1/handlers/{name}/dead-letters lists what is there.");
}

/// <param name="From">A sequence number of the journal, or a time such as `2026-03-01T12:00:00Z`.</param>
internal sealed record ReplayRequest(string From);
