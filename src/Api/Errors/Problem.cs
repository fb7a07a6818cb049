using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace WebhookService.Api.Errors;

/// <summary>
/// One refusal as RFC 9457 tells it. <see cref="Code"/> is stable and in kebab-case, for programs; <see cref="Detail"/>
/// and <see cref="Hint"/> are for people: what is wrong, and what to do next. The request id is added when it is written.
/// </summary>
internal sealed record Problem(int Status, string Code, string Title)
{
    public const string MediaType = "application/problem+json";
    public const string CredentialMissing = "credential-missing";
    public const string CredentialInvalid = "credential-invalid";

    public static readonly Problem Unexpected = new(500, "internal-error", "Internal Server Error")
    {
        Detail = "Something went wrong on our side; not everything of this request was taken.",
        Hint = "Send all of it again; repeating is harmless. If it stays so, look for the request id in the service's log.",
    };

    public static readonly Problem IssuerUnreachable = new(503, "issuer-unreachable", "Service Unavailable")
    {
        Detail = "The issuer of JWTs (Security:Jwt:Authority) cannot be reached, so the token could not be checked.",
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    public string? Detail { get; init; }

    /// <summary>The query parameter, header, body member or scope at fault.</summary>
    public string? Parameter { get; init; }

    public string? Hint { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Further members, such as <c>quarantineId</c>.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public static Problem BadRequest(string code, string detail, string? parameter = null, string? hint = null) =>
        new(StatusCodes.Status400BadRequest, code, "Bad Request") { Detail = detail, Parameter = parameter, Hint = hint };

    /// <summary>For a status that nobody explained: its usual meaning.</summary>
    public static Problem ForStatus(HttpContext context, int status)
    {
        var title = ReasonPhrases.GetReasonPhrase(status) is { Length: > 0 } phrase ? phrase : "Error";
        var (code, detail, hint) = status switch
        {
            404 => ("not-found", $"There is nothing at {context.Request.Path}.", "The routes are listed at /docs."),
            405 => ("method-not-allowed", $"{context.Request.Path} does not take {context.Request.Method}.", $"It takes {context.Response.Headers.Allow}."),
            406 => ("not-acceptable", "None of the media types in Accept can be given.", "Accept application/json."),
            408 => ("request-timeout", "The request came too slowly.", null),
            413 => ("too-large", "The body is larger than this route takes.", "Send it in smaller parts."),
            415 => ("unsupported-media-type", $"The content type '{context.Request.ContentType}' is not taken here.", "Send application/json."),
            _ => (title.ToLowerInvariant().Replace(' ', '-'), (string?)null, (string?)null),
        };
        return new(status, code, title) { Detail = detail, Hint = hint };
    }

    /// <summary>The same as an action's result, for refusals that are too common to be thrown.</summary>
    public IActionResult AsResult() => new Result(this);

    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.ContentType = MediaType;
        response.Headers.CacheControl = "no-store";
        response.Headers[RequestId.Header] = RequestId.Of(context); // the exception handler wipes headers
        response.Headers.Remove(HeaderNames.ETag);
        if (RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

        var body = Serialize(RequestId.Of(context));
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await response.Body.WriteAsync(body, context.RequestAborted);
    }

    private ReadOnlyMemory<byte> Serialize(string requestId)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("type", $"urn:webhookservice:problem:{Code}");
            json.WriteString("title", Title);
            json.WriteNumber("status", Status);
            Write("detail", Detail);
            json.WriteString("code", Code);
            Write("parameter", Parameter);
            Write("hint", Hint);
            foreach (var (name, value) in Extensions) json.WriteString(name, value);
            json.WriteString("requestId", requestId);
            json.WriteEndObject();

            void Write(string name, string? value)
            {
                if (value is not null) json.WriteString(name, value);
            }
        }

        return buffer.WrittenMemory;
    }

    private sealed class Result(Problem problem) : IActionResult
    {
        public Task ExecuteResultAsync(ActionContext context) => problem.WriteAsync(context.HttpContext);
    }
}
