using System.Text;
using MediatR;
using NSubstitute;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Notices;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;

namespace WebhookService.Application.Tests.Notices;

/// <summary>What rules make of events, and whom they tell.</summary>
public sealed class NoticeRuleTests
{
    private static readonly NoticeFact Begins = new NoticeFact.Begins("is offline");
    private static readonly NoticeFact Ends = new NoticeFact.Ends("is online");

    [Theory]
    [InlineData("""{"a":{"b":1.5}}""", "a.b", 1.5)]
    [InlineData("""{"a":[{"b":-2e3}]}""", "a.0.b", -2000.0)]
    [InlineData("""{"a.b":7,"c/d":{"~e":8}}""", "/a.b", 7.0)]
    [InlineData("""{"a.b":7,"c/d":{"~e":8}}""", "/c~1d/~0e", 8.0)]
    [InlineData("21.5", "", 21.5)]
    [InlineData("""{"a":"1"}""", "a", null)]
    [InlineData("""{"a":null}""", "a", null)]
    [InlineData("""{"a":true}""", "a", null)]
    [InlineData("""{"a":1e999}""", "a", null)]
    [InlineData("""{"A":1}""", "a", null)]
    [InlineData("""{"a":[1]}""", "a.1", null)]
    [InlineData("""{"a":[1]}""", "a.-1", null)]
    [InlineData("21", "a", null)]
    [InlineData("hot", "a", null)]
    [InlineData("", "a", null)]
    public void A_field_is_a_number_or_nothing(string payload, string field, double? value) =>
        Assert.Equal(value, JsonField.Parse(field).Read(Encoding.UTF8.GetBytes(payload)));

    [Fact]
    public async Task Offline_begins_for_the_reasons_and_clients_of_the_rule_and_online_ends_it()
    {
        var world = new NoticeWorld(("Rules:r:Kind", "offline"), ("Rules:r:Clients", "pump-*"), ("Rules:r:Reasons:0", "network"));

        Assert.Equal(new NoticeFact.Begins("is offline: network (tcp_closed)"), (await ToldAsync(world, Offline("pump-7", DisconnectReason.Network, "tcp_closed")))!.Fact);
        Assert.Null(await ToldAsync(world, Offline("pump-7", DisconnectReason.ClientDisconnect, "normal")));
        Assert.Null(await ToldAsync(world, Offline("valve-7", DisconnectReason.Network, null)));
        var online = await ToldAsync(world, new DeviceWentOnline(new("pump-7"), Ports.Noon, Confidence.Confirmed, "n", null, "session", Cause.Event, false));
        Assert.Equal(new NoticeFact.Ends("is online again"), online!.Fact);
        Assert.Equal((new NoticeKey("r", NoticeKind.Offline, "pump-7"), new Told(Ports.Noon, 4711)), (online.Key, online.Told));
        Assert.Equal("device.went-offline,device.went-online of pump-*", Consumer(world).Wanted);
    }

    [Fact]
    public async Task Silence_begins_and_ends()
    {
        var world = new NoticeWorld(("Rules:r:Kind", "silence"));

        Assert.Equal(
            new NoticeFact.Begins("sent no message since 2026-03-01 12:00:00 UTC; one is expected every 60 s"),
            (await ToldAsync(world, new DeviceWentSilent(new("a"), Ports.Noon, Ports.Noon, 60)))!.Fact);
        Assert.Equal(new NoticeFact.Ends("sends messages again"), (await ToldAsync(world, new DeviceResumed(new("a"), Ports.Noon, 90)))!.Fact);
    }

    [Fact]
    public async Task A_value_is_measured_for_each_client_and_topic()
    {
        var world = new NoticeWorld(("Rules:r:Kind", "threshold"), ("Rules:r:Topic", "site/+/temp"), ("Rules:r:Field", "t"), ("Rules:r:Above", "80"));

        var told = await ToldAsync(world, Published("gateway"), "site/1/temp", """{"t":81.5}""");

        Assert.Equal(new NoticeKey("r", NoticeKind.Threshold, "gateway", "site/1/temp"), told!.Key);
        Assert.Equal(81.5, ((NoticeFact.Measures)told.Fact).Value);
        Assert.Null(await ToldAsync(world, Published("gateway"), "site/1/state", """{"t":81.5}"""));
        Assert.Null(await ToldAsync(world, Published("gateway"), "site/1/temp", """{"t":"81.5"}"""));
        await Assert.ThrowsAsync<EventGoneException>(() => ToldAsync(world, Published("gateway"), "site/1/temp", null));
    }

