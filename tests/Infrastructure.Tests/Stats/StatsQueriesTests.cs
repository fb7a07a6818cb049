using WebhookService.Application.Messages;
using WebhookService.Application.Quarantine;
using WebhookService.Application.Stats;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Tests.Stats;

public class StatsQueriesTests
{
    [Fact]
    public async Task An_empty_service_counts_nothing()
    {
        await using var store = await AStore.OpenAsync();

        var stats = await store.SendAsync(new GetStats());

        Assert.Equal((new DeviceStats(0, 0, 0, 0, 0, 0, 0), new MessageStats(0, 0), new JournalStats(0, null)), (stats.Devices, stats.Messages, stats.Journal));
    }

    [Fact]
    public async Task Counts_follow_what_is_stored()
    {
        var now = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
        await using var store = await AStore.OpenAsync(new AClock(now)); // which stands still: the last minute is always the same
        for (var i = 1; i <= 6; i++)
            await store.SendAsync(new RecordMessagePublished(
                new MessageContent(new MessageId((UInt128)i), new ClientId($"c{i % 4}"), true, null, "t", 0, false, now.AddSeconds(-i * 20), Payload.OfText("x"u8.ToArray()), null), null, true, now));
        await store.SendAsync(new QuarantineBody("emqx", "malformed", "It is no JSON.", null, null, "{"u8.ToArray(), false, now));
        using (var writing = store.Database.OpenForWriting())
            Dapper.SqlMapper.Execute(writing, """
                UPDATE devices SET status = 2, confidence = 0 WHERE client_id = 'c0';
                UPDATE devices SET status = 0, confidence = 1 WHERE client_id = 'c1';
                UPDATE devices SET status = 1, confidence = 2, flapping_until = 4000000000000 WHERE client_id = 'c2';
                UPDATE devices SET status = 1, confidence = 0, flapping_until = 5 WHERE client_id = 'c3';
                INSERT INTO subscriptions (client_no, filter, qos, ends_at) VALUES (1, 'a', 0, NULL), (1, 'b', 0, 5), (1, 'c', 0, 4000000000000);
                """);

        var stats = await store.SendAsync(new GetStats());

        Assert.Equal(new DeviceStats(Total: 4, Online: 2, Offline: 1, Unknown: 1, Inferred: 1, Stale: 1, Flapping: 1), stats.Devices);
        Assert.Equal(2, stats.Subscriptions.Current);
        Assert.Equal(new MessageStats(6, Math.Round(2 / 60d, 2)), stats.Messages);
        Assert.Equal(store.Query<long>("SELECT max(seq) FROM journal").Single(), stats.Journal.Head);
        Assert.Equal(1, stats.Quarantine.Size);
        Assert.True(stats.Storage.Bytes > 4096);
        Assert.Equal(0, stats.Ingest.QueueDepth);
    }
}
