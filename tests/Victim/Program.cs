using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Consumers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Consumers;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Victim;

/// <summary>The whole service, and a handler, in a process that kills itself where `--Death:Point` says, the `--Death:Times`-th time.</summary>
internal static class Program
{
    public static async Task Main(string[] args)
    {
        await using var app = Api.Program.Create(args, builder =>
        {
            builder.Services
                .AddSingleton(new Death(builder.Configuration["Death:Point"], builder.Configuration.GetValue("Death:Times", 1)))
                .AddSingleton<DyingTransaction>()
                .AddSingleton<IConsumerStore>(services => ActivatorUtilities.CreateInstance<DyingStore>(services, ActivatorUtilities.CreateInstance<ConsumerStore>(services)))
                .AddSingleton(new HandlerAssembly(typeof(Program).Assembly));
            builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, Enlistment>()); // before anybody writes
        });
        await app.RunAsync();
    }

    /// <summary>Lets the decorator take part in transactions, behind those who write.</summary>
    private sealed class Enlistment(
        UnitOfWork work, DyingTransaction transaction, IReportRepository reports, IDeviceRepository devices, ISessionRepository sessions, IMessageRepository messages) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            _ = (reports, devices, sessions, messages); // made now, they stand before it
            work.Enlist(transaction);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
