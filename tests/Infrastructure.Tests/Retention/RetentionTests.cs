using Dapper;
using Microsoft.Extensions.Options;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Application.Quarantine;
using WebhookService.Application.Reports;
using WebhookService.Application.Stats;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Notices;
using WebhookService.Infrastructure.Retention;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Retention;

public sealed class RetentionTests
{
    [Fact]
    public async Task The_journal_goes_by_when_its_events_came_in_whatever_time_they_tell()
    {
        await using var kept = await ARetention.OpenAsync(("Journal:MaxAge", "1.00:00:00"));
        for (var i = 0; i < 100; i++) await kept.ReportAsync(DateTimeOffset.UnixEpoch.AddDays(i)); // a broker whose clock is wrong
        await kept.ReportAsync(kept.Now.AddYears(30));
        await kept.PassAsync(TimeSpan.FromHours(23));
        await kept.ReportAsync();
        Assert.Equal(102, kept.Count("journal"));

        await kept.PassAsync(TimeSpan.FromHours(2));

        Assert.Equal([102L], kept.Store.Query<long>("SELECT seq FROM journal"));
        var stats = await kept.Store.SendAsync(new GetStats());
        Assert.Equal((102, 102), (stats.Journal.Head, stats.Journal.Oldest));
        Assert.Contains(new RetentionStats("journal", 101, ARetention.Noon.AddHours(23)), stats.Retention);
        Assert.InRange(kept.Count("retention_marks WHERE kind = 'journal'"), 1, 2);
    }

    [Fact]
    public async Task Of_too_many_events_the_newest_stay_and_numbers_go_on()
    {
        await using var kept = await ARetention.OpenAsync(("Journal:MaxCount", "10"));
        for (var i = 0; i < 500; i++) await kept.ReportAsync();

        await kept.RoundAsync();
        await kept.ReportAsync();

        Assert.Equal(Enumerable.Range(491, 11).Select(seq => (long)seq), kept.Store.Query<long>("SELECT seq FROM journal ORDER BY seq"));
    }

    [Fact]
    public async Task A_clock_that_ran_ahead_and_was_set_back_makes_nothing_old_and_holds_nothing_up()
    {
        await using var kept = await ARetention.OpenAsync(("Journal:MaxAge", "1.00:00:00"));
        await kept.ReportAsync();
        await kept.RoundAsync();
        using (var writing = kept.Store.Database.OpenForWriting())
            Dapper.SqlMapper.Execute(writing, "UPDATE retention_marks SET at = at + 86400000");
        await kept.ReportAsync();
        await kept.PassAsync(TimeSpan.FromHours(1));

        Assert.Equal(2, kept.Count("journal"));

        await kept.PassAsync(TimeSpan.FromHours(23));

        Assert.Equal(0, kept.Count("journal"));
    }

    [Fact]
    public async Task Quarantine_goes_by_age_and_by_number()
    {
        await using var kept = await ARetention.OpenAsync(("Quarantine:MaxAge", "2.00:00:00"), ("Quarantine:MaxCount", "5"));
        for (var i = 0; i < 9; i++) await QuarantineAsync(kept, 10);
        using (var writing = kept.Store.Database.OpenForWriting())
            Dapper.SqlMapper.Execute(writing, "DELETE FROM quarantine WHERE id = 7"); // by hand: rows count, not numbers

        await kept.PassAsync(TimeSpan.FromDays(1));
        Assert.Equal([4L, 5L, 6L, 8L, 9L], kept.Store.Query<long>("SELECT id FROM quarantine ORDER BY id"));

        await QuarantineAsync(kept, 10);
        await kept.PassAsync(TimeSpan.FromHours(25));

        Assert.Equal([10L], kept.Store.Query<long>("SELECT id FROM quarantine"));
    }

    [Fact]
    public async Task Quarantine_goes_by_bytes_the_oldest_first()
    {
        await using var kept = await ARetention.OpenAsync(("QuarantineBytes", "3000"));
        foreach (var bytes in new[] { 1, 2000, 1000, 1000, 1000 }) await QuarantineAsync(kept, bytes);

        await kept.RoundAsync();
        Assert.Equal([3L, 4L, 5L], kept.Store.Query<long>("SELECT id FROM quarantine ORDER BY id"));

        await QuarantineAsync(kept, 2500);
        await kept.RoundAsync();

        Assert.Equal([6L], kept.Store.Query<long>("SELECT id FROM quarantine ORDER BY id"));
    }

