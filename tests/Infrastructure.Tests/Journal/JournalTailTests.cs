using System.Text;
using System.Text.Json;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Journal;
using WebhookService.Application.Messages;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Tests.Persistence;

namespace WebhookService.Infrastructure.Tests.Journal;

/// <summary>The newest events of the journal in memory.</summary>
public sealed class JournalTailTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Odd = Noon.AddTicks(12_345_678).ToOffset(TimeSpan.FromHours(2)); // 1.2345678 s, as a clock of ours would say
    private static readonly ClientId Pump = new("pump-7");
    private static readonly ClientId Desk = new("desk");

    [Fact]
    public async Task What_is_read_from_memory_is_what_the_database_says()
    {
        await using var store = await FollowedStoreAsync();
        foreach (var command in Story()) await store.SendAsync(command);
        var tail = store.Get<JournalTail>();

        var fromMemory = tail.Read(0, EventTypes.All, 1_000)!;
        var stored = Stored(store, 0, EventTypes.All, 1_000);

        Assert.Equal(stored.Entries.Select(Text), fromMemory.Entries.Select(Text));
        Assert.Equal((stored.Next, stored.Gone), (fromMemory.Next, fromMemory.Gone));
        Assert.Superset(
            new HashSet<string> { "device.discovered", "session.started", "session.ended", "message.published", "message.delivered", "message.acked", "message.dropped", "delivery.dropped", "a.report" },
            fromMemory.Entries.Select(entry => entry.Type).ToHashSet());
    }

    [Fact]
    public async Task A_page_from_memory_is_the_page_of_the_database()
    {
        await using var store = await FollowedStoreAsync();
        foreach (var command in Story()) await store.SendAsync(command);
        var head = store.Get<IJournalBell>().Head;

        foreach (var types in new[] { EventTypes.All, EventTypes.Parse("message.*"), EventTypes.Parse("message.acked"), EventTypes.Parse("nothing.*") })
            for (var after = 0L; after < head; after++)
                foreach (var limit in new[] { 1, 3, 100 })
                {
                    var (one, other) = (store.Get<JournalTail>().Read(after, types, limit)!, Stored(store, after, types, limit));
                    Assert.Equal(other.Entries.Select(entry => entry.Seq), one.Entries.Select(entry => entry.Seq));
                    Assert.Equal(other.Next, one.Next);
                }
    }

    [Fact]
    public async Task A_message_is_told_as_it_was_when_the_transaction_ended()
    {
        await using var store = await FollowedStoreAsync();
        await store.Get<Writer>().RunAsync(async () =>
        {
            var messages = store.Get<IMessageRepository>();
            var message = Domain.Messages.Message.Of(Message(1, qos: 0), Noon);
            message.Delivered(Desk, Noon, duplicate: false);
            await messages.SaveAsync(message, CancellationToken.None);
            message.Published(Message(1, qos: 2)); // a later report of the same transaction knows better
            await messages.SaveAsync(message, CancellationToken.None);
            return true;
        });

        var told = store.Get<JournalTail>().Read(0, EventTypes.All, 10)!.Entries;

        Assert.Equal([2, 2], told.Select(entry => entry.Message!.Qos));
        Assert.Equal(Stored(store, 0, EventTypes.All, 10).Entries.Select(Text), told.Select(Text));
    }

    [Fact]
    public async Task What_was_taken_back_is_told_to_nobody_and_all_else_is()
    {
        await using var store = await FollowedStoreAsync();
        var (reader, told, read) = (store.Get<IJournalReader>(), new List<string>(), 0L);

        // In one turn, so that some share the failing command's transaction.
        var sent = Enumerable.Range(0, 60).Select(i => (Task)(i % 20 == 10 ? store.SendAsync(new ConnectAndFail(new($"failing-{i}"))) : ReportAsync(store, i))).ToList();
        while (!sent.TrueForAll(one => one.IsCompleted) || read < store.Get<IJournalBell>().Head)
        {
            var page = reader.Read(read, EventTypes.All, withPayload: true, limit: 7);
            told.AddRange(page.Entries.Select(Text));
            read = page.Next;
            await Task.Yield();
        }

        Assert.Equal(3, sent.Count(one => one.IsFaulted));
        Assert.Equal(57, told.Count);
        Assert.Equal(Stored(store, 0, EventTypes.All, 1_000).Entries.Select(Text), told);
        await ReportAsync(store, 99);
        Assert.NotNull(store.Get<JournalTail>().Read(57, EventTypes.All, 10)); // it goes on behind the gap
    }

    [Fact]
    public async Task What_was_written_and_then_taken_back_is_not_told()
    {
        await using var store = await FollowedStoreAsync();
        var writer = store.Get<Writer>();
        using var gate = new ManualResetEventSlim();
        var blocking = writer.RunAsync(() =>
        {
            gate.Wait();
            return Task.FromResult(true);
        });

        var report = ReportAsync(store, 1); // these two share a transaction, for they wait together
        var failing = writer.RunAsync<bool>(() =>
        {
            store.Get<Infrastructure.Journal.Journal>().Append([new ReportReceived("a.lost", null, Noon, "{}")]);
            store.Get<UnitOfWork>().Flush();
            throw new InvalidOperationException("It fails after its rows were written.");
        });
        gate.Set();
        await Task.WhenAll(blocking, report);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);

        Assert.Equal(["a.report"], store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, 10).Entries.Select(entry => entry.Type));
    }

    [Fact]
    public async Task Nothing_is_held_for_nobody()
    {
        await using var store = await AStore.OpenAsync();
        await ReportAsync(store, 1);

        Assert.Null(store.Get<JournalTail>().Read(0, EventTypes.All, 10));

        await ReportAsync(store, 2);
        Assert.Equal(2, Assert.Single(store.Get<JournalTail>().Read(1, EventTypes.All, 10)!.Entries).Seq);
    }

    [Fact]
    public void It_is_followed_until_as_much_as_it_holds_was_asked_for_by_nobody()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 10);
        for (var seq = 1; seq <= JournalTail.Most; seq++) tail.Give([Event(seq)]);
        Assert.True(tail.IsFollowed);

        tail.Give([Event(JournalTail.Most + 1)]);

        Assert.False(tail.IsFollowed);
        Assert.Null(tail.Read(JournalTail.Most, EventTypes.All, 10)); // and nothing is left in memory
        Assert.True(tail.IsFollowed);
    }

    [Fact]
    public void It_holds_the_newest_so_many_events()
    {
        var tail = new JournalTail();
        for (var seq = 1; seq <= JournalTail.Most + 10; seq++)
        {
            tail.Read(0, EventTypes.All, 1);
            tail.Give([Event(seq)]);
        }

        Assert.Null(tail.Read(9, EventTypes.All, 10));
        Assert.Equal([11L, 12L], tail.Read(10, EventTypes.All, 2)!.Entries.Select(entry => entry.Seq));
        Assert.Equal(JournalTail.Most, tail.Read(10, EventTypes.All, int.MaxValue)!.Entries.Count);
        Assert.Null(tail.Read(JournalTail.Most + 10, EventTypes.All, 10)); // the end: nothing follows
    }

    [Fact]
    public void It_holds_the_newest_so_many_bytes_and_the_last_event_however_large()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 1);

        tail.Give([Event(1, 100), Event(2, 3_000_000), Event(3, 1_000_000)]);
        Assert.NotNull(tail.Read(0, EventTypes.All, 1));
        tail.Give([Event(4, 1_000_000)]);
        Assert.Null(tail.Read(1, EventTypes.All, 1));
        Assert.Equal(2, tail.Read(2, EventTypes.All, 10)!.Entries.Count);
        tail.Give([Event(5, 10_000_000)]);
        Assert.Equal([5L], tail.Read(4, EventTypes.All, 10)!.Entries.Select(entry => entry.Seq));
        Assert.Null(tail.Read(3, EventTypes.All, 10));
        tail.Give([Event(6, 100)]);
        Assert.Equal([6L], tail.Read(5, EventTypes.All, 10)!.Entries.Select(entry => entry.Seq));
        Assert.Null(tail.Read(4, EventTypes.All, 10));
    }

    [Fact]
    public void After_a_gap_it_begins_anew()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 1);

        tail.Give([Event(1), Event(2, 3_000_000)]);
        tail.Give([Event(5, 3_000_000), Event(6)]);

        Assert.Null(tail.Read(1, EventTypes.All, 10));
        Assert.Null(tail.Read(3, EventTypes.All, 10));
        Assert.Equal([5L, 6L], tail.Read(4, EventTypes.All, 10)!.Entries.Select(entry => entry.Seq));
    }

    /// <summary>All kinds of events, with times that the journal rounds, and messages that are known before and that are not.</summary>
    private static IEnumerable<ICommand> Story()
    {
        yield return new RecordClientConnected(Pump, "n1", Noon, "10.0.0.1:1", new ConnectionDetails { Ip = "10.0.0.1", Port = 1, KeepAliveSeconds = 60 }, Odd);
        yield return new RecordSubscribed(Desk, "a/+", new SubscriptionOptions(1, true, false, 2), null, null, Odd);
        yield return new RecordMessagePublished(Message(1), "10.0.0.1:1", IsEvidence: true, Odd);
        yield return new RecordMessageDelivered(Message(1), Desk, Noon.AddSeconds(1), null, Duplicate: false, Noon);
        yield return new RecordMessageDelivered(Message(2), Desk, null, null, Duplicate: false, Odd);
        yield return new RecordMessageAcked(Message(1), Desk, null, null, Odd);
        yield return new RecordMessageDropped(Message(3) with { PublishedAt = Odd, Payload = Payload.OfBytes(new byte[] { 0, 255, 1 }) }, null, "no_subscribers", Odd);
        yield return new RecordDeliveryDropped(Message(1), Pump, Noon.AddSeconds(3), "queue_full", Odd);
        yield return new RecordMessagePublished(Message(4) with { Payload = Payload.OfText(default) }, null, IsEvidence: false, Odd);
        yield return new RecordReport("a.report", new ReportKey(77), Pump, IsDevice: true, Odd, """{"n":1}""", Odd);
        yield return new RecordReport("a.report", null, null, IsDevice: false, null, "[]", Odd);
        yield return new RecordClientDisconnected(Pump, "n1", Noon, "10.0.0.1:1", Odd, "keepalive_timeout", 60, Odd);
    }

    private static MessageContent Message(ulong id, int qos = 1) => new(
        new MessageId(id), Pump, FromDevice: true, "user", $"t/{id}", qos, Retain: true, Noon.AddSeconds(id), Payload.OfText(Encoding.UTF8.GetBytes("{\"t\":21.5}")), null);

    private static CommittedEvent Event(long seq, int bytes = 0) => new(seq, new ReportReceived("a.report", null, Noon, ""), bytes == 0 ? null : new string('x', bytes), null);

    private static async Task<AStore> FollowedStoreAsync()
    {
        var store = await AStore.OpenAsync(new AClock(Noon));
        store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, limit: 1);
        return store;
    }

    private static Task ReportAsync(AStore store, int n) => store.SendAsync(new RecordReport("a.report", null, null, false, Noon, $$"""{"n":{{n}}}""", Noon));

    private static JournalPage Stored(AStore store, long after, EventTypes types, int limit) =>
        new JournalReader(store.Database, new JournalTail()).Read(after, types, withPayload: true, limit);

    /// <summary>All that an entry says, so that two can be compared.</summary>
    private static string Text(JournalEntry entry) => JsonSerializer.Serialize(new
    {
        entry.Seq,
        entry.Type,
        entry.At,
        Client = entry.Client?.Value,
        Kind = entry.Happened.GetType().Name,
        Happened = (object)entry.Happened,
        entry.IsMessageGone,
        entry.Unreadable,
        Message = entry.Message is { } message
            ? $"{message.Id} {message.Publisher.Value} {message.Topic} {message.Qos} {message.Retain} {message.PublishedAt:O} {Convert.ToHexString(message.Payload!.Value.Span)}"
            : null,
    });
}
