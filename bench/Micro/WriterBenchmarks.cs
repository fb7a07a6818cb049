using System.Text;
using BenchmarkDotNet.Attributes;
using MediatR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application;
using WebhookService.Application.Messages;
using WebhookService.Bench.Ingest;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Bench.Micro;

/// <summary>Transactions of the writer, each of so many messages: from the first command until all are answered, which is when they are on disk.</summary>
public class WriterBenchmarks
{
    private const int Clients = 1_000;
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Payload Payload = Payload.OfText(Encoding.UTF8.GetBytes("""{"celsius":21.5,"humidity":48,"seq":100000001}"""));

    private IMediator mediator = null!;
    private Writer writer = null!;
    private Func<Task> close = () => Task.CompletedTask;
    private int messages;

    [Params(1, 32, 256)]
    public int Messages { get; set; }

    [GlobalSetup]
    public async Task OpenAsync()
    {
        var folder = new TemporaryFolder();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Storage:ConnectionString", $"Data Source={folder.File("webhooks.db")}")]).Build();
        var services = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration).AddSingleton(TimeProvider.System).AddLogging().AddMetrics()
            .AddApplication(configuration).AddInfrastructure(configuration).BuildServiceProvider();
        (writer, mediator) = (services.GetRequiredService<Writer>(), services.GetRequiredService<IMediator>());
        close = async () =>
        {
            await writer.StopAsync(CancellationToken.None);
            await services.DisposeAsync();
            folder.Dispose();
        };
        await writer.StartAsync(CancellationToken.None); // it alone: no worker's commands among these
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => mediator.Send(NextMessage()))); // from here on every device and topic is known
    }

    [GlobalCleanup]
    public Task CloseAsync() => close();

    [Benchmark]
    public async Task Transaction()
    {
        // The writer is held until all wait for it, so that they share its next transaction.
        using var holds = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        var holding = writer.RunAsync(() =>
        {
            holds.Set();
            gate.Wait();
            return Task.FromResult(true);
        });
        holds.Wait();
        var told = new Task<Outcome>[Messages];
        for (var i = 0; i < told.Length; i++) told[i] = mediator.Send(NextMessage());
        gate.Set();
        await holding;
        await Task.WhenAll(told);
    }

    private RecordMessagePublished NextMessage()
    {
        var (number, client) = (++messages, messages % Clients);
        var at = Start.AddMilliseconds(number);
        return new(
            new MessageContent(
                new MessageId((UInt128)number), new ClientId(RequestTemplate.ClientId(client)), FromDevice: true, RequestTemplate.Username(client), RequestTemplate.Topic(client), 1,
                Retain: false, at, Payload, null),
            "10.16.0.77:20000", IsEvidence: true, at);
    }
}
