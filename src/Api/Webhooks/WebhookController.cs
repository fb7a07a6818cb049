using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using WebhookService.Api.Errors;
using WebhookService.Api.Security;

namespace WebhookService.Api.Webhooks;

/// <summary>Takes webhooks in. Answered 200 only when what they say is on disk.</summary>
[ApiController]
[Route("webhook")]
[Authorize(Policy = Policies.Ingest)]
internal sealed class WebhookController(Intake intake, WebhookSources sources, IOptions<IngestOptions> options, TimeProvider time) : ControllerBase
{
    /// <summary>Takes one event, or an array of them.</summary>
    /// <param name="source">A source of <c>Ingest:Sources</c>; none, <c>publishHook</c> and <c>eventHook</c> stand for the default one.</param>
    [HttpPost("")]
    [HttpPost("publishHook")]
    [HttpPost("eventHook")]
    [HttpPost("{source}")]
    [DisableRequestSizeLimit] // Ingest:MaxBodyBytes is the limit: Kestrel's would drop the body
    [ProducesResponseType<WebhookAnswer>(StatusCodes.Status200OK, "application/json")]
    public Task Receive(string? source) => ReceiveAsync(HttpContext, source);

    /// <summary>The same for whoever calls it without MVC; nothing of the controller is used by it, so one serves all requests.</summary>
    [NonAction]
    public async Task ReceiveAsync(HttpContext context, string? source)
    {
        var request = context.Request;
        var (receivedAt, limit) = (time.GetUtcNow(), options.Value.MaxBodyBytes);
        var name = sources.Get(source ?? sources.Default).Name;

        using var body = await WebhookBody.ReadAsync(request, limit);
        if (body.IsTooLarge)
        {
            var kept = await intake.KeepTooLargeAsync(name, request.ContentType, body.Bytes, limit, receivedAt);
            await WebhookAnswers.TooLarge(limit, kept).WriteAsync(context);
            return;
        }

        var result = await intake.TakeAsync(name, request.Headers, request.ContentType, body.Bytes, receivedAt, RequestId.Of(context));
        if (WebhookAnswers.ProblemOf(result) is { } problem) await problem.WriteAsync(context);
        else await WebhookAnswers.WriteAsync(context.Response, result);
    }
}

/// <summary>What became of the events of a webhook.</summary>
/// <param name="Result">Always <c>ok</c>.</param>
/// <param name="Accepted">News.</param>
/// <param name="Duplicates">Known already; a retry, mostly.</param>
/// <param name="Ignored">Valid, but nothing to keep.</param>
/// <param name="Quarantined">Elements of an array that nothing could be made of; see <c>GET /api/v1/quarantine</c>.</param>
internal sealed record WebhookAnswer(string Result, int Accepted, int Duplicates, int Ignored, int? Quarantined);

/// <summary>An intake's result as HTTP tells it.</summary>
internal static class WebhookAnswers
{
    private static readonly byte[] OneAccepted = Serialize(new("ok", 1, 0, 0, null));

    /// <summary>The refusal, where nothing at all could be taken; null else.</summary>
    public static Problem? ProblemOf(IntakeResult result)
    {
        if (result.Mistakes.Count == 0 || result.Taken > 0) return null;

        var (first, more) = (result.Mistakes[0], result.Refused - 1);
        var problem = first.Code switch
        {
            RefusalCodes.UnsupportedMediaType => new Problem(415, first.Code, "Unsupported Media Type")
            {
                Hint = (first.Mistake.Parameter == HeaderNames.ContentEncoding ? "Send it plain, without Content-Encoding." : "Send JSON, as Content-Type application/json.")
                    + " The body is kept: read or retry it by its quarantineId.",
            },
            RefusalCodes.Failed => new Problem(500, "internal-error", "Internal Server Error")
            {
                Hint = "The body is kept: when the cause is mended, retry it by its quarantineId (POST /api/v1/quarantine/{id}/retry).",
            },
            _ => new Problem(400, first.Code, "Bad Request")
            {
                Hint = "The body is kept: read or retry it by its quarantineId (GET /api/v1/quarantine/{id}).",
            },
        };
        return problem with
        {
            Detail = more == 0 ? first.Mistake.Reason : $"{first.Mistake.Reason} {more} more elements are wrong, too.",
            Parameter = first.Mistake.Parameter,
            Extensions = result.Quarantined.Count > 0 ? Naming(result.Quarantined[0]) : problem.Extensions,
        };
    }

    public static Problem TooLarge(int limit, long quarantineId) => new(413, RefusalCodes.TooLarge, "Content Too Large")
    {
        Detail = $"The body is larger than {limit} bytes; its beginning is kept.",
        Hint = "Send less at once, or raise Ingest:MaxBodyBytes.",
        Extensions = Naming(quarantineId),
    };

    public static ValueTask WriteAsync(HttpResponse response, IntakeResult result)
    {
        var json = result is { Accepted: 1, Duplicates: 0, Ignored: 0, Refused: 0 }
            ? OneAccepted
            : Serialize(new("ok", result.Accepted, result.Duplicates, result.Ignored, result.Refused is > 0 and var some ? some : null));
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        return response.Body.WriteAsync(json, CancellationToken.None);
    }

    private static byte[] Serialize(WebhookAnswer answer) => JsonSerializer.SerializeToUtf8Bytes(answer, WebhookJson.Default.WebhookAnswer);

    private static Dictionary<string, string> Naming(long quarantineId) => new() { ["quarantineId"] = quarantineId.ToString() };
}

[JsonSerializable(typeof(WebhookAnswer))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class WebhookJson : JsonSerializerContext;
