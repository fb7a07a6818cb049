using System.Text.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.OpenApi;
using WebhookService.Api.Security;

namespace WebhookService.Api.Operating;

/// <summary>What operators and newcomers look at: health, metrics, the OpenAPI document and the page to try it.</summary>
internal static class OperatingRoom
{
    public static IServiceCollection AddOperating(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddHealthChecks();
        services.AddOptions<MetricsOptions>().Bind(configuration.GetSection("Metrics")).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<PrometheusExporter>();
        services.AddHostedService<MetricsPort>();
        services.AddSingleton<ApiDescription>();
        services.AddSingleton<CallDescription>();
        services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.AddDocumentTransformer<ApiDescription>();
            options.AddOperationTransformer<ApiDescription>();
            options.AddDocumentTransformer<CallDescription>();
            options.AddOperationTransformer<CallDescription>();
        });
        return services;
    }

    /// <summary>The page at <c>/docs</c>: all of it comes from this server, and its Authorize button takes the token.</summary>
    public static IApplicationBuilder UseDocs(this IApplicationBuilder app)
    {
        app.UseSwaggerUI(page =>
        {
            page.RoutePrefix = "docs";
            page.DocumentTitle = "WebhookService API";
            page.SwaggerEndpoint("../openapi/v1.json", "WebhookService v1");
            page.DisplayRequestDuration();
        });
        return app;
    }

    /// <summary>Open are only what says nothing about the data: health and the description of the API.</summary>
    public static WebApplication MapOperating(this WebApplication app)
    {
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false, ResponseWriter = WriteHealthAsync }).AllowAnonymous();
        app.MapHealthChecks("/health/ready", new() { ResponseWriter = WriteHealthAsync }).AllowAnonymous();
        app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();

        // Created here, before anything is measured.
        var exporter = app.Services.GetRequiredService<PrometheusExporter>();
        app.MapGet("/metrics", context => WriteMetricsAsync(context, exporter)).RequireAuthorization(Policies.Read);
        return app;
    }

    public static Task WriteMetricsAsync(HttpContext context, PrometheusExporter exporter)
    {
        context.Response.ContentType = PrometheusExporter.ContentType;
        return context.Response.WriteAsync(exporter.Scrape(), context.RequestAborted);
    }

    // Names and states only: descriptions and exceptions of checks are for the log, this answer is open to everyone.
    private static async Task WriteHealthAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        var checks = report.Entries.ToDictionary(entry => entry.Key, entry => Word(entry.Value.Status), StringComparer.Ordinal);
        await JsonSerializer.SerializeAsync(context.Response.Body, new { status = Word(report.Status), checks }, cancellationToken: context.RequestAborted);
    }

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}
