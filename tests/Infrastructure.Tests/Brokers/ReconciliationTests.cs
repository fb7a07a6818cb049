using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.Sessions;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Sessions;
using WebhookService.Tests;
using static WebhookService.Domain.Sessions.Confidence;
using static WebhookService.Domain.Sessions.ConnectivityStatus;

namespace WebhookService.Infrastructure.Tests.Brokers;

/// <summary>What the broker's own client list makes of what the reports told.</summary>
public sealed class ReconciliationTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly AClock clock = new(Noon.AddHours(1));
    private readonly ScriptedBroker broker = new();

    [Fact]
    public async Task One_sweep_heals_what_lost_reports_broke_and_tells_each_correction_once()
    {
        await using var store = await OpenAsync();
        var random = new Random(5);
        var wrong = 0;
        for (var i = 0; i < 300; i++)
        {
            var (id, stays) = ($"d{i:000}", random.Next(2) == 0);
            for (var life = 0; life < 3; life++)
            {
                var (at, last) = (Noon.AddSeconds(i + (life * 600)), life == 2 && stays);
                if (Kept()) await store.SendAsync(Connected(id, at));
                if (!last && Kept()) await store.SendAsync(Disconnected(id, at, at.AddSeconds(300)));
                if (last) broker.Connect(id, at);
            }
        }
        foreach (var device in await DevicesAsync(store))
            if (device.Status is Online != broker.Has(device.ClientId)) wrong++;
        Assert.InRange(wrong, 1, 100);

        var first = await SweepAsync(store);
        var second = await SweepAsync(store);

        Assert.Equal((SweepResult.Complete, SweepResult.Complete), (first.Result, second.Result));
        Assert.Equal((wrong, 0L), (first.Findings.CorrectedOnline + first.Findings.CorrectedOffline, second.Findings.CorrectedOnline + second.Findings.CorrectedOffline));
        foreach (var device in await DevicesAsync(store))
            Assert.Equal((device.ClientId, broker.Has(device.ClientId) ? Online : Offline, Confirmed), (device.ClientId, device.Status, device.Confidence));
        Assert.Equal(wrong, Events(store, "device.presence-corrected"));
        Assert.Equal(wrong, store.Query<long>("SELECT count(*) FROM journal JOIN event_types USING (type_no) WHERE name IN ('device.went-online', 'device.went-offline') AND data LIKE '%reconciliation%'")[0]);

        bool Kept() => random.NextDouble() > 0.05;
    }

    [Fact]
    public async Task A_list_that_says_what_is_known_writes_nothing()
    {
        await using var store = await OnlineAsync(5);
        var before = store.Query<long>("SELECT sum(version) FROM activity")[0];

        var sweep = await SweepAsync(store);

        Assert.Equal((5L, 0L), (sweep.Findings.Scanned, sweep.Findings.Confirmed));
        Assert.Equal(before, store.Query<long>("SELECT sum(version) FROM activity")[0]);
    }

    [Theory]
    [InlineData("n1", 30)]
    [InlineData("n2", 0)]
    public async Task A_reconnect_that_no_report_told_of_is_another_session(string node, int minutes)
    {
        await using var store = await OnlineAsync(20);
        broker.Connect("d03", Noon.AddMinutes(minutes), node);

        var sweep = await SweepAsync(store);

        Assert.Equal((1L, 0L), (sweep.Findings.Confirmed, sweep.Findings.CorrectedOnline));
        Assert.Contains((node, Noon.AddMinutes(minutes).ToUnixTimeMilliseconds()), store.Query<(string, long)>(
            "SELECT node, connected_at FROM sessions JOIN clients USING (client_no) WHERE client_id = 'd03'"));
        Assert.Equal(Online, (await DeviceAsync(store, "d03")).Status);
    }

    [Fact]
    public async Task Half_a_list_takes_nobody_offline()
    {
        await using var store = await OnlineAsync(40);
        broker.Misses = id => string.CompareOrdinal(id, "d20") < 0;

        var sweeps = new[] { await SweepAsync(store), await SweepAfterHoldAsync(store), await SweepAfterHoldAsync(store) };

        Assert.Equal([SweepResult.Held, SweepResult.Complete, SweepResult.Held], sweeps.Select(sweep => sweep.Result));
        Assert.All(await DevicesAsync(store), device => Assert.Equal(Online, device.Status));
        Assert.Equal((0L, 20), (Events(store, "device.went-offline"), broker.Asked.Distinct().Count()));
    }

    [Fact]
    public async Task Half_a_list_with_its_true_length_is_not_judged()
    {
        await using var store = await OnlineAsync(40);
        (broker.Misses, broker.Total) = (id => string.CompareOrdinal(id, "d20") < 0, 40);

        var sweep = await SweepAsync(store);

        Assert.Equal((SweepResult.Incomplete, 20L), (sweep.Result, sweep.Findings.Scanned));
        Assert.Contains("40", sweep.Problem, StringComparison.Ordinal);
        Assert.Empty(broker.Asked);
        Assert.All(await DevicesAsync(store), device => Assert.Equal((Online, Confirmed), (device.Status, device.Confidence)));
    }

    [Fact]
    public async Task Many_missing_at_once_are_stale_first_and_offline_when_a_second_sweep_and_each_question_agree()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");

        var first = await SweepAsync(store);
        Assert.Equal((SweepResult.Held, 20L, 0L), (first.Result, first.Findings.Held, first.Findings.Verified));
        Assert.Equal((20, 20), Count(await DevicesAsync(store), Stale, Online));

        var second = await SweepAfterHoldAsync(store);
        Assert.Equal((SweepResult.Complete, 20L, 20L), (second.Result, second.Findings.Verified, second.Findings.CorrectedOffline));
        Assert.Equal((20, 20), Count(await DevicesAsync(store), Confirmed, Offline));
    }

    [Fact]
    public async Task A_second_sweep_that_comes_too_soon_holds_too_and_the_third_in_time_does_not()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");
        await SweepAsync(store);
        clock.Advance(TimeSpan.FromSeconds(29));

        var early = await SweepAsync(store);
        clock.Advance(TimeSpan.FromSeconds(1));
        var inTime = await SweepAsync(store);

        Assert.Equal((SweepResult.Held, 0L, 20L), (early.Result, early.Findings.Verified, early.Findings.Held));
        Assert.Equal((SweepResult.Complete, 20L), (inTime.Result, inTime.Findings.CorrectedOffline));
    }

    [Fact]
    public async Task Others_that_the_second_sweep_misses_are_held_and_those_missing_twice_go_offline()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 15; i++) broker.Disconnect($"d{i:00}");
        await SweepAsync(store);
        for (var i = 15; i < 30; i++) broker.Disconnect($"d{i:00}");

        var second = await SweepAfterHoldAsync(store);
        var third = await SweepAfterHoldAsync(store);

        Assert.Equal((SweepResult.Held, 15L, 15L), (second.Result, second.Findings.CorrectedOffline, second.Findings.Held));
        Assert.Equal((SweepResult.Complete, 15L), (third.Result, third.Findings.CorrectedOffline));
    }

    [Fact]
    public async Task Who_was_heard_of_between_two_sweeps_that_miss_it_is_held_anew()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");
        await SweepAsync(store);
        clock.Advance(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 20; i++) await store.SendAsync(new RecordSignOfLife(new($"d{i:00}"), clock.GetUtcNow(), null, clock.GetUtcNow()));
        clock.Advance(TimeSpan.FromSeconds(10));

        var second = await SweepAfterHoldAsync(store);

        Assert.Equal((SweepResult.Held, 0L), (second.Result, second.Findings.CorrectedOffline));
    }

    [Fact]
    public async Task Who_was_heard_of_since_the_broker_was_asked_is_not_doubted()
    {
        await using var store = await OnlineAsync(2);
        var asOf = clock.GetUtcNow();
        await store.SendAsync(new RecordSignOfLife(new("d00"), asOf.AddSeconds(1), null, asOf.AddSeconds(1)));

        await store.SendAsync(new DoubtDevices([new("d00"), new("d01")], asOf, asOf.AddSeconds(2)));

        Assert.Equal((Confirmed, Stale), ((await StateAsync(store, "d00")).Confidence, (await StateAsync(store, "d01")).Confidence));
    }

    [Fact]
    public async Task Who_was_heard_of_since_the_broker_was_asked_is_not_absent()
    {
        await using var store = await OnlineAsync(1);
        var asOf = clock.GetUtcNow();
        await store.SendAsync(new RecordSignOfLife(new("d00"), asOf.AddSeconds(1), null, asOf.AddSeconds(1)));

        var findings = await store.SendAsync(new RecordAbsent([(new("d00"), null)], asOf, null, asOf.AddSeconds(2)));

        Assert.Equal((default, (Online, Confirmed)), (findings, await StateAsync(store, "d00")));
    }

    [Fact]
    public async Task While_a_sweep_holds_no_single_question_takes_a_device_offline()
    {
        await using var store = await OnlineAsync(40);
        await store.SendAsync(Disconnected("d39", Noon, Noon.AddMinutes(30), "takenover"));
        broker.Denies = _ => true;
        broker.Misses = id => string.CompareOrdinal(id, "d20") < 0;
        await SweepAsync(store);

        var isAnswered = await store.Get<Reconciler>().VerifyAsync(new("d39"), default);

        Assert.True(isAnswered);
        Assert.Equal((Online, Inferred), await StateAsync(store, "d39"));
    }

    [Fact]
    public async Task Devices_of_a_node_that_reports_are_left_alone_by_a_broker_that_does_not_name_it()
    {
        await using var store = await OnlineAsync(20);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}"); // another cluster answers, or half of a split one
        broker.Running = ["n7"];
        var sweeps = new List<ReconciliationView>();
        for (var i = 0; i < 3; i++)
        {
            await store.SendAsync(new RecordSignOfLife(new("d00"), clock.GetUtcNow(), null, clock.GetUtcNow()));
            sweeps.Add(await SweepAfterHoldAsync(store, TimeSpan.FromSeconds(20)));
        }
        Assert.All(sweeps, sweep => Assert.Equal(SweepResult.Held, sweep.Result));
        Assert.Contains("n1", sweeps[0].Problem, StringComparison.Ordinal);
        Assert.All(await DevicesAsync(store), device => Assert.Equal((Online, Confirmed), (device.Status, device.Confidence)));

        await SweepAfterHoldAsync(store); // now the node is silent
        await SweepAfterHoldAsync(store);

        Assert.All(await DevicesAsync(store), device => Assert.Equal(Offline, device.Status));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_device_for_which_there_is_no_answer_is_stale_and_the_others_are_corrected(int others)
    {
        await using var store = await OnlineAsync(20);
        broker.Disconnect("d03");
        if (others > 0) broker.Disconnect("d04");
        broker.Chokes = id => id == "d03"; // it is just connecting

        var sweep = await SweepAsync(store);

        Assert.Equal((SweepResult.Incomplete, others, others), (sweep.Result, sweep.Findings.Verified, sweep.Findings.CorrectedOffline));
        Assert.Equal(((Online, Stale), others > 0 ? Offline : Online), (await StateAsync(store, "d03"), (await DeviceAsync(store, "d04")).Status));
    }

    [Fact]
    public async Task A_broker_that_answers_no_question_for_a_client_is_down()
    {
        await using var store = await OnlineAsync(100);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");
        broker.Chokes = _ => true;

        var sweep = await SweepAsync(store);

        Assert.Equal((SweepResult.Failed, 0L), (sweep.Result, sweep.Findings.Verified));
        Assert.All(await DevicesAsync(store), device => Assert.Equal((Online, Confirmed), (device.Status, device.Confidence)));
    }

    [Theory]
    [InlineData(-5)]
    [InlineData(0.5)]
    [InlineData(8)]
    public async Task Times_of_another_zone_end_the_sweep_with_a_sentence_and_change_nothing(double hours)
    {
        await using var store = await OnlineAsync(20);
        broker.Tells = client => client with { ConnectedAt = client.ConnectedAt.AddHours(hours).AddMilliseconds(-400), Precision = TimeSpan.FromSeconds(1) };

        var sweep = await SweepAsync(store);

        Assert.Equal(SweepResult.Failed, sweep.Result);
        Assert.Contains("TimeZone", sweep.Problem, StringComparison.Ordinal);
        Assert.All(await DevicesAsync(store), device => Assert.Equal((Online, Confirmed, Noon), (device.Status, device.Confidence, device.Since)));
    }

    [Theory]
    [InlineData(-90, -91)]
    [InlineData(-1.5, -2.5)]
    [InlineData(1.5, -1)]
    [InlineData(90, 89)]
    public async Task What_a_list_says_counts_from_before_it_was_asked_for_by_the_brokers_clock(double offset, double asOf)
    {
        await using var store = await OnlineAsync(20);
        broker.ClockOffset = TimeSpan.FromSeconds(offset);
        broker.Disconnect("d03");

        await SweepAsync(store);

        Assert.Equal(clock.GetUtcNow().AddSeconds(asOf), (await DeviceAsync(store, "d03")).Since);
    }

    [Fact]
    public async Task Who_connects_while_the_list_is_read_is_not_taken_for_missing()
    {
        await using var store = await OnlineAsync(20);
        broker.BeforePage = async page =>
        {
            if (page == 1) await store.SendAsync(Connected("late", clock.GetUtcNow())); // too late for the list
        };

        var sweep = await SweepAsync(store);

        Assert.Equal((SweepResult.Complete, 0L), (sweep.Result, sweep.Findings.Verified));
        Assert.Equal(Online, (await DeviceAsync(store, "late")).Status);
    }

    [Fact]
    public async Task A_client_listed_though_its_end_is_known_stays_offline()
    {
        await using var store = await OnlineAsync(20);
        broker.BeforePage = async _ => await store.SendAsync(Disconnected("d07", Noon, clock.GetUtcNow()));

        await SweepAsync(store);

        Assert.Equal((Offline, Confirmed), await StateAsync(store, "d07"));
    }

    [Fact]
    public async Task The_end_of_a_session_that_the_broker_kept_is_known_to_the_millisecond()
    {
        await using var store = await OnlineAsync(20);
        broker.Suspend("d03", Noon.AddMinutes(7));

        await SweepAsync(store);

        var device = await DeviceAsync(store, "d03");
        Assert.Equal((Offline, Confirmed, Noon.AddMinutes(7), "broker-list"), (device.Status, device.Confidence, device.Since, device.Evidence));
        Assert.Equal([("reconciled", Noon.AddMinutes(7).ToUnixTimeMilliseconds())], store.Query<(string, long)>(
            "SELECT ended_by, alive_until FROM sessions JOIN clients USING (client_no) WHERE client_id = 'd03'"));
    }

    [Fact]
    public async Task An_end_that_nobody_saw_lies_between_the_last_evidence_and_the_question()
    {
        await using var store = await OnlineAsync(20);
        await SweepAsync(store);
        var listed = clock.GetUtcNow();
        clock.Advance(TimeSpan.FromMinutes(4));
        broker.Disconnect("d03");

        await SweepAsync(store);

        var (alive, end) = store.Query<(long, long)>("SELECT alive_until, end_at FROM sessions JOIN clients USING (client_no) WHERE client_id = 'd03'")[0];
        Assert.Equal((listed.AddSeconds(-1), listed.AddSeconds(239)), (DateTimeOffset.FromUnixTimeMilliseconds(alive), DateTimeOffset.FromUnixTimeMilliseconds(end)));
    }

    [Fact]
    public async Task Who_gave_a_sign_of_life_after_the_last_list_is_known_to_have_lived_until_then()
    {
        await using var store = await OnlineAsync(20);
        await SweepAsync(store);
        clock.Advance(TimeSpan.FromMinutes(2));
        var sign = clock.GetUtcNow();
        await store.SendAsync(new RecordSignOfLife(new("d03"), sign, null, sign));
        clock.Advance(TimeSpan.FromMinutes(2));
        broker.Disconnect("d03");

        await SweepAsync(store);

        Assert.Equal(sign.ToUnixTimeMilliseconds(), store.Query<long>("SELECT alive_until FROM sessions JOIN clients USING (client_no) WHERE client_id = 'd03'")[0]);
    }

    [Fact]
    public async Task Who_is_listed_lived_when_the_broker_was_asked_and_no_later()
    {
        await using var store = await OpenAsync();
        broker.Connect("unheard-of", Noon);

        await SweepAsync(store);

        Assert.Equal(clock.GetUtcNow().AddSeconds(-1), (await DeviceAsync(store, "unheard-of")).LastSeenAt);
    }

    [Fact]
    public async Task A_broker_that_fails_halfway_leaves_a_report_that_says_why()
    {
        await using var store = await OnlineAsync(20);
        broker.Connect("unheard-of", Noon);
        broker.BeforePage = page =>
        {
            broker.IsDown = page == 2;
            return Task.CompletedTask;
        };

        var sweep = await SweepAsync(store);

        Assert.Equal((SweepResult.Failed, "The broker is down. Start it.", 20L), (sweep.Result, sweep.Problem, sweep.Findings.Scanned));
        Assert.Equal("The broker is down. Start it.", store.Get<BrokerWatch>().Of(broker).Problem);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_takeover_without_a_known_successor_is_asked_for(bool connected)
    {
        await using var store = await OnlineAsync(20);
        if (!connected) broker.Disconnect("d05");
        else broker.Connect("d05", Noon.AddMinutes(30), peer: "10.0.0.5:77");
        await store.SendAsync(Disconnected("d05", Noon, Noon.AddMinutes(30), "takenover"));
        Assert.Equal((Online, Inferred), await StateAsync(store, "d05"));

        await AdvanceUntilAsync(async () => (await StateAsync(store, "d05")).Confidence is Confirmed);

        Assert.Equal(["d05"], broker.Asked);
        Assert.Equal(connected ? Online : Offline, (await DeviceAsync(store, "d05")).Status);
    }

    [Fact]
    public async Task A_takeover_without_a_known_successor_is_an_end_when_the_broker_cannot_be_asked()
    {
        await using var store = await OnlineAsync(20);
        broker.IsDown = true;
        await store.SendAsync(Disconnected("d05", Noon, Noon.AddMinutes(30), "takenover"));

        await AdvanceUntilAsync(async () => (await DeviceAsync(store, "d05")).Status is Offline);

        Assert.Equal((Offline, Inferred), await StateAsync(store, "d05"));
    }

    [Fact]
    public async Task A_broker_that_gives_no_answer_is_not_asked_for_the_next_device_at_once()
    {
        await using var store = await OnlineAsync(20);
        var reconciler = store.Get<Reconciler>();
        broker.IsDown = true;
        Assert.False(await reconciler.VerifyAsync(new("d01"), default));
        broker.IsDown = false;

        Assert.False(await reconciler.VerifyAsync(new("d02"), default));
        Assert.Empty(broker.Asked);

        clock.Advance(TimeSpan.FromDays(1));
        Assert.True(await reconciler.VerifyAsync(new("d02"), default));
    }

    [Fact]
    public async Task A_device_that_shows_life_without_a_known_session_is_asked_for()
    {
        await using var store = await OnlineAsync(20);
        broker.Connect("lost", Noon.AddMinutes(1));
        await store.SendAsync(new RecordSignOfLife(new("lost"), Noon.AddMinutes(30), null, clock.GetUtcNow()));
        Assert.Equal((Online, Inferred), await StateAsync(store, "lost"));

        await AdvanceUntilAsync(async () => (await StateAsync(store, "lost")).Confidence is Confirmed);

        Assert.Equal((Online, Noon.AddMinutes(1), "broker-list"), await DeviceAsync(store, "lost") is var device ? (device.Status, device.Since, device.Evidence) : default);
    }

    // ---- when ----------------------------------------------------------------------------------------------------------

    [Fact]
    public async Task Sweeps_come_at_the_start_by_schedule_and_when_something_may_have_been_lost()
    {
        broker.Connect("d1", Noon);
        await using var store = await AStore.OpenAsync(clock, [broker], ("Reconciliation:Interval", "01:00:00"), ("Reconciliation:CheckInterval", "00:00:05"), ("Reconciliation:IngestGap", "00:01:00"));
        await SweepsAsync(store, SweepCause.Start);

        broker.Lost = 7;
        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses);

        broker.Running = ["n1"];
        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses, SweepCause.NodeGone);

        var watch = store.Get<IngestWatch>();
        watch.Heard();
        clock.Advance(TimeSpan.FromMinutes(3));
        watch.Heard();
        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses, SweepCause.NodeGone, SweepCause.IngestGap);

        watch.Refused();
        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses, SweepCause.NodeGone, SweepCause.IngestGap, SweepCause.IngestGap);

        // A sweep is written down before the next one is planned, which is an hour after it.
        var last = (await store.SendAsync(new ListReconciliations(null, new(1, null)))).Items[0].FinishedAt;
        await Eventually.IsAsync(() => store.Get<BrokerWatch>().Of(broker).NextSweepAt >= last + TimeSpan.FromHours(1));
        clock.Advance(TimeSpan.FromHours(1));
        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses, SweepCause.NodeGone, SweepCause.IngestGap, SweepCause.IngestGap, SweepCause.Schedule);
    }

    [Fact]
    public async Task A_look_at_the_broker_that_fails_in_this_program_does_not_end_the_watch()
    {
        broker.Connect("d1", Noon);
        await using var store = await AStore.OpenAsync(clock, [broker], ("Reconciliation:Interval", "01:00:00"), ("Reconciliation:CheckInterval", "00:00:05"));
        await SweepsAsync(store, SweepCause.Start);
        var isFailing = true;
        var failures = 0;
        broker.BeforeCondition = () =>
        {
            if (!isFailing) return;
            failures++;
            throw failures == 1 ? new InvalidOperationException("A fault.") : new TaskCanceledException("Another.");
        };
        await AdvanceUntilAsync(() => Task.FromResult(failures >= 2));
        isFailing = false;

        broker.Lost = 7;

        await SweepsAsync(store, SweepCause.Start, SweepCause.Losses);
    }

    [Fact]
    public async Task A_sweep_that_held_is_repeated_soon()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");
        await store.Get<SweepDesk>().AskAsync(broker.Name, SweepCause.Request, default);

        await AdvanceUntilAsync(async () => (await DevicesAsync(store)).Count(device => device.Status is Offline) == 20);

        Assert.Equal(SweepCause.Brake, (await store.SendAsync(new ListReconciliations(null, new(1, null)))).Items[0].Cause);
    }

    [Fact]
    public async Task A_hold_outlives_a_sweep_that_failed_and_a_broker_that_answers_again_is_compared_at_once()
    {
        await using var store = await OnlineAsync(40);
        for (var i = 0; i < 20; i++) broker.Disconnect($"d{i:00}");
        var desk = store.Get<SweepDesk>();
        await desk.AskAsync(broker.Name, SweepCause.Request, default);
        await AdvanceUntilAsync(async () => (await store.SendAsync(new ListReconciliations(null, new(1, null)))).Items[0].Result is SweepResult.Held);
        broker.IsDown = true;
        await desk.AskAsync(broker.Name, SweepCause.Request, default);
        await AdvanceUntilAsync(async () => (await store.SendAsync(new ListReconciliations(null, new(1, null)))).Items[0].Result is SweepResult.Failed);
        broker.IsDown = false;

        await AdvanceUntilAsync(async () => (await DevicesAsync(store)).Count(device => device.Status is Offline) == 20);
    }

    [Fact]
    public async Task A_sweep_that_was_under_way_when_the_service_stopped_has_failed()
    {
        await using var first = await AStore.OpenAsync(clock);
        var id = await first.SendAsync(new BeginReconciliation("emqx", SweepCause.Request));

        await using var second = await AStore.OpenAsync(clock);
        await first.SendAsync(new AbandonReconciliations());

        var sweep = (await first.SendAsync(new GetReconciliation(id)))!;
        Assert.Equal((SweepResult.Failed, clock.GetUtcNow()), (sweep.Result, sweep.FinishedAt));
    }

    [Fact]
    public async Task Each_broker_answers_for_its_own_nodes_only()
    {
        var (east, west) = (new ScriptedBroker("east", "e"), new ScriptedBroker("west", "w"));
        await using var store = await AStore.OpenAsync(clock, [east, west], ("Reconciliation:Interval", "1.00:00:00"));
        await SweepsAsync(store, SweepCause.Start, SweepCause.Start);
        for (var i = 0; i < 10; i++)
        {
            var (inEast, inWest) = (east.Connect($"e{i}", Noon), west.Connect($"w{i}", Noon));
            await store.SendAsync(Connected($"e{i}", Noon, inEast.Node));
            await store.SendAsync(Connected($"w{i}", Noon, inWest.Node));
        }
        west.IsDown = true;
        east.Disconnect("e3");

        await SweepAsync(store, east);

        Assert.Equal(["e3"], (await DevicesAsync(store)).Where(device => device.Status is Offline).Select(device => device.ClientId));
        Assert.Equal(["e3"], east.Asked);
        Assert.Empty(west.Asked);
    }

    [Fact]
    public async Task A_device_that_two_brokers_claim_is_not_taken_for_lost_by_one_of_them()
    {
        var (all, one) = (new ScriptedBroker("all", "n"), new ScriptedBroker("one", "n1"));
        await using var store = await AStore.OpenAsync(clock, [all, one], ("Reconciliation:Interval", "1.00:00:00"));
        await SweepsAsync(store, SweepCause.Start, SweepCause.Start);
        one.Connect("d1", Noon, "n1");
        await store.SendAsync(Connected("d1", Noon));

        var sweep = await SweepAsync(store, all);

        Assert.Equal((SweepResult.Complete, 0L), (sweep.Result, sweep.Findings.Verified));
        Assert.Equal((Online, Confirmed), await StateAsync(store, "d1"));
    }

    [Fact]
    public async Task A_device_that_may_be_on_a_broker_that_does_not_answer_is_not_called_absent()
    {
        var (east, west) = (new ScriptedBroker("east", "e"), new ScriptedBroker("west", "w"));
        await using var store = await AStore.OpenAsync(clock, [east, west], ("Reconciliation:Interval", "1.00:00:00"));
        await SweepsAsync(store, SweepCause.Start, SweepCause.Start);
        await store.SendAsync(new RecordSignOfLife(new("d1"), Noon, null, clock.GetUtcNow()));
        west.IsDown = true;

        var isAnswered = await store.Get<Reconciler>().VerifyAsync(new("d1"), default);

        Assert.False(isAnswered);
        Assert.Equal((Online, Inferred), await StateAsync(store, "d1"));
    }

    [Fact]
    public async Task A_question_for_one_device_goes_by_the_brokers_clock_also_before_the_first_sweep()
    {
        await using var store = await OnlineAsync(20);
        store.Get<BrokerWatch>().Of(broker).Condition = null;
        broker.ClockOffset = TimeSpan.FromMinutes(-3);
        broker.Disconnect("d03");

        await store.Get<Reconciler>().VerifyAsync(new("d03"), default);

        Assert.Equal(clock.GetUtcNow().AddSeconds(-181), (await DeviceAsync(store, "d03")).Since);
    }

    // ---- the parts -----------------------------------------------------------------------------------------------------

    /// <summary>A store with the broker, past the sweep of the start, which found nobody; no other comes by itself.</summary>
    private async Task<AStore> OpenAsync()
    {
        var store = await AStore.OpenAsync(clock, [broker], ("Reconciliation:Interval", "1.00:00:00"), ("Reconciliation:CheckInterval", "1.00:00:00"));
        await SweepsAsync(store, SweepCause.Start);
        return store;
    }

    private async Task<AStore> OnlineAsync(int devices)
    {
        var store = await OpenAsync();
        for (var i = 0; i < devices; i++)
        {
            broker.Connect($"d{i:00}", Noon);
            await store.SendAsync(Connected($"d{i:00}", Noon));
        }
        return store;
    }

    private Task<ReconciliationView> SweepAsync(AStore store) => SweepAsync(store, broker);

    private Task<ReconciliationView> SweepAfterHoldAsync(AStore store, TimeSpan? hold = null)
    {
        clock.Advance(hold ?? TimeSpan.FromSeconds(30));
        return SweepAsync(store);
    }

    private static async Task<ReconciliationView> SweepAsync(AStore store, ScriptedBroker broker)
    {
        var id = await store.SendAsync(new BeginReconciliation(broker.Name, SweepCause.Request));
        await store.Get<Reconciler>().SweepAsync(broker, id, default);
        return (await store.SendAsync(new GetReconciliation(id)))!;
    }

    /// <summary>Waits, by the test's clock, until these sweeps are done and no other.</summary>
    private Task SweepsAsync(AStore store, params SweepCause[] causes) => AdvanceUntilAsync(async () =>
    {
        var sweeps = (await store.SendAsync(new ListReconciliations(null, new(20, null)))).Items.Reverse().ToList();
        Assert.Equal(causes.Take(sweeps.Count), sweeps.Select(sweep => sweep.Cause));
        return sweeps.Count == causes.Length && sweeps.TrueForAll(sweep => sweep.FinishedAt is not null);
    });

    private async Task AdvanceUntilAsync(Func<Task<bool>> reached)
    {
        for (var i = 0; i < 600; i++)
        {
            if (await reached()) return;
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(i switch { < 100 => 10, < 200 => 50, _ => 400 }); // the longer it takes the slower the clock: a busy machine needs longer, and no more of the clock
        }
        Assert.Fail("It did not come within 10 minutes of the test's clock.");
    }

    private static async Task<IReadOnlyList<DeviceView>> DevicesAsync(AStore store) =>
        (await store.SendAsync(new ListDevices(new DeviceFilter(), new DeviceSort(DeviceSortKey.ClientId, false), new PageRequest(1000, null), Count: false))).Items;

    private static async Task<DeviceView> DeviceAsync(AStore store, string id) => (await store.SendAsync(new GetDevice(new(id))))!;

    private static async Task<(ConnectivityStatus Status, Confidence Confidence)> StateAsync(AStore store, string id) =>
        await DeviceAsync(store, id) is var device ? (device.Status, device.Confidence) : default;

    private static (int, int) Count(IReadOnlyList<DeviceView> devices, Confidence confidence, ConnectivityStatus status) =>
        (devices.Count(device => device.Confidence == confidence && (device.Status == status || confidence is Stale)), devices.Count(device => device.Status == status && device.Confidence is not Stale));

    private static long Events(AStore store, string name) =>
        store.Query<long>("SELECT count(*) FROM journal JOIN event_types USING (type_no) WHERE name = @name", new { name })[0];

    private RecordClientConnected Connected(string id, DateTimeOffset at, string node = "n1") =>
        new(new(id), node, at, null, new ConnectionDetails { KeepAliveSeconds = 60 }, clock.GetUtcNow());

    private RecordClientDisconnected Disconnected(string id, DateTimeOffset connectedAt, DateTimeOffset at, string reason = "normal") =>
        new(new(id), "n1", connectedAt, null, at, reason, null, clock.GetUtcNow());
}
