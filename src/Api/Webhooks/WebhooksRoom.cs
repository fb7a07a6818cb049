using System.Reflection;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace WebhookService.Api.Webhooks;

/// <summary>Taking webhooks in, the short way: docs/decisions/0014-the-short-way-of-a-webhook.md.</summary>
internal static class WebhooksRoom
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<IngestOptions>().Bind(configuration.GetSection("Ingest")).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<IngestOptions>, IngestOptionsCheck>();
        foreach (var type in typeof(WebhooksRoom).Assembly.GetTypes())
            if (type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IWebhookSource)))
                services.AddSingleton(typeof(IWebhookSource), type);
        services.AddSingleton<WebhookSources>();
        services.AddSingleton<Intake>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddControllers().ConfigureApplicationPartManager(parts => parts.FeatureProviders.Add(new InternalControllers()));
        return services;
    }

    /// <summary>Whether a request is no webhook: these need nothing of what readers of pages and of the API need.</summary>
    public static bool IsElsewhere(HttpContext context) => !context.Request.Path.StartsWithSegments("/webhook", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// A webhook goes from the socket to the writer's queue on the thread that read it, and its answer to the socket on the thread that heard of the
    /// commit: waking up others twice costs more than what they would do. Nothing on this way blocks; what may, has <see cref="UseOtherThreads"/>.
    /// </summary>
    public static void StayOnOneThread(SocketTransportOptions sockets)
    {
        sockets.UnsafePreferInlineScheduling = true;
        sockets.WaitForDataBeforeAllocatingBuffer = false;
    }

    /// <summary>Requests that read the database block for that long; meanwhile their connection is listened to, because its end ends them.</summary>
    public static IApplicationBuilder UseOtherThreads(this IApplicationBuilder app) => app.Use(static async (context, next) =>
    {
        await Task.Yield();
        await next(context);
    });

    /// <summary>Has the webhooks' action called as it is: binding, filters and results of MVC, of which it uses nothing, cost more than the rest of its way.</summary>
    public static void TakeWebhooksStraight(this ControllerActionEndpointConventionBuilder controllers)
    {
        controllers.Add(endpoint =>
        {
            if (endpoint.Metadata.OfType<ControllerActionDescriptor>().Single().MethodInfo.DeclaringType != typeof(WebhookController)) return;

            var controller = ActivatorUtilities.CreateInstance<WebhookController>(endpoint.ApplicationServices);
            endpoint.RequestDelegate = context => controller.ReceiveAsync(context, (string?)context.GetRouteValue("source"));
        });
    }

    /// <summary>Finds controllers that are not public; nobody else refers to them.</summary>
    private sealed class InternalControllers : ControllerFeatureProvider
    {
        protected override bool IsController(TypeInfo type) =>
            type is { IsClass: true, IsAbstract: false, IsNotPublic: true } && type.IsAssignableTo(typeof(ControllerBase));
    }
}