    [Fact]
    public async Task Targets_are_told_the_beginning_and_the_end()
    {
        var world = new NoticeWorld(
            ("Targets:a:Url", "https://a.example.com"), ("Targets:b:Url", "https://b.example.com"),
            ("Rules:both:Kind", "offline"), ("Rules:both:Hold", "00:00:00"), ("Rules:both:Targets:0", "a"), ("Rules:both:Targets:1", "b"),
            ("Rules:once:Kind", "offline"), ("Rules:once:Hold", "00:00:00"), ("Rules:once:Targets:0", "a"), ("Rules:once:Recovery", "false"));

        foreach (var rule in new[] { "both", "once" })
        {
            Assert.Equal(Outcome.Applied, await world.TellAsync(rule, Begins, 1));
            Assert.Equal(Outcome.Repeated, await world.TellAsync(rule, Begins, 1));
            Assert.Equal(Outcome.Applied, await world.TellAsync(rule, Ends, 2));
        }

        Assert.Equal(["a +pump-7", "b +pump-7", "a -pump-7", "b -pump-7", "a +pump-7"], world.Sent);
        Assert.Equal(4, world.Saves);
    }

    [Fact]
    public async Task What_a_replay_begins_is_not_raised_at_once_for_its_end_comes_too()
    {
        var world = new NoticeWorld(("Targets:a:Url", "https://a.example.com"), ("Rules:r:Kind", "offline"), ("Rules:r:Hold", "00:00:00"), ("Rules:r:Targets:0", "a"));

        await world.TellAsync("r", Begins, 1, isReplay: true);
        await world.TellAsync("r", Ends, 2, isReplay: true);

        Assert.Empty(world.Sent);
    }

    [Fact]
    public async Task A_target_is_not_told_that_it_cannot_be_told()
    {
        var world = new NoticeWorld(
            ("Targets:a:Url", "https://a.example.com"), ("Targets:b:Url", "https://b.example.com"),
            ("Rules:lost:Kind", "dead-letter"), ("Rules:lost:Hold", "00:00:00"), ("Rules:lost:Targets:0", "a"), ("Rules:lost:Targets:1", "b"));

        await world.DeadLetters.BuriedAsync("notice-target-a", [Dead(1)], default);
        await world.DeadLetters.BuriedAsync("notice-target-a", [Dead(2), Dead(3)], default);
        await world.DeadLetters.BuriedAsync("notice-target-b", [Dead(4)], default);

        Assert.Equal(["b +notice-target-a", "a +notice-target-b"], world.Sent);
    }

    [Fact]
    public async Task A_handler_is_well_again_when_its_last_dead_letter_is_gone()
    {
        var world = new NoticeWorld(("Targets:a:Url", "https://a.example.com"), ("Rules:lost:Kind", "dead-letter"), ("Rules:lost:Hold", "00:00:00"), ("Rules:lost:Handlers", "open-*"), ("Rules:lost:Targets:0", "a"));
        await world.DeadLetters.BuriedAsync("open-ticket", [Dead(1), Dead(2)], default);
        await world.DeadLetters.BuriedAsync("close-ticket", [Dead(1)], default);
        world.WithDeadLetters.Add("open-ticket");

        await world.DeadLetters.RemovedAsync(default);
        Assert.Equal(["a +open-ticket"], world.Sent);
        world.WithDeadLetters.Clear();
        await world.DeadLetters.RemovedAsync(default);
        await world.DeadLetters.RemovedAsync(default);

        Assert.Equal(["a +open-ticket", "a -open-ticket"], world.Sent);
    }

    private static DeadLetter Dead(long seq) => new(
        new JournalEntry { Seq = seq, Type = "t", At = Ports.Noon, Happened = new ReportReceived("t", null, Ports.Noon, "{}") }, 8, "no", "no at all", Ports.Noon);

    private static DeviceWentOffline Offline(string client, DisconnectReason reason, string? raw) =>
        new(new(client), Ports.Noon, Confidence.Confirmed, reason, raw, "session-end", Cause.Event, false);

    private static MessagePublished Published(string client) => new(new MessageId(1), new(client), Ports.Noon);

    private static NoticeRuleConsumer Consumer(NoticeWorld world) => new(world.Options.Rules.Single(), ConsumerOptions.Default, Substitute.For<IMediator>());

    /// <summary>What the rule tells its notice of an event; null if nothing.</summary>
    private static async Task<TellNotice?> ToldAsync(NoticeWorld world, IDomainEvent happened, string topic = "", string? payload = null)
    {
        TellNotice? told = null;
        var mediator = Substitute.For<IMediator>();
        mediator.WhenForAnyArgs(one => one.Send((IRequest<Outcome>)null!, default)).Do(call => told = call.ArgAt<TellNotice>(0));
        var consumer = new NoticeRuleConsumer(world.Options.Rules.Single(), ConsumerOptions.Default, mediator);
        var message = topic.Length == 0 ? null : new JournalMessage("1", happened.Client!.Value, topic, 0, false, Ports.Noon, payload is null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(payload));
        var entry = new JournalEntry { Seq = 4711, Type = "t", At = happened.At, Client = happened.Client, Happened = happened, Message = message };
        if (consumer.Wants(entry)) await consumer.HandleAsync(entry, new(4711, 1, false), default);
        return told;
    }
}
