using System.Diagnostics.Metrics;
using MediatR;
using Microsoft.Extensions.Options;
using NSubstitute;
using NSubstitute.ExceptionExtensions;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Tests.Brokers;

public sealed class ReconcilerTests
{
    private readonly IMediator mediator = Substitute.For<IMediator>();
    private readonly IBroker broker = Substitute.For<IBroker>();

    public ReconcilerTests()
    {
        broker.Name.Returns("emqx");
        broker.Owns(default!).ReturnsForAnyArgs(true);
        broker.ConditionAsync(default).ReturnsForAnyArgs(new BrokerCondition("5.8.9", [new("n1", true, null, null)], TimeSpan.Zero, null));
        broker.ConnectedAsync(default).ReturnsForAnyArgs(_ => Pages());
        mediator.Send(Arg.Any<GetKnownConnections>(), default).ReturnsForAnyArgs(new Dictionary<string, KnownConnection>());
        mediator.Send(Arg.Any<ListOnline>(), default).ReturnsForAnyArgs([]);
    }

    [Fact]
    public async Task A_sweep_waits_until_the_writer_takes_what_it_found_and_goes_on()
    {
        mediator.Send(Arg.Any<RecordListed>(), default).ReturnsForAnyArgs(
            _ => throw new OverloadedException(TimeSpan.Zero), _ => new Findings { Discovered = 1 });

        var (result, _) = await Reconciler().SweepAsync(broker, 7, default);

        Assert.Equal(SweepResult.Complete, result);
        await mediator.Received(1).Send(Arg.Is<FinishReconciliation>(end => end.Id == 7 && end.Findings.Discovered == 1), Arg.Any<CancellationToken>());
        broker.ReceivedWithAnyArgs(1).ConnectedAsync(default);
    }

    [Fact]
    public async Task A_sweep_that_this_program_fails_says_so_in_its_report()
    {
        mediator.Send(Arg.Any<RecordListed>(), default).ThrowsAsyncForAnyArgs(new InvalidOperationException("A fault."));

        await Assert.ThrowsAsync<InvalidOperationException>(() => Reconciler().SweepAsync(broker, 7, default));

        await mediator.Received(1).Send(
            Arg.Is<FinishReconciliation>(end => end.Result == SweepResult.Failed && end.Problem!.Contains("log")), Arg.Any<CancellationToken>());
    }

    private Reconciler Reconciler()
    {
        var meters = Substitute.For<IMeterFactory>();
        meters.Create(default!).ReturnsForAnyArgs(_ => new Meter("test"));
        return new(mediator, new BrokerWatch([broker]), Options.Create(new ReconciliationOptions()), PresenceRules.Default, new ServiceMetrics(meters), TimeProvider.System);
    }

    private static async IAsyncEnumerable<ClientPage> Pages()
    {
        await Task.Yield();
        yield return new([new(new ClientId("d1"), "n1", DateTimeOffset.UnixEpoch, TimeSpan.FromMilliseconds(1), null, new ConnectionDetails(), Connected: true, null)], 1);
    }
}
