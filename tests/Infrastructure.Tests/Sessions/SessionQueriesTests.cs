using Dapper;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Sessions;
using static WebhookService.Infrastructure.Tests.ADatabase;

namespace WebhookService.Infrastructure.Tests.Sessions;

public sealed class SessionQueriesTests : IDisposable
{
    private readonly ADatabase database = new();

    public void Dispose() => database.Dispose();

    private async Task<Page<SessionView>> List(SessionFilter? filter = null, int limit = 1000, string? cursor = null) =>
        await new SessionQueries(database.Database, database.ActivityMover, database.Time).Handle(new ListSessions(filter ?? new(), new(limit, cursor)), default);

    /// <summary>The starts (or lone ends) of what a filter lets pass, in minutes after the hour.</summary>
    private async Task<string> Minutes(SessionFilter filter) =>
        string.Join(' ', (await List(filter)).Items.Select(session => ((session.ConnectedAt ?? session.EndedAt)!.Value - Now).TotalMinutes));

    [Fact]
    public async Task A_session_that_ended_shows_its_whole_row()
    {
        var no = database.Device("a", published: 100);
        database.Session(no, Now, Now.AddMilliseconds(1500), "n1", "1.2.3.4:5", "u", "1.2.3.4", "network", "event", publishedStart: 3, publishedEnd: 10);

        var session = Assert.Single((await List()).Items);

        Assert.Equal(("a", "n1", Now, Now.AddMilliseconds(1500), 1.5, "network", "event"), (session.ClientId, session.Node, session.ConnectedAt, session.EndedAt, session.DurationSeconds, session.Reason, session.EndedBy));
        Assert.Equal((7L, 10L, 10L), (session.MessagesPublished, session.MessagesDelivered, session.MessagesDropped));
        Assert.Equal(SessionId.Of("a", "n1", Now.ToUnixTimeMilliseconds(), "1.2.3.4:5"), session.Id);
    }

    [Fact]
    public async Task An_open_session_has_carried_what_its_device_counts_since()
    {
        database.Session(database.Device("a", published: 100), Now, publishedStart: 40);

        var session = Assert.Single((await List()).Items);

        Assert.Equal((60L, null, null, null), (session.MessagesPublished, session.EndedAt, session.EndedBy, session.DurationSeconds));
    }

    [Fact]
    public async Task A_session_of_which_only_the_end_is_known_counts_nothing_it_did_not_see()
    {
        var no = database.Device("a", published: 100);
        database.Session(no, Now, Now.AddSeconds(1), opened: false, endedBy: "event", publishedEnd: 100);
        database.Farewell(no, Now.AddMinutes(1), peer: "[::1]:77", reason: "kicked");
        database.Farewell(no, Now.AddMinutes(2), matched: true);
        database.Farewell(no, Now.AddMinutes(3), kind: 1);

        var sessions = (await List()).Items;

        Assert.Equal(2, sessions.Count);
        Assert.Equal((null, Now.AddMinutes(1), "kicked", "event", null, "::1", 77, null), (sessions[0].ConnectedAt, sessions[0].EndedAt, sessions[0].Reason, sessions[0].EndedBy, sessions[0].DurationSeconds, sessions[0].Ip, sessions[0].Port, sessions[0].MessagesPublished));
        Assert.Equal((1.0, null), (sessions[1].DurationSeconds, sessions[1].MessagesPublished));
    }

