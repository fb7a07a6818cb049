using MediatR;
using Microsoft.Extensions.Options;
using NSubstitute;
using NSubstitute.ExceptionExtensions;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Application.Tests.Downlinks;

public sealed class PublishToDeviceTests
{
    private readonly IMediator mediator = Substitute.For<IMediator>();
    private readonly IBroker broker = Substitute.For<IBroker>();
    private readonly PublishToDevice order = PublishToDevice.Text(new ClientId("pump-7"), "on") with { Topic = "cmd" };

    public PublishToDeviceTests()
    {
        broker.Name.Returns("emqx");
        broker.PublishAsync(default!, default).ReturnsForAnyArgs(new PublishAnswer(PublishResult.Taken));
        mediator.Send(Arg.Any<AcceptDownlink>(), Arg.Any<CancellationToken>()).Returns(new AcceptedDownlink(7, DownlinkStatus.Accepted, IsToBeSent: true, null));
        mediator.Send(Arg.Any<RecordPublishAnswer>(), Arg.Any<CancellationToken>()).Returns(DownlinkStatus.Sent);
    }

    private PublishToDeviceHandler Handler => new(
        mediator, new BrokerChoice(new BrokerWatch([broker]), mediator), Options.Create(new DownlinkOptions()), TimeProvider.System);

    [Fact]
    public async Task What_cannot_be_written_down_is_not_sent()
    {
        mediator.Send(Arg.Any<AcceptDownlink>(), Arg.Any<CancellationToken>()).ThrowsAsync(new OverloadedException(TimeSpan.FromSeconds(2)));

        await Assert.ThrowsAsync<OverloadedException>(() => Handler.Handle(order, default));

        await broker.DidNotReceiveWithAnyArgs().PublishAsync(default!, default);
    }

    [Fact]
    public async Task An_answer_that_cannot_be_written_down_leaves_it_uncertain_and_is_never_told_as_a_reason_to_send_again()
    {
        mediator.Send(Arg.Any<RecordPublishAnswer>(), Arg.Any<CancellationToken>()).ThrowsAsync(new OverloadedException(TimeSpan.FromMilliseconds(1)));

        var published = await Handler.Handle(order, default);

        Assert.Equal((7, DownlinkStatus.Uncertain, false), (published.Id, published.Status, published.IsRepetition));
        await broker.ReceivedWithAnyArgs(1).PublishAsync(default!, default);
    }

    [Fact]
    public async Task A_caller_who_leaves_does_not_break_off_what_is_under_way()
    {
        using var leaves = new CancellationTokenSource();
        broker.PublishAsync(default!, default).ReturnsForAnyArgs(async call =>
        {
            await leaves.CancelAsync();
            call.ArgAt<CancellationToken>(1).ThrowIfCancellationRequested();
            return new PublishAnswer(PublishResult.Taken);
        });

        var published = await Handler.Handle(order, leaves.Token);

        Assert.Equal(DownlinkStatus.Sent, published.Status);
    }
}
