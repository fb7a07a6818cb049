using MediatR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WebhookService.Application;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Devices;
using WebhookService.Application.Journal;
using WebhookService.Application.Notices;
using WebhookService.Application.Quarantine;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Notices;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Brokers;
using WebhookService.Infrastructure.Consumers;
using WebhookService.Infrastructure.Deadlines;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Downlinks;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Notices;
using WebhookService.Infrastructure.Outbound;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Quarantine;
using WebhookService.Infrastructure.Retention;
using WebhookService.Infrastructure.Sessions;

namespace WebhookService.Infrastructure;

public static class DependencyInjection
{
    public static IServiceCollection AddInfrastructure(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<StorageOptions>().Bind(configuration.GetSection("Storage")).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<QueueOptions>().Bind(configuration.GetSection("Ingest:Queue")).ValidateDataAnnotations().ValidateOnStart();

        services.AddSingleton<Database>();
        services.AddSingleton<Checkpoints>();
        services.AddSingleton<UnitOfWork>();
        services.AddSingleton<ClientNames>().AddSingleton<TopicNames>().AddSingleton<EventTypeNames>().AddSingleton<SharedTexts>();
        services.AddSingleton<ClientEvents>();
        services.AddSingleton<ILateIndex>(provider => provider.GetRequiredService<ClientEvents>());
        services.AddSingleton<Streams>().AddSingleton<StreamMessages>().AddSingleton<ForgottenMessages>();
        services.AddSingleton<ILateIndex>(provider => provider.GetRequiredService<StreamMessages>());
        services.AddSingleton<MessageIndexes>();
        services.AddSingleton<ILateIndex>(provider => provider.GetRequiredService<MessageIndexes>());
        services.AddHostedService<IndexWorker>();
        services.AddSingleton<JournalBell>();
        services.AddSingleton<IJournalBell>(provider => provider.GetRequiredService<JournalBell>());
        services.AddSingleton<JournalTail>();
        services.AddSingleton<Journal.Journal>();
        services.AddSingleton<IReportRepository>(provider => provider.GetRequiredService<Journal.Journal>());
        services.AddSingleton<ActivityLog>();
        services.AddSingleton<IDeviceRepository, DeviceRepository>();
        services.AddSingleton<SessionRepository>();
        services.AddSingleton<ISessionRepository>(provider => provider.GetRequiredService<SessionRepository>());
        services.AddSingleton<MessageRepository>();
        services.AddSingleton<IMessageRepository>(provider => provider.GetRequiredService<MessageRepository>());
        services.AddSingleton<DownlinkRepository>();
        services.AddSingleton<IDownlinkRepository>(provider => provider.GetRequiredService<DownlinkRepository>());
        services.AddSingleton<IQuarantine, QuarantineRepository>();
        services.AddSingleton<IReconciliationRepository, ReconciliationRepository>();
        services.AddSingleton<IBrokerNodeRepository, BrokerNodeRepository>();
        services.AddSingleton<Deadlines.Deadlines>();
        services.AddSingleton<IDeadlineTable>(provider => provider.GetRequiredService<Deadlines.Deadlines>());

        services.AddOptions<BrokersOptions>().Configure(options => options.Bind(configuration.GetSection(BrokersOptions.Section))).ValidateOnStart();
        services.AddSingleton<IValidateOptions<BrokersOptions>, BrokersOptionsCheck>();
        services.AddSingleton(provider => new EmqxBrokers(provider.GetRequiredService<IOptions<BrokersOptions>>().Value.All, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => provider.GetRequiredService<EmqxBrokers>().All);

        services.AddSingleton<Writer>();
        services.AddSingleton<IIngestGauge>(provider => provider.GetRequiredService<Writer>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Writer>());
        services.AddSingleton<ActivityMover>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ActivityMover>());
        services.AddSingleton<ReconciliationWorker>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ReconciliationWorker>());
        services.AddHostedService<DeadlineWorker>();
        services.AddHostedService<DownlinkWorker>();
        services.AddSingleton<IConsumerStore, ConsumerStore>();
        services.AddSingleton<IJournalReader, JournalReader>();
        services.AddHostedService<ConsumerHost>();
        services.AddSingleton<NoticeTimes>();
        services.AddSingleton<INoticeRepository, NoticeRepository>();
        services.AddSingleton<OutboundHttp>();
        services.AddSingleton<INoticeSender, NoticeSender>();
        services.AddSingleton<IValidateOptions<NoticesOptions>, NoticeTargetsCheck>();
        services.AddHostedService<NoticeWorker>();
        services.AddOptions<RetentionOptions>().Bind(configuration.GetSection("Retention")).ValidateDataAnnotations().ValidateOnStart();
        foreach (var kind in typeof(DependencyInjection).Assembly.GetTypes().Where(type => type is { IsAbstract: false, IsInterface: false } && type.IsAssignableTo(typeof(IRetained))))
            services.AddSingleton(typeof(IRetained), kind);
        services.AddSingleton<RetentionReport>();
        services.AddSingleton<RetentionWorker>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<RetentionWorker>());
        services.AddHealthChecks().AddCheck<Writer>("writer");
        services.AddSingleton(typeof(IPipelineBehavior<,>), typeof(GroupCommit<,>));
        return services.AddRequestHandlers(typeof(DependencyInjection).Assembly);
    }
}
