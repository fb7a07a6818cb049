using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using WebhookService.Api.Downlinks;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;

namespace WebhookService.Api.Errors;

/// <summary>The one place where an exception becomes an answer. What is not in the map is our fault: 500, logged, and nothing of it told.</summary>
internal sealed partial class ErrorMap(ILogger<ErrorMap> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        var problem = From(context, exception);
        if (problem.Status >= 500) Failed(exception, context.Request.Method, context.GetEndpoint()?.DisplayName, RequestId.Of(context));
        await problem.WriteAsync(context);
        return true;
    }

    private static Problem From(HttpContext context, Exception exception) => exception switch
    {
        ApiException known => known.Problem,
        DomainException refused => Problem.BadRequest("invalid-value", refused.Message, refused.Parameter),
        OverloadedException overloaded => new(429, "overloaded", "Too Many Requests")
        {
            Detail = "More work is waiting than can be taken in; not everything of this request was taken.",
            Hint = "Send all of it again after the time in Retry-After; what was taken already is not taken twice.",
            RetryAfter = overloaded.RetryAfter,
        },
        ConsumerStoppedException stopped => new(503, "handler-stopped", "Service Unavailable")
        {
            Detail = stopped.Message,
            Hint = "It is started again in some seconds; the log says why it stopped.",
            RetryAfter = TimeSpan.FromSeconds(5),
        },
        NoBrokerException none => DownlinkProblems.Of(none),
        BrokerException failed => DownlinkProblems.Of(failed),
        NotPublishedException failed => DownlinkProblems.Of(failed),
        KeyTakenException taken => DownlinkProblems.Of(taken),
        BadHttpRequestException { InnerException: JsonException json } => BodyMistakes.From(json.Message),
        BadHttpRequestException { StatusCode: 400 } bad => Problem.BadRequest("bad-request", bad.Message),
        BadHttpRequestException bad => Problem.ForStatus(context, bad.StatusCode),
        _ => Problem.Unexpected,
    };

    [LoggerMessage(LogLevel.Error, "{Method} {Endpoint} failed (request {RequestId})")]
    private partial void Failed(Exception exception, string method, string? endpoint, string requestId);
}
