using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Application.Devices;
using WebhookService.Application.Journal;
using WebhookService.Application.Reports;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Reports;

namespace WebhookService.Infrastructure.Tests.Consumers;

/// <summary>The places of consumers in the database, and the journal as they read it.</summary>
public sealed class ConsumerStoreTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ClientId Pump = new("pump-7");

    [Fact]
    public async Task A_place_comes_back_as_it_was_saved()
    {
        await using var store = await AStore.OpenAsync();
        var state = new ConsumerState(7, true, 9, 5, 2, "Event 3: no", Noon);
        ParkedEvent[] parked = [new(3, Pump, 2, Noon, true), new(5, Pump, 0, default, false), new(6, null, 1, Noon, false)];

        await store.SendAsync(new SaveConsumerProgress(new("c", state with { Position = 2 }, parked, [], [])));
        await store.SendAsync(new SaveConsumerProgress(new("c", state, [new(6, null, 2, Noon.AddSeconds(1), false)], [3], [])));
        await store.SendAsync(new SaveConsumerProgress(new("other", state, parked, [], [])));

        var (known, waiting) = store.Get<IJournalReader>().Load("c")!.Value;
        Assert.Equal(state, known);
        Assert.Equal([new(5, Pump, 0, default, false), new(6, null, 2, Noon.AddSeconds(1), false)], waiting);
        Assert.Null(store.Get<IJournalReader>().Load("nobody"));
    }

    [Fact]
    public async Task A_dead_letter_is_listed_counted_and_goes_back_into_its_line_once()
    {
        await using var store = await AStore.OpenAsync();
        var entry = new JournalEntry { Seq = 3, Type = "device.discovered", At = Noon, Client = Pump, Happened = new DeviceDiscovered(Pump, Noon) };
        await store.SendAsync(new SaveConsumerProgress(new("c", new(3, false, null, 0, 0, null, null), [], [], [new(entry, 8, "no", "no at all", Noon.AddHours(1))])));

        var letter = (await store.SendAsync(new ListDeadLetters("c", new PageRequest(10, null)))).Items.Single();
        Assert.Equal((3, "device.discovered", Noon, "pump-7", 8), (letter.Seq, letter.Type, letter.At, letter.ClientId, letter.Attempts));
        Assert.Equal(("no", "no at all", Noon.AddHours(1)), (letter.Reason, letter.Detail, letter.FailedAt));
        Assert.Equal(1, (await store.SendAsync(new CountDeadLetters()))["c"]);
        Assert.Null(await store.SendAsync(new RedeliverDeadLetter("other", letter.Id, Noon)));

        Assert.Equal(new ParkedEvent(3, Pump, 0, Noon, false), await store.SendAsync(new RedeliverDeadLetter("c", letter.Id, Noon)));

        Assert.Null(await store.SendAsync(new RedeliverDeadLetter("c", letter.Id, Noon)));
        Assert.False(await store.SendAsync(new DropDeadLetter("c", letter.Id)));
        Assert.Equal([3L], store.Get<IJournalReader>().Load("c")!.Value.Parked.Select(one => one.Seq));
    }

    [Fact]
    public async Task An_event_that_fails_again_in_a_replay_is_one_dead_letter_with_its_newest_failure()
    {
        await using var store = await AStore.OpenAsync();
        var entry = new JournalEntry { Seq = 3, Type = "device.discovered", At = Noon, Client = Pump, Happened = new DeviceDiscovered(Pump, Noon) };
        foreach (var (consumer, reason) in new[] { ("c", "first"), ("other", "other"), ("c", "again") })
            await store.SendAsync(new SaveConsumerProgress(new(consumer, new(3, false, null, 0, 0, null, null), [], [], [new(entry, 8, reason, reason, Noon)])));

        Assert.Equal("again", Assert.Single((await store.SendAsync(new ListDeadLetters("c", new PageRequest(10, null)))).Items).Reason);
        Assert.Equal("other", Assert.Single((await store.SendAsync(new ListDeadLetters("other", new PageRequest(10, null)))).Items).Reason);
    }

    [Fact]
    public async Task A_forgotten_device_leaves_no_dead_letter()
    {
        await using var store = await AStore.OpenAsync();
        var (pump, other) = (Letter(Pump, 3), Letter(new ClientId("other"), 4));
        await store.SendAsync(new RecordSignOfLife(Pump, Noon, null, Noon));
        await store.SendAsync(new SaveConsumerProgress(new("c", new(4, false, null, 0, 0, null, null), [], [], [pump, other])));

        while (await store.SendAsync(new ForgetDevice(Pump)) is not Forgotten.Completely) { }

        Assert.Equal(["other"], (await store.SendAsync(new ListDeadLetters("c", new PageRequest(10, null)))).Items.Select(letter => letter.ClientId));

        static DeadLetter Letter(ClientId client, long seq) => new(
            new JournalEntry { Seq = seq, Type = "device.discovered", At = Noon, Client = client, Happened = new DeviceDiscovered(client, Noon) }, 8, "no", "no at all", Noon);
    }

    [Fact]
    public async Task A_page_holds_only_the_types_asked_for_and_leads_past_the_others()
    {
        await using var store = await AStore.OpenAsync();
        for (var n = 0; n < 6; n++) await ReportAsync(store, n % 3 == 0 ? "a.rare" : "a.common", n);
        var reader = store.Get<IJournalReader>();

        var first = reader.Read(0, EventTypes.Parse("a.rare"), withPayload: false, limit: 1);
        var second = reader.Read(first.Next, EventTypes.Parse("a.rare"), withPayload: false, limit: 10);

        Assert.Equal((1, 1), (first.Entries.Single().Seq, first.Next));
        Assert.Equal((4, 6, 0), (second.Entries.Single().Seq, second.Next, second.Gone));
        Assert.Equal("""{"n":3}""", ((ReportReceived)second.Entries[0].Happened).Body);
        Assert.Equal((0, 6), (reader.Read(0, EventTypes.Parse("a.unknown"), false, 10).Entries.Count, reader.Read(0, EventTypes.Parse("a.unknown"), false, 10).Next));
    }

    [Fact]
    public async Task A_page_leads_to_the_head_even_when_the_newest_rows_are_gone()
    {
        await using var store = await AStore.OpenAsync();
        for (var n = 0; n < 3; n++) await ReportAsync(store, "a.one", n);
        using (var hand = new SqliteConnection($"Data Source={store.File};Pooling=False"))
        {
            hand.Open();
            hand.Execute("DELETE FROM journal WHERE seq > 1");
        }

        var page = store.Get<IJournalReader>().Read(1, EventTypes.All, withPayload: false, limit: 10);

        Assert.Equal((0, store.Get<IJournalBell>().Head), (page.Entries.Count, page.Next));
    }

    [Fact]
    public async Task A_page_says_up_to_where_retention_removed_events()
    {
        await using var store = await AStore.OpenAsync();
        for (var n = 0; n < 3; n++) await ReportAsync(store, "a.one", n);
        var reader = store.Get<IJournalReader>();
        using var hand = new SqliteConnection($"Data Source={store.File};Pooling=False");
        hand.Open();

        hand.Execute("DELETE FROM journal WHERE seq < 3");
        Assert.Equal(2, reader.Read(0, EventTypes.All, withPayload: false, limit: 10).Gone);
        hand.Execute("DELETE FROM journal");
        Assert.Equal(3, reader.Read(0, EventTypes.All, withPayload: false, limit: 10).Gone);
    }

    [Fact]
    public async Task A_row_that_cannot_be_read_says_why_and_stops_no_reader()
    {
        await using var store = await AStore.OpenAsync();
        await ReportAsync(store, "a.one", 0);
        await ReportAsync(store, "a.one", 1);
        using (var hand = new SqliteConnection($"Data Source={store.File};Pooling=False"))
        {
            hand.Open();
            hand.Execute("UPDATE event_types SET name = 'device.went-online'; UPDATE journal SET data = '{\"confidence\":\"odd\"}' WHERE seq = 1");
        }

        var page = store.Get<IJournalReader>().Read(0, EventTypes.All, withPayload: true, limit: 10);

        Assert.Equal(2, page.Next);
        Assert.StartsWith("The journal's row cannot be read as device.went-online: ", page.Entries[0].Unreadable, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_event_since_a_time_is_the_first_in_the_order_of_the_journal()
    {
        await using var store = await AStore.OpenAsync();
        foreach (var minute in new[] { 0, 5, 2, 7 }) await ReportAsync(store, "a.one", minute);

        Assert.Equal(1, await store.SendAsync(new FindFirstEventSince(Noon.AddHours(-1))));
        Assert.Equal(2, await store.SendAsync(new FindFirstEventSince(Noon.AddMinutes(2)))); // of minute 5: it was reported before that of minute 2
        Assert.Equal(4, await store.SendAsync(new FindFirstEventSince(Noon.AddMinutes(6))));
        Assert.Equal(5, await store.SendAsync(new FindFirstEventSince(Noon.AddMinutes(8))));
    }

    private static Task ReportAsync(AStore store, string type, int minute) => store.SendAsync(new RecordReport(
        type, null, null, false, Noon.AddMinutes(minute), $$"""{"n":{{minute}}}""", Noon.AddHours(1)));
}
