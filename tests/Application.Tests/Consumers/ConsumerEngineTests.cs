using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Tests;

namespace WebhookService.Application.Tests.Consumers;

public sealed class ConsumerEngineTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly AWorld world = new();

    [Fact]
    public async Task A_new_consumer_begins_with_the_next_event_and_its_place_is_durable_at_once()
    {
        world.Journal.Append("a", "b");
        await using var running = world.Start(ConsumerOptions.Default);
        await running.UntilAsync(() => world.State is not null);

        world.Journal.Append("c");

        await running.UntilAsync(() => !world.Handled.IsEmpty);
        Assert.Equal([3L], world.Handled.Select(one => one.Seq));
    }

    [Fact]
    public async Task A_new_consumer_misses_nothing_that_another_made_before_it_was_started()
    {
        world.Journal.Append("a", "b", "c");

        await using var running = world.Start(ConsumerOptions.Default, startsAfter: 1);

        await running.UntilDoneAsync();
        Assert.Equal([2L, 3L], world.Handled.Select(one => one.Seq).Order());
    }

    [Fact]
    public async Task From_the_beginning_means_the_oldest_event_that_is_kept()
    {
        world.Journal.Append("a", "b", "c");
        world.Journal.RemoveBefore(2);

        await using var running = world.Start();

        await running.UntilDoneAsync();
        Assert.Equal([2L, 3L], world.Handled.Select(one => one.Seq).Order());
        Assert.Equal(0, running.Engine.State.Missed);
    }

    [Fact]
    public async Task A_client_that_fails_delays_only_itself()
    {
        world.Journal.Append("bad", "good", "bad", "good");
        var heal = false;
        await using var running = world.Start(handle: (entry, _, _) =>
            entry.Client!.Value.Value == "bad" && !heal ? throw new InvalidOperationException("no") : Task.CompletedTask);

        await running.UntilAsync(() => running.Engine.State.Position == 4 && world.HandledOf("good").Count() == 2);

        Assert.Equal([2L, 4L], world.HandledOf("good"));
        Assert.Empty(world.HandledOf("bad"));
        Assert.Equal(2, running.Engine.Parked);
        heal = true;
        await running.UntilDoneAsync(Second);
        Assert.Equal([1L, 3L], world.HandledOf("bad"));
    }

    [Fact]
    public async Task Who_says_when_to_come_again_is_not_asked_before()
    {
        world.Journal.Append("a");
        await using var running = world.Start(handle: (_, handling, _) => handling.Attempt == 1 ? throw new TryAgainException("busy", 90 * Second) : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked == 1);

        var notBefore = world.Clock.GetUtcNow() + (90 * Second);

        await running.UntilAsync(() => world.Parked.Count == 1, Second);

        Assert.Equal(notBefore, world.Parked[0].NextAt);
        await running.UntilDoneAsync(Second);
        Assert.True(world.Clock.GetUtcNow() >= notBefore);
        Assert.Equal(TimeSpan.FromHours(1), new TryAgainException("next year", TimeSpan.FromDays(365)).After);
    }

    [Fact]
    public async Task Events_of_a_client_that_come_while_an_earlier_one_waits_stay_behind_it()
    {
        world.Journal.Append("a");
        await using var running = world.Start(handle: (entry, handling, _) =>
            entry.Seq == 1 && handling.Attempt < 3 ? throw new InvalidOperationException("no") : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked == 1);

        world.Journal.Append("a", "a");

        await running.UntilDoneAsync(Second);
        Assert.Equal([1L, 2L, 3L], world.HandledOf("a"));
    }

    [Theory]
    [InlineData(0.0, new[] { 0.8, 1.6, 3.2, 4.0 })]
    [InlineData(1.0, new[] { 1.0, 2.0, 4.0, 5.0 })]
    public void Waits_double_up_to_the_longest_and_are_spread_by_a_fifth(double spread, double[] seconds)
    {
        var options = new ConsumerOptions { FirstDelay = Second, LongestDelay = 5 * Second };

        var waits = Enumerable.Range(1, 4).Select(attempts => options.DelayAfter(attempts, spread).TotalSeconds);

        Assert.Equal(seconds, waits);
        Assert.Equal(5, options.DelayAfter(100, 1).TotalSeconds);
    }

    [Fact]
    public async Task A_failed_event_is_not_tried_before_its_time()
    {
        world.Journal.Append("a");
        var tries = 0;
        await using var running = world.Start(handle: (_, _, _) =>
        {
            Interlocked.Increment(ref tries);
            throw new InvalidOperationException("no");
        });
        await running.UntilAsync(() => running.Engine.Parked == 1);

        world.Clock.Advance(TimeSpan.FromSeconds(0.75));
        await running.SettleAsync();
        Assert.Equal(1, tries);

        world.Clock.Advance(TimeSpan.FromSeconds(0.25));
        await running.UntilAsync(() => tries == 2);
    }

    [Fact]
    public async Task After_the_last_try_an_event_is_a_dead_letter_with_reason_and_stack_and_the_next_one_goes_on()
    {
        world.Journal.Append("a", "a");
        await using var running = world.Start(AWorld.Options with { Attempts = 3 }, (entry, _, _) => entry.Seq == 1 ? Fail() : Task.CompletedTask);

        await running.UntilDoneAsync(Second);

        await running.StopAsync();
        var dead = Assert.Single(world.Dead).Value;
        Assert.Equal((1, 3, "the door is shut"), (dead.Entry.Seq, dead.Attempts, dead.Reason));
        Assert.Contains(nameof(Fail), dead.Detail, StringComparison.Ordinal);
        Assert.Equal([2L], world.HandledOf("a"));
        Assert.Equal("Event 1: the door is shut", running.Engine.State.LastError);
        Assert.Equal((3, 1), (running.Engine.Failed, running.Engine.Buried));
        Assert.Empty(world.Parked);
    }

    [Fact]
    public async Task An_event_that_its_handler_gives_up_is_a_dead_letter_at_once()
    {
        world.Journal.Append("a");
        await using var running = world.Start(handle: (_, _, _) => throw new GiveUpException("no such plant"));

        await running.UntilDoneAsync();
        await running.StopAsync();

        Assert.Equal((1, "no such plant"), (world.Dead.Values.Single().Attempts, world.Dead.Values.Single().Reason));
    }

    [Fact]
    public async Task Dead_letters_taken_back_go_in_front_of_what_waits_of_their_client()
    {
        world.Journal.Append("a", "a", "a");
        var broken = new HashSet<long> { 1, 2 };
        var hold = new TaskCompletionSource();
        await using var running = world.Start(AWorld.Options with { Attempts = 1 }, (entry, _, _) =>
            broken.Contains(entry.Seq) ? throw new InvalidOperationException("no") : entry.Seq == 3 ? hold.Task : Task.CompletedTask);
        await running.UntilAsync(() => world.Dead.Count == 2, Second);
        broken.Clear();

        world.Journal.Append("a");
        await running.UntilAsync(() => world.Journal.Reads == 3);
        Assert.True(await running.Engine.RedeliverAsync(2));
        Assert.True(await running.Engine.RedeliverAsync(1));
        Assert.False(await running.Engine.RedeliverAsync(1));
        hold.SetResult();

        await running.UntilDoneAsync();
        Assert.Equal([3L, 1L, 2L, 4L], world.HandledOf("a"));
        await running.StopAsync();
        Assert.Empty(world.Parked);
        Assert.Empty(world.Dead);
    }

    [Fact]
    public async Task A_dead_letter_that_was_taken_back_survives_a_restart_before_it_is_handled()
    {
        world.Journal.Append("a");
        await using (var first = world.Start(AWorld.Options with { Attempts = 1 }, (_, _, _) => Fail()))
        {
            await first.UntilAsync(() => world.Dead.Count == 1, Second);
            await first.Engine.PauseAsync();
            await first.Engine.RedeliverAsync(1);
            await first.StopAsync();
        }

        await using var second = world.Start();
        await second.Engine.ResumeAsync();

        await second.UntilDoneAsync();
        Assert.Equal([1L], world.Handled.Select(one => one.Handling.Key));
    }

    [Fact]
    public async Task A_paused_consumer_begins_nothing_even_after_a_restart_and_goes_on_when_resumed()
    {
        await using (var first = world.Start())
        {
            await first.Engine.PauseAsync();
            world.Journal.Append("a", "b");
            await first.SettleAsync();
            Assert.Empty(world.Handled);
            Assert.Equal(2, first.Engine.Lag);
            await first.StopAsync();
        }
        await using var second = world.Start();
        await second.SettleAsync();
        Assert.Empty(world.Handled);

        await second.Engine.ResumeAsync();

        await second.UntilDoneAsync();
        Assert.Equal(2, world.Handled.Count);
    }

    [Fact]
    public async Task Pausing_does_not_wait_for_a_handler_that_takes_long()
    {
        world.Journal.Append("a", "a");
        var held = new Held();
        await using var running = world.Start(handle: held.HandleAsync);
        await running.UntilAsync(() => held.Began == 1);

        await running.Engine.PauseAsync().WaitAsync(Eventually.Patience);
        held.Release();

        await running.UntilAsync(() => running.Engine.State.Handled == 1);
        await running.SettleAsync();
        Assert.Equal(1, held.Began);
    }

    [Fact]
    public async Task A_replay_handles_events_again_says_so_and_ends_where_it_began()
    {
        world.Journal.Append("a", "a", "a");
        await using var running = world.Start();
        await running.UntilDoneAsync();

        await running.Engine.ReplayAsync(2);
        await running.UntilAsync(() => world.Handled.Count == 5);
        world.Journal.Append("a");

        await running.UntilAsync(() => world.Handled.Count == 6);
        Assert.Equal(
            [(1L, false), (2L, false), (3L, false), (2L, true), (3L, true), (4L, false)],
            world.Handled.Select(one => (one.Seq, one.Handling.IsReplay)));
        Assert.Null(running.Engine.State.ReplayUntil);
    }

    [Fact]
    public async Task A_replay_that_is_ended_goes_on_where_it_was_before()
    {
        world.Journal.Append([.. Enumerable.Repeat("a", 1_000)]);
        var gate = new SemaphoreSlim(0);
        var isReplay = false;
        await using var running = world.Start(handle: (_, _, cancellation) => isReplay ? gate.WaitAsync(cancellation) : Task.CompletedTask);
        await running.UntilDoneAsync();
        isReplay = true;
        await running.Engine.ReplayAsync(1);
        await running.UntilAsync(() => running.Engine.State.ReplayUntil == 1_000 && world.Journal.Reads > 4);

        var end = running.Engine.EndReplayAsync();
        gate.Release();
        await end;
        isReplay = false;
        world.Journal.Append("a");

        await running.UntilDoneAsync();
        Assert.InRange(world.Handled.Count, 1_001, 1_003);
        Assert.Equal((1_001, false), (world.Handled.Last().Seq, world.Handled.Last().Handling.IsReplay));
    }

    [Fact]
    public async Task A_replay_goes_on_after_a_restart()
    {
        world.Journal.Append("a", "b", "a", "b");
        await using (var first = world.Start())
        {
            await first.UntilDoneAsync();
            await first.Engine.PauseAsync();
            await first.Engine.ReplayAsync(3);
            await first.StopAsync();
        }
        await using var second = world.Start();

        await second.Engine.ResumeAsync();

        await second.UntilDoneAsync();
        Assert.Equal([3L, 4L], world.Handled.Skip(4).Select(one => one.Seq).Order());
        Assert.All(world.Handled.Skip(4), one => Assert.True(one.Handling.IsReplay));
    }

    [Fact]
    public async Task A_replay_does_not_try_a_parked_event_early_and_it_keeps_its_turn()
    {
        world.Journal.Append("a", "a");
        var broken = true;
        await using var running = world.Start(handle: (entry, _, _) => entry.Seq == 2 && broken ? Fail() : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked == 1 && running.Engine.State.Position == 2);

        await running.Engine.ReplayAsync(1);
        await running.SettleAsync();
        broken = false;

        await running.UntilDoneAsync(Second);
        Assert.Equal([1L, 1L, 2L], world.HandledOf("a"));
    }

    [Fact]
    public async Task A_parked_event_that_is_due_does_not_overtake_the_earlier_ones_of_its_client_that_a_replay_brings()
    {
        world.Journal.Append("a", "a", "a");
        var broken = true;
        await using var running = world.Start(handle: (entry, _, _) => entry.Seq == 3 && broken ? Fail() : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked == 1 && running.Engine.State.Position == 3);
        await running.Engine.PauseAsync();
        world.Clock.Advance(60 * Second);
        broken = false;

        await running.Engine.ReplayAsync(1);
        await running.Engine.ResumeAsync();

        await running.UntilDoneAsync();
        Assert.Equal([1L, 2L, 1L, 2L, 3L], world.HandledOf("a"));
    }

    [Fact]
    public async Task A_parked_event_that_is_due_does_not_overtake_those_that_come_again_after_a_death()
    {
        world.Journal.Append("slow", "a", "a");
        var hold = new TaskCompletionSource();
        await using (var first = world.Start(handle: (entry, _, _) => entry.Seq == 1 ? hold.Task : entry.Seq == 3 ? Fail() : Task.CompletedTask))
        {
            await first.UntilAsync(() => first.Engine.Parked == 1);
            world.Clock.Advance(ConsumerEngine.SaveEvery);
            await first.UntilAsync(() => world.Parked.Count == 1);
            world.BeforeSave = () => throw new InvalidOperationException("The process is dead.");
            hold.SetResult();
        }
        Assert.Equal(0, world.State!.Position); // so that 2 comes again
        world.BeforeSave = () => { };
        world.Clock.Advance(60 * Second);
        var before = world.HandledOf("a").Count();

        await using var second = world.Start();

        await second.UntilDoneAsync();
        Assert.Equal([2L, 3L], world.HandledOf("a").Skip(before));
    }

    [Fact]
    public async Task More_parked_events_than_are_allowed_do_not_keep_a_replay_from_coming_to_them()
    {
        world.Journal.Append([.. Enumerable.Range(0, ConsumerEngine.MostParked + 2_000).Select(i => $"c{i}")]);
        var options = AWorld.Options with { Lanes = 64, FirstDelay = TimeSpan.FromHours(1), LongestDelay = TimeSpan.FromHours(1) };
        var isDown = true;
        await using var running = world.Start(options, (_, _, _) => isDown ? Fail() : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked >= ConsumerEngine.MostParked);
        await running.Engine.PauseAsync();
        await running.Engine.EndReplayAsync(); // there is none, but until then what is under way has ended: the clock below would time it out
        isDown = false;
        world.Clock.Advance(TimeSpan.FromHours(2));

        await running.Engine.ReplayAsync(1);
        await running.Engine.ResumeAsync();

        await running.UntilDoneAsync();
        Assert.Equal(world.Journal.Head, world.Handled.DistinctBy(one => one.Seq).Count());
    }

    [Fact]
    public async Task A_dead_letter_that_is_delivered_again_waits_on_disk_even_if_a_replay_has_just_handled_it()
    {
        world.Journal.Append("a");
        var (tries, fourth, fifth) = (0, new TaskCompletionSource(), new TaskCompletionSource());
        await using var running = world.Start(AWorld.Options with { Attempts = 2 }, (_, _, _) => Interlocked.Increment(ref tries) switch { <= 3 => Fail(), 4 => fourth.Task, _ => fifth.Task });
        await running.UntilAsync(() => world.Dead.Count == 1, Second); // tries 1 and 2
        await running.Engine.ReplayAsync(1); // 3 fails
        await running.UntilAsync(() => world.Parked.Count == 1, ConsumerEngine.SaveEvery);
        await running.UntilAsync(() => Volatile.Read(ref tries) == 4, Second);
        await running.Engine.ResumeAsync(); // all is written down …
        fourth.SetResult();
        await running.UntilAsync(() => running.Engine.State.Handled == 1); // … but that the parked event is done

        await running.Engine.RedeliverAsync(1);

        Assert.Equal([1L], world.Parked.Select(one => one.Seq));
        fifth.SetResult();
    }

    [Fact]
    public async Task A_dead_letter_that_is_delivered_again_while_a_replay_handles_it_comes_once_more_and_not_as_a_replay()
    {
        world.Journal.Append("a", "a");
        var (tries, hold) = (0, new TaskCompletionSource());
        await using var running = world.Start(handle: (entry, _, _) => entry.Seq != 1 ? Task.CompletedTask : Interlocked.Increment(ref tries) switch { 1 => throw new GiveUpException("no"), 2 => hold.Task, _ => Task.CompletedTask });
        await running.UntilDoneAsync();
        await running.UntilAsync(() => world.Dead.Count == 1, ConsumerEngine.SaveEvery);
        await running.Engine.ReplayAsync(1);
        await running.UntilAsync(() => Volatile.Read(ref tries) == 2);

        await running.Engine.RedeliverAsync(1);
        Assert.False(Assert.Single(world.Parked).IsReplay); // a death now would not lose it
        hold.SetResult();

        await running.UntilDoneAsync();
        await running.StopAsync();
        Assert.Equal([(2L, false), (1L, true), (1L, false), (2L, true)], world.Handled.Select(one => (one.Seq, one.Handling.IsReplay)));
        Assert.Empty(world.Parked);
    }

    [Fact]
    public async Task A_replay_of_more_than_was_handled_calls_only_that_a_replay()
    {
        world.Journal.Append("slow", "quick");
        var hold = new TaskCompletionSource();
        await using var running = world.Start(handle: (entry, _, _) => entry.Client!.Value.Value == "slow" ? hold.Task : Task.CompletedTask);
        await running.UntilAsync(() => world.HandledOf("quick").Any());

        var replay = running.Engine.ReplayAsync(1);
        await running.SettleAsync();
        Assert.False(replay.IsCompleted, "A replay begins when nothing is under way.");
        hold.SetResult();
        await replay;

        await running.UntilDoneAsync();
        Assert.Equal([1L, 1L], world.HandledOf("slow"));
        Assert.Equal([2L, 2L], world.HandledOf("quick"));
    }

    [Fact]
    public async Task A_handler_that_hangs_is_left_behind_after_its_time_and_others_go_on_meanwhile()
    {
        world.Journal.Append("stuck");
        world.Journal.Append([.. Enumerable.Range(0, 5_000).Select(i => $"c{i % 50}")]);
        using var never = new ManualResetEventSlim();
        var tries = 0;
        await using var running = world.Start(AWorld.Options with { Lanes = 2 }, (entry, _, _) =>
        {
            if (entry.Client!.Value.Value == "stuck" && Interlocked.Increment(ref tries) == 1) never.Wait(CancellationToken.None); // blocks its thread and ignores its token
            return Task.CompletedTask;
        });
        await running.UntilAsync(() => world.Handled.Count >= ConsumerEngine.Window - 256);

        world.Clock.Advance(ConsumerEngine.Patience);
        await running.UntilAsync(() => running.Engine.State.Handled == 5_000); // so that only its own time is over next
        Assert.Equal(1, tries);

        world.Clock.Advance(AWorld.Options.Timeout);
        await running.UntilDoneAsync(Second);
        Assert.Equal(2, tries);
        Assert.Contains("longer than 01:00:00", running.Engine.State.LastError, StringComparison.Ordinal);
        never.Set();
    }

    [Fact]
    public async Task What_is_read_ahead_and_what_is_parked_is_bounded()
    {
        var began = 0;
        world.Journal.Append([.. Enumerable.Range(0, 20_000).Select(i => $"c{i}")]);
        await using var running = world.Start(AWorld.Options with { Lanes = 64, FirstDelay = TimeSpan.FromHours(1), LongestDelay = TimeSpan.FromHours(2) }, (_, _, _) =>
        {
            Interlocked.Increment(ref began);
            throw new InvalidOperationException("The target is down.");
        });

        await running.UntilAsync(() => running.Engine.Parked >= ConsumerEngine.MostParked);
        await running.SettleAsync();
        await running.UntilAsync(() => Volatile.Read(ref began) == running.Engine.Parked); // the last ones have been taken in

        Assert.InRange(running.Engine.Parked, ConsumerEngine.MostParked, ConsumerEngine.MostParked + ConsumerEngine.Window);
        var reads = world.Journal.Reads;
        await running.SettleAsync();
        Assert.Equal(reads, world.Journal.Reads);
    }

    [Fact]
    public async Task Slow_handlers_do_not_make_it_read_further_than_the_window()
    {
        world.Journal.Append([.. Enumerable.Range(0, 5_000).Select(i => $"c{i}")]);
        var hold = new TaskCompletionSource();
        await using var running = world.Start(AWorld.Options, handle: (_, _, _) => hold.Task);
        const int Reads = 1 + (ConsumerEngine.Window / 256); // one more looked for the oldest
        await running.UntilAsync(() => world.Journal.Reads == Reads);

        world.Clock.Advance(60 * Second);
        await running.SettleAsync();

        Assert.Equal((Reads, 0, 0L), (world.Journal.Reads, running.Engine.Parked, running.Engine.State.Position));
        hold.SetResult();
        await running.UntilDoneAsync();
    }

    [Fact]
    public async Task Events_that_retention_took_before_they_were_read_are_told()
    {
        await using (var first = world.Start())
        {
            world.Journal.Append("a");
            await first.UntilDoneAsync();
            await first.StopAsync();
        }
        world.Journal.Append("a", "a", "a");
        world.Journal.RemoveBefore(4);

        await using var second = world.Start();

        await second.UntilDoneAsync();
        Assert.Equal([1L, 4L], world.HandledOf("a"));
        Assert.Equal((2, "2 events from 2 on were removed by retention before they were read."), (second.Engine.State.Missed, second.Engine.State.LastError));
    }

    [Fact]
    public async Task A_journal_of_which_nothing_is_left_is_passed_without_asking_again_and_again()
    {
        world.State = new ConsumerState(0, false, null, 0, 0, null, null);
        world.Journal.Append("a", "a");
        world.Journal.RemoveBefore(3);

        await using var running = world.Start();

        await running.UntilDoneAsync();
        await running.SettleAsync();
        Assert.Equal((2, 1), (running.Engine.State.Missed, world.Journal.Reads));
    }

    [Fact]
    public async Task A_parked_event_that_retention_took_is_missed_and_the_one_behind_it_goes_on()
    {
        world.Journal.Append("a", "a");
        await using var running = world.Start(handle: (entry, _, _) => entry.Seq == 1 ? Fail() : Task.CompletedTask);
        await running.UntilAsync(() => running.Engine.Parked == 2);

        world.Journal.RemoveBefore(2);

        await running.UntilDoneAsync(Second);
        Assert.Equal([2L], world.HandledOf("a"));
        Assert.Equal(1, running.Engine.State.Missed);
    }

    [Fact]
    public async Task A_row_that_cannot_be_read_is_a_dead_letter_and_stops_nobody()
    {
        world.Journal.Append("a", "a");
        world.Journal.Replace(1, entry => entry with { Unreadable = "no JSON" });

        await using var running = world.Start();

        await running.UntilDoneAsync();
        await running.StopAsync();
        Assert.Equal("no JSON", world.Dead.Values.Single().Reason);
        Assert.Equal([2L], world.HandledOf("a"));
    }

    [Fact]
    public async Task A_filter_that_throws_costs_that_event_and_not_the_consumer()
    {
        world.Journal.Append("a", "b");

        await using var running = world.Start(wants: entry => entry.Seq == 1 ? throw new FormatException("odd") : true);

        await running.UntilDoneAsync();
        await running.StopAsync();
        Assert.Contains("odd", world.Dead.Values.Single().Reason, StringComparison.Ordinal);
        Assert.Equal([2L], world.Handled.Select(one => one.Seq));
    }

    [Fact]
    public async Task A_stop_lets_what_is_under_way_end_begins_nothing_more_and_writes_down_how_far_it_came()
    {
        world.Journal.Append("a", "a");
        var held = new Held();
        await using var running = world.Start(handle: held.HandleAsync);
        await running.UntilAsync(() => held.Began == 1);

        var stop = running.StopAsync();
        await running.SettleAsync();
        Assert.False(stop.IsCompleted);
        held.Release();
        await stop;

        Assert.Equal((1, 1L), (held.Began, world.State!.Position));
        await Assert.ThrowsAsync<ConsumerStoppedException>(running.Engine.PauseAsync);
    }

    [Fact]
    public async Task A_stop_does_not_wait_longer_than_the_farewell_and_blames_nobody()
    {
        world.Journal.Append("a");
        var began = false;
        await using var running = world.Start(handle: (_, _, cancellation) =>
        {
            began = true;
            return Task.Delay(Timeout.Infinite, cancellation);
        });
        await running.UntilAsync(() => began);

        var stop = running.StopAsync();
        await running.UntilAsync(() => stop.IsCompleted, ConsumerEngine.Farewell / 2); // long before the handler's own time is over
        await stop;

        Assert.Equal((0, 0, null), (world.State!.Position, world.Parked.Count, world.State.LastError));
    }

    [Fact]
    public async Task A_stop_that_hurries_the_last_handler_leaves_no_lane_behind()
    {
        for (var i = 0; i < 60; i++) // it takes two threads at the wrong moment
        {
            const int Lanes = 256;
            var (other, began, allBegan) = (new AWorld(), 0, new TaskCompletionSource());
            other.Journal.Append([.. Enumerable.Range(1, Lanes + 1).Select(client => $"c{client}")]);
            await using var running = other.Start(AWorld.Options with { Lanes = Lanes }, (_, _, cancellation) =>
            {
                var turn = Interlocked.Increment(ref began);
                if (turn == Lanes) allBegan.SetResult();
                return turn <= Lanes ? allBegan.Task : Task.Delay(Timeout.Infinite, cancellation); // the last one in the first lane that was free again
            });
            await running.UntilAsync(() => began == Lanes + 1 && running.Engine.State.Handled == Lanes);

            var stop = running.StopAsync();
            await running.UntilAsync(() => stop.IsCompleted, ConsumerEngine.Farewell);
            await stop;
        }
    }

    [Fact]
    public async Task A_busy_writer_delays_the_saves_of_a_running_engine_and_not_the_end_of_a_stopped_one()
    {
        await using var running = world.Start();
        await running.UntilAsync(() => world.Saves == 1);
        world.BeforeSave = () => throw new OverloadedException(Second);
        world.Journal.Append("a");
        await running.UntilAsync(() => running.Engine.State.Handled == 1);
        world.Clock.Advance(Second);
        await running.SettleAsync();
        Assert.False(running.Task.IsCompleted);

        await Assert.ThrowsAsync<OverloadedException>(running.StopAsync).WaitAsync(Eventually.Patience);
    }

    [Fact]
    public async Task An_engine_that_dies_lets_its_handlers_end_first_and_refuses_its_orders()
    {
        var hold = new TaskCompletionSource();
        world.Journal.Append("slow", "quick");
        await using var running = world.Start(handle: (entry, _, _) => entry.Seq == 1 ? hold.Task : Task.CompletedTask);
        await running.UntilAsync(() => !world.Handled.IsEmpty);
        world.BeforeSave = () => throw new InvalidOperationException("The disk is on fire.");
        var pause = running.Engine.PauseAsync();
        await running.SettleAsync();
        Assert.False(running.Task.IsCompleted);

        hold.SetResult();

        await Assert.ThrowsAsync<InvalidOperationException>(() => running.Task);
        await Assert.ThrowsAsync<ConsumerStoppedException>(() => pause);
    }

    [Fact]
    public async Task Events_that_it_does_not_want_cost_few_saves()
    {
        await using var running = world.Start(wants: _ => false);
        await running.UntilAsync(() => world.Saves == 1);
        var saves = world.Saves;
        for (var i = 0; i < 10; i++)
        {
            world.Journal.Append("a");
            await running.UntilAsync(() => running.Engine.State.Position == world.Journal.Head);
            world.Clock.Advance(ConsumerEngine.SaveEvery);
        }
        await running.SettleAsync();
        Assert.Equal(saves, world.Saves);

        world.Clock.Advance(ConsumerEngine.SavePlaceEvery);

        await running.UntilAsync(() => world.Saves == saves + 1);
    }

    private static Task Fail() => throw new InvalidOperationException("the door is shut");

    /// <summary>A handler that ends when it is let.</summary>
    private sealed class Held
    {
        private readonly TaskCompletionSource hold = new();
        private int began;

        public int Began => Volatile.Read(ref began);

        public Task HandleAsync(JournalEntry entry, Handling handling, CancellationToken cancellation)
        {
            Interlocked.Increment(ref began);
            return hold.Task;
        }

        public void Release() => hold.SetResult();
    }
}
