using System.Diagnostics;

namespace WebhookService.Api.Errors;

/// <summary>
/// The id that joins an answer (<c>X-Request-Id</c>), its problem document and the log lines: the W3C trace id, taken over
/// from an incoming <c>traceparent</c> or begun here.
/// </summary>
internal static class RequestId
{
    public const string Header = "X-Request-Id";

    public static string Of(HttpContext context) => context.TraceIdentifier;

    /// <summary>
    /// Gives each request its id, and makes it current, so that log lines carry it, for those that are traced already or come from elsewhere than
    /// brokers: it would be a tenth of what a webhook costs, and nearly none of them leads to a line.
    /// </summary>
    public static IApplicationBuilder UseRequestIds(this IApplicationBuilder app, Func<HttpContext, bool> isElsewhere) => app.Use((context, next) =>
    {
        if (Activity.Current is { } known) // somebody listens to ASP.NET's own
        {
            context.TraceIdentifier = known.TraceId.ToHexString();
            return next(context);
        }

        var isTraced = ActivityContext.TryParse(context.Request.Headers.TraceParent, context.Request.Headers.TraceState, isRemote: true, out var parent);
        if (!isTraced && !isElsewhere(context))
        {
            context.TraceIdentifier = ActivityTraceId.CreateRandom().ToHexString();
            return next(context);
        }

        var current = new Activity("request");
        if (isTraced)
        {
            current.SetParentId(parent.TraceId, parent.SpanId, parent.TraceFlags);
            current.TraceStateString = parent.TraceState;
        }
        return RunAsync(context, next, current);
    });

    private static async Task RunAsync(HttpContext context, RequestDelegate next, Activity current)
    {
        using var _ = current.Start();
        context.TraceIdentifier = current.TraceId.ToHexString();
        await next(context);
    }
}