    [Fact]
    public async Task Each_filter_lets_pass_what_it_names()
    {
        var (a, b) = (database.Device("aa", status: 1), database.Device("ab", status: 2));
        database.Session(a, Now, Now.AddMinutes(5), "n1", username: "anna", ip: "10.0.0.1", reason: "network");
        database.Session(a, Now.AddMinutes(6), null, "n2", username: "anna", ip: "10.0.0.2");
        database.Session(b, Now.AddMinutes(1), Now.AddMinutes(2), "n2", username: "berta", ip: "10.0.0.1", reason: "kicked");
        database.Farewell(b, Now.AddMinutes(9), "n2", "10.0.0.1:5", "kicked");

        Assert.Equal("9 6 1 0", await Minutes(new()));
        Assert.Equal("6 0", await Minutes(new() { Client = new ClientId("aa") }));
        Assert.Equal("9 1", await Minutes(new() { ClientId = ClientIdPattern.Parse("ab") }));
        Assert.Equal("9 6 1 0", await Minutes(new() { ClientId = ClientIdPattern.Parse("a*") }));
        Assert.Equal("9 1", await Minutes(new() { ClientId = ClientIdPattern.Parse("ab*") }));
        Assert.Equal("", await Minutes(new() { ClientId = ClientIdPattern.Parse("a") }));
        Assert.Equal("6 0", await Minutes(new() { Username = "anna" }));
        Assert.Equal("9 6 1", await Minutes(new() { Node = "n2" }));
        Assert.Equal("9 1 0", await Minutes(new() { Ip = "10.0.0.1" }));
        Assert.Equal("9 1", await Minutes(new() { Reason = [DisconnectReason.Kicked] }));
        Assert.Equal("6 0", await Minutes(new() { Status = [ConnectivityStatus.Online] }));
        Assert.Equal("6", await Minutes(new() { Open = true }));
        Assert.Equal("9 1 0", await Minutes(new() { Open = false }));
        Assert.Equal("9 6 0", await Minutes(new() { From = Now.AddMinutes(3) }));
        Assert.Equal("1 0", await Minutes(new() { To = Now.AddMinutes(6) }));
        Assert.Equal("0", await Minutes(new() { From = Now.AddMinutes(3), To = Now.AddMinutes(6) }));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("d1")]
    public async Task A_walk_meets_each_session_and_lone_farewell_once_newest_first(string? client)
    {
        long[] devices = [database.Device("d0"), database.Device("d1"), database.Device("d2")];
        for (var i = 0; i < 30; i++)
        {
            database.Session(devices[i % 3], Now.AddSeconds(i / 9), node: $"n{i}");
            database.Farewell(devices[i % 3], Now.AddSeconds(i / 7), $"n{i}");
        }
        var filter = new SessionFilter { Client = client is null ? null : new ClientId(client) };

        var walked = new List<SessionView>();
        string? cursor = null;
        do
        {
            var page = await List(filter, limit: 4, cursor);
            walked.AddRange(page.Items);
            cursor = page.Next;
        }
        while (cursor is not null);

        Assert.Equal(client is null ? 60 : 20, walked.Count);
        Assert.Equal(walked.Count, walked.Select(session => session.Id).Distinct().Count());
        var times = walked.Select(session => session.ConnectedAt ?? session.EndedAt).ToList();
        Assert.Equal(times.OrderDescending(), times);
    }

    [Fact]
    public async Task A_foreign_cursor_is_refused() =>
        Assert.Equal("cursor", (await Assert.ThrowsAsync<DomainException>(() => List(cursor: "bm8"))).Parameter);

    [Theory]
    [InlineData(false, false, "sessions_time", "farewells_stray")]
    [InlineData(true, false, "sessions_key", "farewells_client")]
    [InlineData(false, true, "sessions_open", null)]
    public void A_page_is_read_along_the_index_of_time(bool ofOne, bool open, string sessions, string? farewells)
    {
        database.Device("a");
        using var connection = database.Database.OpenForReading();
        var filter = new SessionFilter { Client = ofOne ? new ClientId("a") : null, Open = open ? true : null };

        var plans = SessionQueries.Parts(connection, filter, new(Now.ToUnixTimeMilliseconds(), 0, 5), 50)
            .Select(part => string.Join('\n', connection.Query<(int, int, int, string Detail)>($"EXPLAIN QUERY PLAN {part.Sql}", part.Parameters).Select(row => row.Detail)))
            .ToList();

        Assert.Contains($"SEARCH s USING INDEX {sessions}", plans[0], StringComparison.Ordinal);
        if (farewells is null) Assert.Single(plans);
        else Assert.Contains($"SEARCH f USING INDEX {farewells}", plans[1], StringComparison.Ordinal);
        Assert.All(plans, plan => Assert.DoesNotMatch("TEMP B-TREE FOR ORDER BY", plan));
    }

    [Fact]
    public async Task Only_subscriptions_in_force_are_listed_page_by_page()
    {
        var no = database.Device("a");
        database.Subscription(no, "a/#", Now.AddHours(-1));
        database.Subscription(no, "b", Now.AddHours(-1), ends: Now.AddSeconds(1));
        database.Subscription(no, "c", Now.AddHours(-1), ends: Now);
        database.Subscription(no, "d", null, ends: Now.AddHours(1));
        database.Subscription(no, "$share/g/t/+", Now);
        database.Subscription(no, "$queue/t", Now);
        database.Subscription(database.Device("b"), "x", Now);
        var queries = new SessionQueries(database.Database, database.ActivityMover, database.Time);

        var first = await queries.Handle(new ListSubscriptions(new ClientId("a"), new(3, null)), default);
        var second = await queries.Handle(new ListSubscriptions(new ClientId("a"), new(3, first.Next)), default);

        Assert.Equal(
            [("$queue/t", "t", "$queue"), ("$share/g/t/+", "t/+", "g"), ("a/#", "a/#", null)],
            first.Items.Select(one => (one.Filter, one.TopicFilter, one.SharedGroup)));
        Assert.Equal(("b", Now.AddSeconds(1)), (Assert.Single(second.Items).Filter, second.Items[0].EndsAt));
        Assert.Null(second.Next);
    }
}
