using System.Reflection;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace WebhookService.Api.Webhooks;

/// <summary>Taking webhooks in.</summary>
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

    /// <summary>Finds controllers that are not public; nobody else refers to them.</summary>
    private sealed class InternalControllers : ControllerFeatureProvider
    {
        protected override bool IsController(TypeInfo type) =>
            type is { IsClass: true, IsAbstract: false, IsNotPublic: true } && type.IsAssignableTo(typeof(ControllerBase));
    }
}
