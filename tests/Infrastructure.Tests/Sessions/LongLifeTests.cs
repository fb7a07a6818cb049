using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Lives;

namespace WebhookService.Infrastructure.Tests.Sessions;

/// <summary>
/// Few of a client's sessions stay at hand. Lives of many more, told in any order and by a service that forgets, come out as they do where all facts are
/// at hand.
/// </summary>
public sealed class LongLifeTests
{
    private const int Lives = 60;
    private static readonly DateTimeOffset Now = Life.Noon.AddDays(1);
    private static readonly ClientId Client = new("pump-7");
    private static readonly Observation Seen = new(Now, PresenceRules.Default);

    [Theory]
    [InlineData(Dialect.ConnectedAt)]
    [InlineData(Dialect.Peername)]
    [InlineData(Dialect.NodeAndTime)]
    public async Task A_long_life_comes_out_the_same_whatever_is_forgotten_meanwhile(Dialect dialect)
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        for (var seed = 1; seed <= Lives; seed++)
        {
            var (random, client, whole) = (new Random(seed), new ClientId($"{dialect}-{seed}"), new SessionSet(new ClientId("whole")));
            var (life, device) = (Long(dialect, random), Device.Discovered(client, Now));

            foreach (var report in Disordered(life, random))
            {
                Tell(report, whole, device);
                await SendAsync(store, report, client, dialect);
                if (random.Next(5) == 0) await Assert.ThrowsAsync<InvalidOperationException>(() => store.SendAsync(new ConnectAndFail(new ClientId("other")))); // forgets all
            }

            Same(SessionsOf(whole), SessionsOf(store, client));
            Same(SubscriptionsOf(whole), SubscriptionsOf(store, client));
            Same(EventsOf(whole), EventsOf(store, client));
            Same([StateOf(device)], [StateOf(store, client)]);

            void Same(IReadOnlyList<string> expected, IReadOnlyList<string> actual) => Assert.True(
                expected.SequenceEqual(actual),
                $"Drawn with {seed}: {life}\nexpected {string.Join(", ", expected.Except(actual))}\nbut there is {string.Join(", ", actual.Except(expected))}");
        }
    }

    [Fact]
    public async Task A_subscription_told_late_ends_with_its_own_session()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        for (var i = 0; i < 20; i++) await store.SendAsync(Opened(i, expiry: i == 3 ? 0 : 4_294_967_295));

        await store.SendAsync(new RecordSubscribed(Client, "a/#", new(0, null, null, null), Life.Noon.AddMinutes(3.5), null, Now));

        Assert.Equal([(Life.Noon.AddMinutes(4).ToUnixTimeMilliseconds(), "session-end")], store.Query<(long, string)>("SELECT ends_at, ended_by FROM subscriptions"));
    }

    [Fact]
    public async Task A_connect_told_late_can_tell_that_flapping_went_on()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        foreach (var second in new[] { 0, 60, 120, 180, 240, 300, 490, 680, 870, 1060, 1460 }) await store.SendAsync(Opened(second / 60.0));
        Assert.Equal([null], store.Query<long?>("SELECT flapping_until FROM devices"));

        await store.SendAsync(Opened(1250 / 60.0));

        Assert.Equal([Life.Noon.AddSeconds(1660).ToUnixTimeMilliseconds()], store.Query<long?>("SELECT flapping_until FROM devices"));
    }

    [Fact]
    public async Task Flapping_that_few_starts_keep_up_is_known_when_all_was_forgotten()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        int[] seconds = [.. Enumerable.Range(0, 6).Select(i => 60 * i), .. Enumerable.Range(0, 20).Select(i => 490 + (190 * i))];
        foreach (var second in seconds) await store.SendAsync(Opened(second / 60.0));
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.SendAsync(new ConnectAndFail(new ClientId("other"))));

        await store.SendAsync(Opened((seconds[^1] + 190) / 60.0));

        Assert.Equal([Life.Noon.AddSeconds(seconds[^2] + 600).ToUnixTimeMilliseconds()], store.Query<long?>("SELECT flapping_until FROM devices"));
    }

    [Fact]
    public async Task A_live_session_is_not_forgotten_where_the_clocks_of_nodes_differ()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        for (var i = 0; i < 12; i++) await store.SendAsync(Opened(i / 2.0));
        var behind = Opened(-10) with { Node = "n2" };
        await store.SendAsync(behind);
        await store.SendAsync(new RecordListed(
            [new ListedClient(Client, "n2", behind.ConnectedAt!.Value, TimeSpan.FromMilliseconds(1), behind.Peer, behind.Details, Connected: true, null)], Life.Noon.AddMinutes(7), Now));
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.SendAsync(new ConnectAndFail(new ClientId("other"))));

        await store.SendAsync(Closed(5.5));

        Assert.Equal([("n2", behind.ConnectedAt.Value.ToUnixTimeMilliseconds())], store.Query<(string, long)>("SELECT node, connected_at FROM sessions WHERE end_at IS NULL"));
        Assert.Equal([((long)ConnectivityStatus.Online, "n2")], store.Query<(long, string)>("SELECT status, node FROM devices WHERE client_id = @id", new { id = Client.Value }));
    }

    [Fact]
    public async Task What_was_told_within_the_transaction_is_not_lost_when_older_sessions_are_read()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        for (var i = 0; i < 20; i++) await store.SendAsync(Opened(i));
        using var gate = new ManualResetEventSlim();
        var wait = new WaitInTheWriter(gate, new());
        var waiting = store.SendAsync(wait);
        await wait.Running.Task;

        var (newest, end, oldest) = (store.SendAsync(Opened(20)), store.SendAsync(Closed(20)), store.SendAsync(Closed(0)));
        gate.Set();

        Assert.Equal([Outcome.Applied, Outcome.Applied, Outcome.Applied], await Task.WhenAll(newest, end, oldest));
        await waiting;
        Assert.Equal([0L, 20L], store.Query<long>("SELECT (connected_at - @noon) / 60000 FROM sessions WHERE closed_at IS NOT NULL ORDER BY 1", new { noon = Life.Noon.ToUnixTimeMilliseconds() }));
        Assert.Equal([(21L, 21L)], store.Query<(long, long)>("SELECT count(*), count(end_at) FROM sessions"));
    }

    private static RecordClientConnected Opened(double minute, long expiry = 0) =>
        new(Client, "n1", Life.Noon.AddMinutes(minute), "10.0.0.1:1", new ConnectionDetails { CleanStart = false, ExpirySeconds = expiry, ProtocolVersion = "5" }, Now);

    private static RecordClientDisconnected Closed(double minute) =>
        new(Client, "n1", Life.Noon.AddMinutes(minute), "10.0.0.1:1", Life.Noon.AddMinutes(minute + 0.5), "tcp_closed", null, Now);

    /// <summary>As <see cref="ClientPresence"/> does it, with all facts at hand.</summary>
    private static void Tell(BrokerReport report, SessionSet whole, Device device)
    {
        var starts = whole.Starts;
        if (report.Tell(whole, Seen) is Outcome.Repeated) return;

        device.Follow(whole, whole.Starts > starts, Seen with { Cause = report.Kind is ReportKind.State ? Cause.Reconciliation : Cause.Event });
        if (report.Kind is ReportKind.Subscription) device.Showed(report.Timestamp, null, Seen);
    }

    /// <summary>Ten to forty connections, none within one millisecond: whose farewell it is then, is a guess from all that is at hand.</summary>
    private static Life Long(Dialect dialect, Random random)
    {
        var steps = new List<Step>();
        var many = random.Next(10, 41);
        while (steps.Count < many) steps.AddRange(Life.Drawn(dialect, random).Steps);
        return Life.Drawn(dialect, random) with
        {
            Steps = [.. steps.Select(step => step with { Stays = step.Stays + 2, Pause = step.Pause + 2, SubscribesAfter = random.Next(4) == 0 ? step.SubscribesAfter : null })],
        };
    }

    /// <summary>Half of them in any order whatever, the others with some that come late; some are told twice, and at some time the broker is asked.</summary>
    private static IReadOnlyList<BrokerReport> Disordered(Life life, Random random)
    {
        var (reports, any) = (life.Reports(), random.Next(2) == 0);
        var disordered = reports
            .SelectMany(report => random.Next(6) == 0 ? [report, report] : new[] { report })
            .Select((report, i) => (report, place: any || random.Next(5) == 0 ? random.Next(reports.Count) : i))
            .OrderBy(one => one.place).Select(one => one.report).ToList();
        if (random.Next(2) == 0) disordered.Insert(random.Next(1, disordered.Count), life.Reconciliation(Now, isCoarse: false));
        return disordered;
    }

    private static Task SendAsync(AStore store, BrokerReport report, ClientId client, Dialect dialect) => report switch
    {
        { Kind: ReportKind.State, Of: { End: null } one } => store.SendAsync(new RecordListed(
            [new ListedClient(client, one.Node, one.ConnectedAt, TimeSpan.FromMilliseconds(1), one.Peer, BrokerReport.Details(one), Connected: true, null)], report.Timestamp, Now)),
        { Kind: ReportKind.State } => store.SendAsync(new RecordAbsent([(client, null)], report.Timestamp, null, Now)),
        _ => store.SendAsync(CommandOf(report, client, dialect)),
    };

    private static ICommand CommandOf(BrokerReport report, ClientId client, Dialect dialect)
    {
        var (one, node, peer) = (report.Of, report.Of.Node, BrokerReport.PeerIn(dialect, report.Of));
        return report.Kind switch
        {
            ReportKind.Start => new RecordClientConnected(client, node, one.ConnectedAt, peer, BrokerReport.Details(one), Now),
            ReportKind.End => new RecordClientDisconnected(
                client, node, dialect is Dialect.ConnectedAt ? one.ConnectedAt : null, peer, report.Timestamp, one.Reason, null, Now),
            ReportKind.Subscription => new RecordSubscribed(client, report.Filter!, new(report.Qos, null, null, null), report.Timestamp, null, Now),
            _ => new RecordUnsubscribed(client, report.Filter!, report.Timestamp, Now),
        };
    }

    private static IReadOnlyList<string> SessionsOf(SessionSet set) => Lines(set.Sessions.Select(one => (
        one.Node, one.ConnectedAt.ToUnixTimeMilliseconds(), one.Peer, one.Opened, one.End?.At.ToUnixTimeMilliseconds(), one.End?.RawReason, one.End?.By.ToString().ToLowerInvariant())));

    private static IReadOnlyList<string> SessionsOf(AStore store, ClientId client) => Lines(store.Query<(string, long, string?, bool, long?, string?, string?)>(
        "SELECT node, connected_at, peer, opened, end_at, end_raw, ended_by FROM sessions JOIN clients USING (client_no) WHERE client_id = @id", new { id = client.Value }));

    private static IReadOnlyList<string> SubscriptionsOf(SessionSet set) => Lines(set.Subscriptions.Select(one => (
        one.Filter, one.SubscribedAt?.ToUnixTimeMilliseconds(), one.EndsAt?.ToUnixTimeMilliseconds(), one.EndedBy is { } by ? Words.Of(by) : null)));

    private static IReadOnlyList<string> SubscriptionsOf(AStore store, ClientId client) => Lines(store.Query<(string, long?, long?, string?)>(
        "SELECT filter, subscribed_at, ends_at, ended_by FROM subscriptions JOIN clients USING (client_no) WHERE client_id = @id", new { id = client.Value }));

    private static IReadOnlyList<string> EventsOf(SessionSet set) => Lines(set.TakeEvents().Select(one => (EventData.NameOf(one), one.At.ToUnixTimeMilliseconds())));

    private static IReadOnlyList<string> EventsOf(AStore store, ClientId client) => Lines(store.Query<(string, long)>(
        """
        SELECT t.name, j.at FROM journal j JOIN event_types t USING (type_no) JOIN clients c USING (client_no)
        WHERE c.client_id = @id AND (t.name LIKE 'session.%' OR t.name LIKE 'subscription.%')
        """, new { id = client.Value }));

    private static string StateOf(Device device)
    {
        var (state, subscriptions) = (device.Connectivity, device.SubscriptionCount);
        return $"{((long)state.Status, (long)state.FreshConfidence, state.Since?.ToUnixTimeMilliseconds(), state.Evidence, state.FlappingUntil?.ToUnixTimeMilliseconds(), device.SessionCount, (long)subscriptions)}";
    }

    private static string StateOf(AStore store, ClientId client) => $"{store.Query<(long, long, long?, string, long?, long, long)>(
        "SELECT status, fresh_confidence, since, evidence, flapping_until, session_count, subscription_count FROM devices WHERE client_id = @id", new { id = client.Value })[0]}";

    private static string[] Lines<T>(IEnumerable<T> rows) => [.. rows.Select(row => $"{row}").Order()];
}
