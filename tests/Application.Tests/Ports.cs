using System.Diagnostics.Metrics;
using NSubstitute;
using WebhookService.Application.Common;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Tests;

/// <summary>The ports that handlers see: stores that know what a test puts there, and forget nothing of what they were given.</summary>
internal sealed class Ports
{
    public static readonly ClientId Client = new("pump-7");
    public static readonly ClientId Receiver = new("panel-1");
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public Ports()
    {
        Devices.FindAsync(default, default).ReturnsForAnyArgs(call => ValueTask.FromResult(Known.GetValueOrDefault(call.ArgAt<ClientId>(0))));
        Devices.WhenForAnyArgs(port => port.SaveAsync(default!, default)).Do(call => Known[call.ArgAt<Device>(0).Id] = call.ArgAt<Device>(0));
        Sessions.OfAsync(default, default).ReturnsForAnyArgs(call => ValueTask.FromResult(
            Sets.TryGetValue(call.ArgAt<ClientId>(0), out var set) ? set : Sets[call.ArgAt<ClientId>(0)] = new SessionSet(call.ArgAt<ClientId>(0))));
        Nodes.OfAsync(default!, default).ReturnsForAnyArgs(call => ValueTask.FromResult(new BrokerNode(call.ArgAt<string>(0))));
        Downlinks.UnreportedAsync(default!, default).ReturnsForAnyArgs(_ => ValueTask.FromResult<IReadOnlyList<Downlink>>([]));
        Messages.FindAsync(default, default, default).ReturnsForAnyArgs(call => ValueTask.FromResult(Stored.GetValueOrDefault(call.ArgAt<MessageId>(0))));
        Messages.WhenForAnyArgs(port => port.SaveAsync(default!, default)).Do(call => Stored[call.ArgAt<Message>(0).Id] = call.ArgAt<Message>(0));
    }

    public IDeviceRepository Devices { get; } = Substitute.For<IDeviceRepository>();
    public ISessionRepository Sessions { get; } = Substitute.For<ISessionRepository>();
    public IMessageRepository Messages { get; } = Substitute.For<IMessageRepository>();
    public IBrokerNodeRepository Nodes { get; } = Substitute.For<IBrokerNodeRepository>();
    public IReportRepository Reports { get; } = Substitute.For<IReportRepository>();

    public IDownlinkRepository Downlinks { get; } = Substitute.For<IDownlinkRepository>();

    public DownlinkFollower Follower
    {
        get
        {
            var meters = Substitute.For<IMeterFactory>();
            meters.Create(default!).ReturnsForAnyArgs(_ => new Meter("test"));
            return new(Downlinks, Messages, new ServiceMetrics(meters), TimeProvider.System);
        }
    }

    public Dictionary<ClientId, Device> Known { get; } = [];
    public Dictionary<ClientId, SessionSet> Sets { get; } = [];
    public Dictionary<MessageId, Message> Stored { get; } = [];

    /// <summary>How often something was saved, in any store.</summary>
    public int Saves =>
        new[] { Devices.ReceivedCalls(), Sessions.ReceivedCalls(), Messages.ReceivedCalls(), Reports.ReceivedCalls() }
            .Sum(calls => calls.Count(call => call.GetMethodInfo().Name == nameof(IDeviceRepository.SaveAsync)));
}
