using System.Net.Http.Json;
using WebhookService.Api.Tests.Events;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Handlers;

/// <summary>A replay that outlasts the process, and is called off in the end.</summary>
public sealed class LongReplayTests
{
    private const int Events = 20_000;
    private const string Path = "/api/v1/handlers/scripted";

    private const string Append = """
        INSERT INTO clients (client_no, client_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT 1000 + i, 'fleet-' || i FROM n;
        INSERT INTO journal (seq, type_no, at, client_no, data)
        WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        SELECT i, (SELECT type_no FROM event_types WHERE name = 'emqx.odd'), 1767225600000 + i, 1001 + i % 100, '{}' FROM n
        """;

    private readonly Script script = new();

    [Fact]
    public async Task A_replay_of_many_events_goes_on_after_a_restart_and_ends_when_it_is_called_off()
    {
        await using var api = await AHandlerHost.StartAsync(script, ["scripted"]);
        await api.PostOddAsync("a", 1);
        await AHandlerHost.UntilAsync(() => script.Calls.Count == 1);
        await api.StopAsync();
        api.Change(Append);
        await api.StartAgainAsync();
        await AHandlerHost.UntilAsync(() => script.Calls.Count == Events);

        var (isHeld, release) = HoldAfter(8_000);
        await api.Manage.PostAsJsonAsync($"{Path}/replay", new { from = "1" });
        await isHeld;
        var stop = api.StopAsync();
        release();
        await stop;
        var before = Replayed().Count;
        (isHeld, release) = HoldAfter(8_000);
        await api.StartAgainAsync();
        await isHeld;
        var state = await (await api.Manage.GetAsync(Path)).JsonAsync();
        var end = api.Manage.DeleteAsync($"{Path}/replay");
        release();
        var ended = await (await end).JsonAsync();

        // Called off: at the head again, and nothing of the rest comes any more.
        Assert.Equal((Events, Events, 0), ((int)state["replayingUntil"]!, (int)ended["position"]!, (int)ended["lag"]!));
        Assert.Null(ended["replayingUntil"]);
        var keys = Replayed();
        await api.PostOddAsync("a", 2);
        await AHandlerHost.UntilAsync(() => script.Calls.Last().Context.Key == Events + 1);
        Assert.Equal(keys.Count, Replayed().Count);

        // It went on where it was: all from the first to there, and what was under way at the most twice.
        Assert.InRange(keys.Max(), 15_000, Events - 1_000);
        Assert.Empty(Enumerable.Range(1, (int)state["position"]!).Except(keys));
        Assert.InRange(keys.Skip(before).Min(), before - 1_100, before + 1);
    }

    private List<int> Replayed() => [.. script.Calls.Where(call => call.Context.IsReplay).Select(call => (int)call.Context.Key)];

    /// <summary>The handler does so many more, and then waits.</summary>
    private (Task IsHeld, Action Release) HoldAfter(int calls)
    {
        var (left, held, hold) = (calls, new TaskCompletionSource(), new TaskCompletionSource());
        script.Do = _ =>
        {
            if (Interlocked.Decrement(ref left) >= 0) return Task.CompletedTask;
            held.TrySetResult();
            return hold.Task;
        };
        return (held.Task.WaitAsync(Eventually.Patience), hold.SetResult);
    }
}
