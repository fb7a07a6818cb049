using System.Text;
using System.Text.Json;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Devices;
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
using WebhookService.Tests;

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
    public async Task A_publish_that_says_more_than_the_delivery_before_it_is_told_as_it_is_stored()
    {
        await using var store = await FollowedStoreAsync();
        await store.SendAsync(new RecordMessageDelivered(Message(1) with { Topic = "short", PublishedAt = Noon, Payload = Payload.OfText(default) }, Desk, null, null, Duplicate: false, Noon));
        await store.SendAsync(new RecordMessagePublished(Message(1), null, IsEvidence: true, Noon));

        var told = store.Get<JournalTail>().Read(0, EventTypes.All, 10)!.Entries;

        Assert.Equal(Stored(store, 2, EventTypes.All, 10).Entries.Select(Text), told.Where(entry => entry.Seq > 2).Select(Text));
        Assert.Equal("""{"t":21.5}""", Encoding.UTF8.GetString(told.Single(entry => entry.Type is "message.published").Message!.Payload!.Value.Span));
    }

    [Fact]
    public async Task What_was_taken_back_is_told_to_nobody_and_all_else_is()
    {
        await using var store = await FollowedStoreAsync();
        var (reader, told, read, isFromMemory) = (store.Get<IJournalReader>(), new List<string>(), 0L, false);

        // In one turn, so that some share the failing command's transaction.
        var sent = Enumerable.Range(0, 60).Select(i => (Task)(i % 20 == 10 ? store.SendAsync(new ConnectAndFail(new($"failing-{i}"))) : ReportAsync(store, i))).ToList();
        while (!sent.TrueForAll(one => one.IsCompleted) || read < store.Get<IJournalBell>().Head)
        {
            isFromMemory |= store.Get<JournalTail>().Read(read, EventTypes.All, 7) is not null;
            var page = reader.Read(read, EventTypes.All, withPayload: true, limit: 7);
            told.AddRange(page.Entries.Select(Text));
            read = page.Next;
            await Task.Yield();
        }

        Assert.True(isFromMemory);
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

        Assert.Null(store.Get<JournalTail>().Read(0, EventTypes.All, 10)); // what is here was in that transaction
        Assert.Equal(["a.report"], store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, 10).Entries.Select(entry => entry.Type));
    }

    [Fact]
    public async Task Nothing_is_held_for_nobody()
    {
        await using var store = await BegunStoreAsync();
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
        for (var seq = 1; seq <= JournalTail.Most + 1; seq++) tail.Give([Event(seq)]);
        Assert.True(tail.IsFollowed);

        tail.Give([Event(JournalTail.Most + 2)]);

        Assert.False(tail.IsFollowed);
        Assert.Null(tail.Read(JournalTail.Most, EventTypes.All, 10)); // and nothing is left in memory
        Assert.True(tail.IsFollowed);
        tail.Give([Event(JournalTail.Most + 3)]);
        Assert.Single(tail.Read(JournalTail.Most + 2, EventTypes.All, 10)!.Entries);
    }

    [Fact]
    public void Of_a_transaction_of_more_than_it_holds_it_has_the_newest_events()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 10);

        tail.Give([.. Enumerable.Range(1, 3_000).Select(seq => Event(seq))]);

        Assert.True(tail.IsFollowed);
        Assert.Null(tail.Read(3_000 - JournalTail.Most - 1, EventTypes.All, 10));
        Assert.Equal(JournalTail.Most, tail.Read(3_000 - JournalTail.Most, EventTypes.All, int.MaxValue)!.Entries.Count);
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

        tail.Give([Event(1, 50), Event(2, 1_500_000), Event(3, 500_000)]); // characters, of two bytes each
        Assert.NotNull(tail.Read(0, EventTypes.All, 1));
        tail.Give([Event(4, 500_000)]);
        Assert.Null(tail.Read(1, EventTypes.All, 1));
        Assert.Equal(2, tail.Read(2, EventTypes.All, 10)!.Entries.Count);
        tail.Give([Event(5, 5_000_000)]);
        Assert.Equal([5L], tail.Read(4, EventTypes.All, 10)!.Entries.Select(entry => entry.Seq));
        Assert.Null(tail.Read(3, EventTypes.All, 10));
        tail.Give([Event(6, 100)]);
        Assert.Equal([6L], tail.Read(5, EventTypes.All, 10)!.Entries.Select(entry => entry.Seq));
        Assert.Null(tail.Read(4, EventTypes.All, 10));
    }

    [Fact]
    public void All_that_a_message_holds_in_memory_counts()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 1);
        var half = new string('x', 1_100_000);
        foreach (var (large, i) in new[]
        {
            Message(1) with { Payload = Payload.OfBytes(new byte[2_200_000].AsMemory(0, 1)) },
            Message(1) with { Topic = half },
            Message(1) with { Username = half },
            Message(1) with { Properties = half },
        }.Select((large, i) => (large, i)))
        {
            tail.Give([About(large, (2 * i) + 1), About(large, (2 * i) + 2)]);

            Assert.Null(tail.Read(2 * i, EventTypes.All, 1));
            Assert.Single(tail.Read((2 * i) + 1, EventTypes.All, 1)!.Entries);
        }

        static CommittedEvent About(MessageContent message, long seq) => new(seq, new MessagePublished(message.Id, Pump, Noon), null, message);
    }

    [Fact]
    public async Task Who_reads_beside_the_writer_gets_each_event_once_and_in_order()
    {
        const int All = 5_000;
        await using var store = await FollowedStoreAsync();
        var following = Task.Run(() =>
        {
            var (reader, read, seen) = (store.Get<IJournalReader>(), 0L, new List<long>());
            while (read < All)
            {
                var page = reader.Read(read, EventTypes.All, withPayload: true, limit: 100);
                seen.AddRange(page.Entries.Select(entry => entry.Seq));
                read = page.Next;
            }
            return seen;
        });

        await Task.WhenAll(Enumerable.Range(0, All).Select(i => ReportAsync(store, i)));

        Assert.Equal(Enumerable.Range(1, All).Select(seq => (long)seq), await following);
    }

    [Fact]
    public async Task What_comes_before_it_was_followed_in_the_same_transaction_is_read_from_the_database()
    {
        await using var store = await BegunStoreAsync();
        var (journal, tail) = (store.Get<Infrastructure.Journal.Journal>(), store.Get<JournalTail>());
        await store.Get<Writer>().RunAsync(() =>
        {
            journal.Append([new ReportReceived("a.first", null, Noon, "{}")]);
            journal.Flush();
            Assert.Null(tail.Read(0, EventTypes.All, 10));
            journal.Append([new ReportReceived("a.second", null, Noon, "{}")]);
            return Task.FromResult(true);
        });

        Assert.Null(tail.Read(0, EventTypes.All, 10));
        Assert.Equal(["a.second"], tail.Read(1, EventTypes.All, 10)!.Entries.Select(entry => entry.Type));
        Assert.Equal(["a.first", "a.second"], store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, 10).Entries.Select(entry => entry.Type));
    }

    [Fact]
    public async Task What_was_forgotten_with_a_device_is_not_told_any_more()
    {
        await using var store = await FollowedStoreAsync();
        await store.SendAsync(new RecordMessagePublished(Message(1), null, IsEvidence: true, Noon));
        var last = store.Get<IJournalBell>().Head;
        Assert.NotNull(store.Get<JournalTail>().Read(0, EventTypes.All, 10));

        Assert.Equal(Forgotten.InPart, await store.SendAsync(new ForgetDevice(Pump))); // which tells of nothing yet

        Assert.Null(store.Get<JournalTail>().Read(0, EventTypes.All, 10));
        while (await store.SendAsync(new ForgetDevice(Pump)) is not Forgotten.Completely) { }
        Assert.Equal(["device.forgotten"], store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, 10).Entries.Select(entry => entry.Type));
        Assert.NotNull(store.Get<JournalTail>().Read(last, EventTypes.All, 10));
    }

    [Fact]
    public async Task What_another_process_changed_is_told_as_it_is_now()
    {
        await using var store = await FollowedStoreAsync();
        await ReportAsync(store, 1);
        using (var other = new SqliteConnection($"Data Source={store.File}"))
        {
            other.Open();
            other.Execute("UPDATE journal SET data = '2'");
        }

        await ReportAsync(store, 3);

        Assert.Equal(["2", """{"n":3}"""], store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, 10).Entries.Select(entry => ((ReportReceived)entry.Happened).Body));
    }

    [Fact]
    public void After_a_gap_it_begins_anew()
    {
        var tail = new JournalTail();
        tail.Read(0, EventTypes.All, 1);

        tail.Give([Event(1), Event(2, 1_500_000)]);
        tail.Give([Event(5, 1_500_000), Event(6)]);

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

    /// <summary>Where nothing that the service does at its start makes the tail forget any more.</summary>
    private static async Task<AStore> BegunStoreAsync()
    {
        var store = await AStore.OpenAsync(new AClock(Noon));
        await Eventually.IsAsync(() => Task.FromResult(store.Query<string>("SELECT value FROM settings WHERE name = 'deadline-rules'").Count == 1));
        await store.Get<Writer>().RunAsync(() => Task.FromResult(true)); // behind the transaction that wrote it, and what was told of it
        return store;
    }

    private static async Task<AStore> FollowedStoreAsync()
    {
        var store = await BegunStoreAsync();
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