    [Fact]
    public async Task Dead_letters_go_by_age_and_by_number()
    {
        await using var kept = await ARetention.OpenAsync(("DeadLetters:MaxAge", "2.00:00:00"), ("DeadLetters:MaxCount", "3"));
        for (var i = 1; i <= 5; i++) await BuryAsync(kept, i);
        await kept.PassAsync(TimeSpan.FromDays(1));
        Assert.Equal([3L, 4L, 5L], kept.Store.Query<long>("SELECT seq FROM dead_letters ORDER BY id"));

        await BuryAsync(kept, 6);
        await kept.PassAsync(TimeSpan.FromHours(25));

        Assert.Equal([6L], kept.Store.Query<long>("SELECT seq FROM dead_letters"));
    }

    [Fact]
    public async Task A_handler_whose_last_dead_letter_went_is_well_again()
    {
        await using var kept = await ARetention.OpenAsync(
            ("DeadLetters:MaxAge", "2.00:00:00"), ("Notices:Rules:dead:Kind", "dead-letter"), ("Notices:Rules:dead:Targets:0", "ops"), ("Notices:Targets:ops:Url", "https://hooks.example.com/x"),
            ("Handlers:notice-target-ops:Enabled", "false"));
        await BuryAsync(kept, 1);
        await kept.PassAsync(TimeSpan.FromDays(1));
        await BuryAsync(kept, 2);
        await kept.PassAsync(TimeSpan.FromHours(25));
        Assert.Equal(1, kept.Count("dead_letters"));
        Assert.Equal([NoticeState.Raised], await StatesAsync(kept));

        await kept.PassAsync(TimeSpan.FromDays(2));

        Assert.Equal(0, kept.Count("dead_letters"));
        Assert.Empty(await StatesAsync(kept));

        static async Task<IReadOnlyList<NoticeState>> StatesAsync(ARetention kept) =>
            [.. (await kept.Store.SendAsync(new ListNotices(null, [], new(10, null)))).Items.Select(one => one.State)];
    }

    [Fact]
    public async Task A_notice_that_is_clear_goes_with_the_events_it_was_told_and_one_that_is_raised_stays()
    {
        var clock = new AClock(ARetention.Noon);
        await using var store = await AStore.OpenAsync(
            clock, ("Retention:Journal:MaxCount", "3"), ("Notices:Rules:gone:Kind", "offline"), ("Notices:Rules:gone:Hold", "00:00:00"), ("Handlers:notice-rule-gone:Enabled", "false"));
        await TellAsync(store, clock, "well", new NoticeFact.Begins("is offline"), 1);
        await TellAsync(store, clock, "well", new NoticeFact.Ends("is online"), 2);
        await TellAsync(store, clock, "ill", new NoticeFact.Begins("is offline"), 3);
        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);
        Assert.Equal(["ill", "well"], store.Query<string>("SELECT subject FROM notices ORDER BY subject"));

        for (var i = 0; i < 4; i++) await store.SendAsync(new RecordReport("shop.paid", null, null, false, clock.GetUtcNow(), $"{i}", clock.GetUtcNow()));
        await store.Get<RetentionWorker>().RoundAsync(CancellationToken.None);

