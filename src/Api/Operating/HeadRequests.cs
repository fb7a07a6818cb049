namespace WebhookService.Api.Operating;

internal static class HeadRequests
{
    /// <summary>HEAD is answered wherever GET is: as GET to all that comes after this, and Kestrel leaves out the body.</summary>
    public static WebApplication UseHeadAsGet(this WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (HttpMethods.IsHead(context.Request.Method) && context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)) context.Request.Method = HttpMethods.Get;
            return next(context);
        });
        return app;
    }
}
