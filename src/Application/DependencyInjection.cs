using System.Reflection;
using MediatR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Devices;
using WebhookService.Application.Downlinks;
using WebhookService.Application.Notices;
using WebhookService.Application.Sessions;

namespace WebhookService.Application;

public static class DependencyInjection
{
    public static IServiceCollection AddApplication(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<PresenceOptions>().Bind(configuration.GetSection("Presence")).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<ActivityOptions>().Bind(configuration.GetSection("Activity")).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<PresenceOptions>>().Value.ToRules() with
        {
            MessageInterval = provider.GetRequiredService<IOptions<ActivityOptions>>().Value.ExpectedInterval,
        });
        services.AddOptions<ReconciliationOptions>().Bind(configuration.GetSection("Reconciliation")).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<DownlinkOptions>().Bind(configuration.GetSection(DownlinkOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<DownlinkFollower>();
        services.AddSingleton<BrokerWatch>();
        services.AddSingleton<BrokerChoice>();
        services.AddSingleton<Reconciler>();
        services.AddSingleton<SweepDesk>();
        services.AddSingleton<IngestWatch>();
        services.AddSingleton<ServiceMetrics>();
        services.AddOptions<NoticesOptions>().Configure(options => options.Read(configuration.GetSection(NoticesOptions.Section))).ValidateOnStart();
        services.AddSingleton<IValidateOptions<NoticesOptions>, NoticesOptionsCheck>();
        services.AddSingleton<NoticeDispatch>();
        services.AddSingleton<DeadLetterNotices>();
        services.AddSingleton<IDeadLetterNotices>(provider => provider.GetRequiredService<DeadLetterNotices>());
        services.AddSingleton<IConsumerSource, NoticeConsumers>();
        services.AddSingleton<ConsumerDesk>();
        services.AddSingleton<HandlerFinder>();
        services.AddSingleton(new HandlerAssembly(typeof(DependencyInjection).Assembly));
        services.AddSingleton<ClientPresence>();
        services.AddSingleton<ServiceFactory>(provider => provider.GetRequiredService);
        services.AddSingleton<IMediator, Mediator>();
        return services.AddRequestHandlers(typeof(DependencyInjection).Assembly);
    }

    /// <summary>Finds every handler of a MediatR request in an assembly. They hold no state of a request, so one of each serves all.</summary>
    public static IServiceCollection AddRequestHandlers(this IServiceCollection services, Assembly assembly)
    {
        foreach (var type in assembly.GetTypes())
        {
            if (type is not { IsClass: true, IsAbstract: false, IsGenericTypeDefinition: false }) continue;
            foreach (var contract in type.GetInterfaces())
                if (contract.IsGenericType && contract.GetGenericTypeDefinition() == typeof(IRequestHandler<,>))
                    services.AddSingleton(contract, type);
        }
        return services;
    }
}
