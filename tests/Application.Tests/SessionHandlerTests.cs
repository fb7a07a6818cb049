using NSubstitute;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using static WebhookService.Application.Tests.Ports;

namespace WebhookService.Application.Tests;

public sealed class SessionHandlerTests
{
    private static readonly DateTimeOffset Later = Noon.AddHours(1);

    private readonly Ports ports = new();

    private ClientPresence Presence => new(ports.Devices, ports.Sessions, PresenceRules.Default);

    [Fact]
    public async Task A_first_connect_saves_the_discovery_then_the_set_then_the_device()
    {
        var outcome = await ConnectAsync(Noon);

        Assert.Equal((Outcome.Applied, ConnectivityStatus.Online, 1L), (outcome, ports.Known[Client].Connectivity.Status, ports.Known[Client].SessionCount));
        Received.InOrder(() =>
        {
            ports.Sessions.RecallAsync(Client, "n1", Noon, "10.0.0.1:1", default);
            ports.Devices.FindAsync(Client, default);
            ports.Devices.SaveAsync(ports.Known[Client], default);
            ports.Sessions.OfAsync(Client, default);
            ports.Sessions.SaveAsync(ports.Sets[Client], default);
            ports.Devices.SaveAsync(ports.Known[Client], default);
        });
    }

    [Fact]
    public async Task A_repeated_connect_or_disconnect_saves_nothing()
    {
        await ConnectAsync(Noon);
        await DisconnectAsync(Noon, Noon.AddMinutes(1));
        var saves = ports.Saves;

        Assert.Equal(Outcome.Repeated, await ConnectAsync(Noon));
        Assert.Equal(Outcome.Repeated, await DisconnectAsync(Noon, Noon.AddMinutes(1)));
        Assert.Equal((saves, 1L), (ports.Saves, ports.Known[Client].SessionCount));
    }

    [Fact]
    public async Task An_earlier_end_that_comes_second_is_saved()
    {
        await ConnectAsync(Noon);
        await DisconnectAsync(Noon, Noon.AddMinutes(2));
        var saves = ports.Saves;

        await DisconnectAsync(Noon, Noon.AddMinutes(1));

        Assert.Equal((saves + 2, Noon.AddMinutes(1)), (ports.Saves, ports.Known[Client].Connectivity.Since));
    }

    [Fact]
    public async Task A_connect_without_time_is_taken_at_its_arrival_with_doubt()
    {
        await new RecordClientConnectedHandler(Presence, ports.Sessions)
            .Handle(new(Client, "", ConnectedAt: null, null, new ConnectionDetails(), ReceivedAt: Later), default);

        Assert.Equal((Later, Confidence.Inferred), (ports.Known[Client].Connectivity.Since, ports.Known[Client].Connectivity.Confidence));
    }

    [Fact]
    public async Task A_disconnect_without_connected_at_ends_the_session_by_peername()
    {
        await ConnectAsync(Noon);

        var outcome = await DisconnectAsync(connectedAt: null, Noon.AddMinutes(1), reason: "keepalive_timeout");

        var connectivity = ports.Known[Client].Connectivity;
        Assert.Equal((Outcome.Applied, ConnectivityStatus.Offline, DisconnectReason.KeepaliveTimeout), (outcome, connectivity.Status, connectivity.LastReason));
        await ports.Sessions.ReceivedWithAnyArgs(1).RecallAsync(default, default!, default, default, default); // the connect's
        await ports.Sessions.Received(1).RecallAsync(Client, Arg.Is<Farewell>(farewell => farewell.At == Noon.AddMinutes(1)), default);
    }

    [Fact]
    public async Task A_subscription_is_a_sign_of_life_of_a_device_believed_offline()
    {
        await ConnectAsync(Noon);
        await DisconnectAsync(Noon, Noon.AddMinutes(1));

        await SubscribeAsync(Noon.AddMinutes(10));

        Assert.Equal(("sign-of-life", 1), (ports.Known[Client].Connectivity.Evidence, ports.Known[Client].SubscriptionCount));
    }

    [Fact]
    public async Task A_repeated_subscription_or_unsubscription_saves_nothing()
    {
        await SubscribeAsync(Noon);
        await UnsubscribeAsync(Noon.AddMinutes(1));
        var saves = ports.Saves;

        Assert.Equal(Outcome.Repeated, await SubscribeAsync(Noon));
        Assert.Equal(Outcome.Repeated, await UnsubscribeAsync(Noon.AddMinutes(1)));
        Assert.Equal((saves, 0), (ports.Saves, ports.Known[Client].SubscriptionCount));
    }

    [Fact]
    public async Task Session_terminated_ends_the_subscriptions_of_the_session_that_ended()
    {
        await ConnectAsync(Noon);
        await new RecordSubscribedHandler(Presence, ports.Sessions).Handle(new(Client, "a/#", new(0, null, null, null), null, null, Noon.AddSeconds(1)), default);
        await DisconnectAsync(Noon, Noon.AddMinutes(1));

        await new RecordSessionTerminatedHandler(Presence).Handle(new(Client, "n1", "normal", Noon.AddMinutes(1)), default);

        Assert.Equal(0, ports.Known[Client].SubscriptionCount);
    }

    [Fact]
    public async Task A_sign_of_life_makes_a_device_and_an_older_one_saves_nothing()
    {
        Assert.Equal(Outcome.Applied, await Signs.Handle(new(Client, Noon, null, Noon), default));
        var saves = ports.Saves;

        Assert.Equal(Outcome.Repeated, await Signs.Handle(new(Client, Noon, null, Noon), default));
        Assert.Equal((saves, "sign-of-life"), (ports.Saves, ports.Known[Client].Connectivity.Evidence));
    }

    private RecordSignOfLifeHandler Signs => new(ports.Devices, PresenceRules.Default);

    private Task<Outcome> ConnectAsync(DateTimeOffset at) => new RecordClientConnectedHandler(Presence, ports.Sessions)
        .Handle(new(Client, "n1", at, "10.0.0.1:1", new ConnectionDetails { ExpirySeconds = null }, Later), default);

    private Task<Outcome> DisconnectAsync(DateTimeOffset? connectedAt, DateTimeOffset at, string reason = "normal") =>
        new RecordClientDisconnectedHandler(Presence, ports.Sessions, ports.Nodes).Handle(new(Client, "n1", connectedAt, "10.0.0.1:1", at, reason, null, Later), default);

    private Task<Outcome> SubscribeAsync(DateTimeOffset at) =>
        new RecordSubscribedHandler(Presence, ports.Sessions).Handle(new(Client, "a/#", new(0, null, null, null), at, null, Later), default);

    private Task<Outcome> UnsubscribeAsync(DateTimeOffset at) => new RecordUnsubscribedHandler(Presence).Handle(new(Client, "a/#", at, Later), default);
}
