using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;

namespace WebhookService.Infrastructure.Consumers;

/// <summary>Runs every business handler as a consumer of the journal. One that fails as a whole is started again after a pause; the others do not notice.</summary>
internal sealed partial class ConsumerHost(
    HandlerFinder finder, ConsumerDesk desk, IJournalReader journal, IJournalBell bell, IMediator mediator, ServiceMetrics metrics, TimeProvider time,
    ILogger<ConsumerHost> logger) : BackgroundService
{
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private IReadOnlyList<IConsumer> consumers = [];
    private long headAtStart;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        consumers = [.. finder.All.Select(one => one.Consumer).OfType<IConsumer>()];
        if (finder.All.Where(one => one.Consumer is null).Select(one => one.Name).ToList() is { Count: > 0 } off) AreOff(string.Join(", ", off));
        headAtStart = bell.Head;
        foreach (var consumer in consumers) desk.Put(EngineOf(consumer));
        metrics.WatchHandlers(() => desk.All.Select(engine => (engine.Consumer.Name, engine.Lag, engine.State.Handled, engine.Failed, engine.Buried)));
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(consumers.Select(consumer => RunAsync(consumer, stoppingToken)));

    private async Task RunAsync(IConsumer consumer, CancellationToken stopping)
    {
        var engine = desk.Find(consumer.Name)!;
        while (true)
        {
            try
            {
                await engine.RunAsync(stopping);
                return;
            }
            catch (Exception fault) when (stopping.IsCancellationRequested)
            {
                CouldNotSay(fault, consumer.Name);
                return;
            }
            catch (Exception fault)
            {
                Failed(fault, consumer.Name, Pause);
            }
            await Task.Delay(Pause, time, stopping);
            desk.Put(engine = EngineOf(consumer));
        }
    }

    private ConsumerEngine EngineOf(IConsumer consumer) => new(consumer, journal, bell, mediator, time, headAtStart);

    [LoggerMessage(LogLevel.Information, "These handlers are off: {Handlers}. Handlers:<name>:Enabled=true switches one on")]
    private partial void AreOff(string handlers);

    [LoggerMessage(LogLevel.Error, "The handler {Handler} stopped and is started again in {Pause}; what it had not written down comes again")]
    private partial void Failed(Exception fault, string handler, TimeSpan pause);

    [LoggerMessage(LogLevel.Warning, "The handler {Handler} could not write down how far it came; after the start some events come again")]
    private partial void CouldNotSay(Exception fault, string handler);
}
