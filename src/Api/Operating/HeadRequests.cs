namespace WebhookService.Api.Operating;

internal static class HeadRequests
{
    /// <summary>HEAD is answered wherever GET is: as GET to all that comes after this, and Kestrel leaves out the body.</summary>
    public static IApplicationBuilder UseHeadAsGet(this IApplicationBuilder app)
    {
        app.Use((context, next) =>
        {
            if (HttpMethods.IsHead(context.Request.Method) && context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
            {
                context.Request.Method = HttpMethods.Get;
                context.Items[typeof(HeadRequests)] = true;
            }
            return next(context);
        });
        return app;
    }

    /// <summary>For answers that have no end: of those, nobody would hear anything.</summary>
    public static bool WasHead(HttpContext context) => context.Items.ContainsKey(typeof(HeadRequests));
}
