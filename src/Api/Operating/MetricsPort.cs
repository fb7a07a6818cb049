using Microsoft.Extensions.Options;

namespace WebhookService.Api.Operating;

/// <summary>
/// Serves <c>/metrics</c> without a token on <c>Metrics:Port</c>, for scrapers that have none. A server of its own,
/// so that no other route can ever be reached through this port.
/// </summary>
internal sealed class MetricsPort(IOptions<MetricsOptions> options, PrometheusExporter exporter) : IHostedService
{
    private WebApplication? server;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Port == 0) return;

        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls($"http://{options.Value.Host}:{options.Value.Port}");
        server = builder.Build();
        server.Run(context => context.Request.Path == "/metrics" && HttpMethods.IsGet(context.Request.Method)
            ? OperatingRoom.WriteMetricsAsync(context, exporter)
            : NotFound(context));
        await server.StartAsync(cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (server is null) return;

        await server.StopAsync(cancellationToken);
        await server.DisposeAsync();
    }

    private static Task NotFound(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }
}
