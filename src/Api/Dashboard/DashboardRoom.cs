namespace WebhookService.Api.Dashboard;

/// <summary>
/// The pages at <c>/</c>, as they lie in <c>wwwroot</c>. They hold no data and are open; what they show they ask from the
/// API, with a token like every other reader. Client ids, topics and payloads come from strangers, so the pages may load
/// nothing but themselves, and the browser itself refuses to turn text into markup or script.
/// </summary>
internal static class DashboardRoom
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    public static IApplicationBuilder UseDashboard(this IApplicationBuilder app)
    {
        app.UseDefaultFiles();
        app.UseStaticFiles(new StaticFileOptions
        {
            OnPrepareResponse = file =>
            {
                var headers = file.Context.Response.Headers;
                headers.ContentSecurityPolicy = Policy;
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "no-referrer";
                headers.CacheControl = "no-cache"; // kept, but asked for: a new version shows at once
            },
        });
        return app;
    }
}
