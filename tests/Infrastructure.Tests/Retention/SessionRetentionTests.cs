using WebhookService.Application.History;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Sessions;

namespace WebhookService.Infrastructure.Tests.Retention;

public sealed class SessionRetentionTests
{
    private static readonly (string, string) Age = ("Sessions:MaxAge", "10.00:00:00");

    [Fact]
    public async Task Within_the_age_the_past_stays_what_it_was_and_before_it_is_unknown()
    {
        await using var kept = await ARetention.OpenAsync(Age);
        await kept.RestartAsync(null, ("Sessions:MaxAge", "00:00:00"));
        for (var day = 0; day < 30; day++)
        {
            await kept.SessionAsync("daily", TimeSpan.FromHours(6));
            if (day % 12 == 0) await kept.SessionAsync("seldom", TimeSpan.FromHours(1));
            else kept.Clock.Advance(TimeSpan.FromHours(1));
            kept.Clock.Advance(TimeSpan.FromHours(17));
        }
        var edge = kept.Now.AddDays(-10);
        var before = (await WithinAsync("daily"), await WithinAsync("seldom"));
        Assert.Equal((30, 3), (await CountAsync("daily"), await CountAsync("seldom")));

        await kept.RestartAsync(null, Age);
        await kept.RoundAsync();

        Assert.Equal(before, (await WithinAsync("daily"), await WithinAsync("seldom")));
        Assert.Equal((11, 2), (await CountAsync("daily"), await CountAsync("seldom"))); // with the one whose end still held at the edge
        var past = await kept.Store.SendAsync(new GetAvailability(new("daily"), new(ARetention.Noon, edge.AddDays(-1)), false));
        Assert.Equal((0d, 0d, TimeSpan.FromDays(19).TotalSeconds), (past!.OnlineSeconds, past.OfflineSeconds, past.UnknownSeconds));

        async Task<(double, double, double, long)> WithinAsync(string client)
        {
            var view = await kept.Store.SendAsync(new GetAvailability(new(client), new(edge, kept.Now), false));
            return (view!.OnlineSeconds, view.OfflineSeconds, view.UnknownSeconds, view.Outages);
        }

        Task<long> CountAsync(string client) => Task.FromResult(kept.Count($"sessions JOIN clients USING (client_no) WHERE client_id = '{client}'"));
    }

    [Fact]
    public async Task Open_sessions_and_the_newest_of_a_device_stay_however_old()
    {
        await using var kept = await ARetention.OpenAsync(Age, ("Presence:ExpireAfter", "00:00:00"));
        await kept.ConnectAsync("open");
        await kept.SessionAsync("left", TimeSpan.FromMinutes(1));
        await kept.SessionAsync("left", TimeSpan.FromMinutes(1));

        await kept.PassAsync(TimeSpan.FromDays(100));

        Assert.Equal(["left", "open"], kept.Store.Query<string>("SELECT client_id FROM sessions JOIN clients USING (client_no) ORDER BY client_id"));
        var left = await kept.Store.SendAsync(new GetAvailability(new("left"), new(kept.Now.AddDays(-50), kept.Now), false));
        Assert.Equal(TimeSpan.FromDays(50).TotalSeconds, left!.OfflineSeconds);
    }

    [Fact]
    public async Task An_end_of_an_unknown_session_does_not_make_the_time_of_removed_ones_offline()
    {
        await using var kept = await ARetention.OpenAsync(("Sessions:MaxCount", "2"));
        var client = new ClientId("c");
        await kept.SessionAsync("c", TimeSpan.FromMinutes(1));
        kept.Clock.Advance(TimeSpan.FromMinutes(5));
        await kept.Store.SendAsync(new RecordClientDisconnected(client, "n9", null, "10.9.9.9:9", kept.Now, "tcp_closed", null, kept.Now));
        Assert.Equal(1, kept.Count("farewells WHERE matched = 0"));
        for (var i = 0; i < 3; i++)
        {
            kept.Clock.Advance(TimeSpan.FromMinutes(5));
            await kept.SessionAsync("c", TimeSpan.FromMinutes(10));
        }

        await kept.RoundAsync();

        Assert.Equal((2, 0), (kept.Count("sessions"), kept.Count("farewells")));
        var past = await kept.Store.SendAsync(new GetAvailability(client, new(ARetention.Noon, ARetention.Noon.AddMinutes(26)), false));
        Assert.Equal((0d, 0d), (past!.OfflineSeconds, past.OnlineSeconds)); // the third began in minute 26
    }

    [Fact]
    public async Task Of_too_many_sessions_those_that_began_first_go()
    {
        await using var kept = await ARetention.OpenAsync(("Sessions:MaxCount", "20"));
        for (var i = 0; i < 60; i++) await kept.SessionAsync($"c{i % 3}", TimeSpan.FromMinutes(1));

        await kept.RoundAsync();

        Assert.Equal(20, kept.Count("sessions"));
        Assert.Equal(20, kept.Count("sessions WHERE session_no > 40"));
    }

    [Fact]
    public async Task A_session_that_is_told_again_after_it_went_is_written_whole()
    {
        await using var kept = await ARetention.OpenAsync(Age);
        await kept.SessionAsync("c", TimeSpan.FromMinutes(1));
        await kept.SessionAsync("c", TimeSpan.FromMinutes(1));
        await kept.PassAsync(TimeSpan.FromDays(20));
        Assert.Equal(1, kept.Count("sessions"));

        await kept.Store.SendAsync(new RecordClientConnected(new("c"), "n1", ARetention.Noon, "10.0.0.1:1", new ConnectionDetails(), kept.Now));

        Assert.Equal(2, kept.Count("sessions"));
    }

    [Fact]
    public async Task The_number_of_an_end_that_went_is_no_longer_that_of_its_client()
    {
        await using var kept = await ARetention.OpenAsync(Age);
        var began = kept.Now;
        await EndAsync("first");
        await kept.PassAsync(TimeSpan.FromDays(20));
        Assert.Equal(0, kept.Count("farewells"));
        await EndAsync("second");

        await kept.Store.SendAsync(new RecordClientConnected(new("first"), "n1", began.AddMinutes(-1), "10.9.9.9:9", new ConnectionDetails(), kept.Now)); // which that end was of

        Assert.Equal((1, 1), (kept.Count("farewells"), kept.Count("farewells WHERE matched = 0")));

        Task EndAsync(string client) => kept.Store.SendAsync(new RecordClientDisconnected(new(client), "n1", null, "10.9.9.9:9", kept.Now, "tcp_closed", null, kept.Now));
    }

    [Fact]
    public async Task Subscriptions_that_ended_long_ago_go()
    {
        await using var kept = await ARetention.OpenAsync(Age, ("Presence:ExpireAfter", "00:00:00"));
        await kept.ConnectAsync("c");
        var options = new SubscriptionOptions(1, null, null, null);
        await kept.Store.SendAsync(new RecordSubscribed(new("c"), "ended", options, kept.Now, null, kept.Now));
        await kept.Store.SendAsync(new RecordSubscribed(new("c"), "current", options, kept.Now, null, kept.Now));
        kept.Clock.Advance(TimeSpan.FromMinutes(1));
        await kept.Store.SendAsync(new RecordUnsubscribed(new("c"), "ended", kept.Now, kept.Now));
        await kept.PassAsync(TimeSpan.FromDays(9));
        Assert.Equal(2, kept.Count("subscriptions"));

        await kept.PassAsync(TimeSpan.FromDays(2));

        Assert.Equal(["current"], kept.Store.Query<string>("SELECT filter FROM subscriptions"));
    }
}