        Assert.Equal(["ill"], store.Query<string>("SELECT subject FROM notices"));
    }

    private static Task<Outcome> TellAsync(AStore store, AClock clock, string client, NoticeFact fact, long seq) => store.SendAsync(new TellNotice(
        store.Get<IOptions<NoticesOptions>>().Value.FindRule("gone")!, new("gone", NoticeKind.Offline, client), new(clock.GetUtcNow(), seq), fact, IsReplay: false));

    [Fact]
    public async Task A_database_that_is_too_large_keeps_the_newest_and_gives_the_disk_back()
    {
        await using var kept = await ARetention.OpenAsync(("LatestMessages", "0"));
        for (var i = 1; i <= 600; i++) await kept.PublishAsync(i, bytes: 60_000);
        await kept.RoundAsync();
        await CheckpointAsync(kept);
        var before = new FileInfo(kept.Store.File).Length;
        Assert.True(before > 30_000_000, $"{before} bytes before");

        await kept.RestartAsync(null, ("LatestMessages", "0"), ("MaxDatabaseBytes", "6000000"));
        await kept.RoundAsync();

        var size = (await kept.Store.SendAsync(new GetStats())).Storage;
        Assert.InRange(size.Used, 4_000_000, 6_000_000);
        var left = kept.Messages;
        Assert.InRange(left.Count, 50, 100);
        Assert.Equal(Enumerable.Range(601 - left.Count, left.Count), left);
        await CheckpointAsync(kept);
        Assert.InRange(new FileInfo(kept.Store.File).Length, 4_000_000, 6_000_000 + (4096 * 4096) + 64 * 4096);
    }

    [Fact]
    public async Task A_database_that_is_too_large_and_holds_nothing_that_may_go_is_left_alone()
    {
        await using var kept = await ARetention.OpenAsync(("MaxDatabaseBytes", "1048576"), ("Presence:ExpireAfter", "00:00:00"));
        for (var i = 0; i < 1500; i++) await kept.ConnectAsync($"a-rather-long-client-id-that-takes-space-{i}");

        await kept.RoundAsync();

        Assert.Equal((1500, 1500, 0), (kept.Count("devices"), kept.Count("sessions WHERE end_at IS NULL"), kept.Count("journal")));
    }

    [Fact]
    public async Task What_was_there_before_there_was_retention_has_the_age_its_rows_tell()
    {
        await using var kept = await ARetention.OpenAsync(("LatestMessages", "0"), ("Messages:MaxAge", "00:00:00"), ("Journal:MaxAge", "00:00:00"));
        for (var i = 1; i <= 40; i++)
        {
            await kept.PublishAsync(i);
            await QuarantineAsync(kept, 1);
            kept.Clock.Advance(TimeSpan.FromDays(1));
        }

        await kept.RestartAsync(() =>
        {
            using var old = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={kept.Store.File};Pooling=False");
            Dapper.SqlMapper.Execute(old, "DROP TABLE retention_marks;" + OldDatabase.Script("0004_retention.sql"));
        }, ("LatestMessages", "0"), ("Messages:MaxAge", "10.00:00:00"), ("Journal:MaxAge", "20.00:00:00"), ("Quarantine:MaxAge", "5.00:00:00"));
        await kept.RoundAsync();

        Assert.Equal(Enumerable.Range(32, 9), kept.Messages); // the one that came in ten days ago goes too
        Assert.Equal(4, kept.Count("quarantine"));
        Assert.Equal(ARetention.Noon.AddDays(21), kept.Store.Query<DateTimeOffset>("SELECT at FROM journal WHERE type_no = (SELECT type_no FROM event_types WHERE name = 'message.published') ORDER BY seq LIMIT 1").Single());
    }

    [Theory]
    [InlineData("Messages:MaxAge", "00:00:00.5", "Retention:Messages:MaxAge is 00:00:00.5000000: give at least 00:00:01")]
    [InlineData("Quarantine:MaxAge", "-1.00:00:00", "Retention:Quarantine:MaxAge is -1.00:00:00")]
    [InlineData("Sessions:MaxCount", "-1", "Retention:Sessions:MaxCount is -1")]
    [InlineData("MaxDatabaseBytes", "1000", "Retention:MaxDatabaseBytes is 1000: give at least 1048576")]
    [InlineData("WriterShare", "0.9", "Retention:WriterShare is 0.01 to 0.5")]
    [InlineData("LatestMessages", "-1", "Retention:LatestMessages is 0 or more")]
    public async Task A_bound_that_makes_no_sense_is_refused_in_a_sentence(string key, string value, string said)
    {
        await using var kept = await ARetention.OpenAsync();
        var refusal = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => kept.RestartAsync(null, (key, value)));
        Assert.Contains(said, refusal.Message, StringComparison.Ordinal);
    }

    private static Task<long> QuarantineAsync(ARetention kept, int bytes) =>
        kept.Store.SendAsync(new QuarantineBody("emqx", "malformed", "It is no JSON.", null, null, new byte[bytes], false, kept.Now));

    private static Task BuryAsync(ARetention kept, long seq)
    {
        var entry = new JournalEntry { Seq = seq, Type = "device.discovered", At = kept.Now, Happened = new DeviceDiscovered(new ClientId("c"), kept.Now) };
        return kept.Store.SendAsync(new SaveConsumerProgress(new("c", new(seq, false, null, 0, 0, null, null), [], [], [new(entry, 8, "no", "no", kept.Now)])));
    }

    /// <summary>Brings everything from the write-ahead log into the file.</summary>
    private static Task CheckpointAsync(ARetention kept) => Eventually.IsAsync(() =>
    {
        using var writing = kept.Store.Database.OpenForWriting();
        return writing.QuerySingle<(int IsBusy, int Pages, int Moved)>("PRAGMA wal_checkpoint(TRUNCATE)").IsBusy == 0; // it is while the service does the same
    });
}
