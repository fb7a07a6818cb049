using WebhookService.Application.Consumers;

namespace WebhookService.Application.Tests.Consumers;

/// <summary>What holds whatever happens: everything at least once, in order for each client, and no event falls between position, parked and dead.</summary>
public sealed class ConsumerEngineProperties
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(200);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 4)]
    [InlineData(3, 16)]
    [InlineData(4, 64)]
    public async Task Random_failures_lose_nothing_and_keep_the_order_of_each_client(int seed, int lanes)
    {
        var world = new AWorld();
        var random = new Random(seed);
        var fate = Enumerable.Range(0, 3_000).ToDictionary(i => i + 1L, _ => (Failures: random.Next(10) == 0 ? random.Next(1, 6) : 0, Yields: random.Next(3)));
        var busy = new Dictionary<string, int>();
        var overlaps = 0;
        await using var running = world.Start(AWorld.Options with { Lanes = lanes, Attempts = 4, FirstDelay = Step }, async (entry, handling, _) =>
        {
            var client = entry.Client?.Value;
            if (client is not null) lock (busy) overlaps += busy[client] = busy.GetValueOrDefault(client) + 1;
            try
            {
                for (var i = 0; i < fate[entry.Seq].Yields; i++) await Task.Yield();
                if (handling.Attempt <= fate[entry.Seq].Failures) throw new InvalidOperationException("again");
            }
            finally
            {
                if (client is not null) lock (busy) overlaps -= busy[client]--;
            }
        });

        for (var i = 0; i < 3_000; i += 100)
        {
            world.Journal.Append([.. Enumerable.Range(0, 100).Select(_ => random.Next(30) is var n and < 28 ? $"c{n}" : null)]);
            await Task.Delay(1);
            world.Clock.Advance(Step);
        }
        await running.UntilDoneAsync(Step);
        await running.StopAsync();

        Assert.Equal(0, overlaps);
        Assert.Empty(world.Lost);
        var dead = fate.Where(one => one.Value.Failures >= 4).Select(one => one.Key).ToList();
        Assert.Equal(dead, world.Dead.Values.Select(one => one.Entry.Seq).Order());
        Assert.Equal(fate.Keys.Except(dead), world.Handled.Select(one => one.Seq).Order());
        foreach (var client in world.Handled.Where(one => one.Client is not null).GroupBy(one => one.Client))
            Assert.Equal(client.Select(one => one.Seq).Order(), client.Select(one => one.Seq));
    }

    [Fact]
    public async Task A_death_at_any_point_repeats_events_under_their_keys_and_loses_none()
    {
        var deaths = 0;
        for (var point = 1; ; point++)
        {
            var (world, fuse) = (new AWorld(), new Fuse(point));
            world.Journal.Append([.. Enumerable.Range(0, 24).Select(i => i % 7 == 0 ? null : $"c{i % 3}")]);
            Arm(world, fuse);
            await using (var first = world.Start(Options, (entry, handling, _) => HandleAsync(fuse, entry, handling)))
                await first.UntilAsync(() => fuse.IsBlown || (first.Engine.State.Position == 24 && first.Engine.Parked == 0), Step);
            if (!fuse.IsBlown) break;
            deaths++;
            var before = world.Handled.Count;
            Arm(world, new Fuse(int.MaxValue));

            await using (var second = world.Start(Options, (entry, handling, _) => HandleAsync(new Fuse(int.MaxValue), entry, handling)))
            {
                await second.UntilDoneAsync(Step);
                await second.StopAsync();
            }

            Assert.Empty(world.Lost);
            Assert.Equal(Enumerable.Range(1, 24).Select(i => (long)i).Where(seq => seq != 11), world.Handled.Select(one => one.Seq).Distinct().Order());
            Assert.Contains(world.Dead.Values, dead => dead.Entry.Seq == 11);
            Assert.All(world.Handled, one => Assert.Equal(one.Seq, one.Handling.Key));
            foreach (var run in new[] { world.Handled.Take(before), world.Handled.Skip(before) })
                foreach (var client in run.Where(one => one.Client is not null).GroupBy(one => one.Client))
                    Assert.Equal(client.Select(one => one.Seq).Order(), client.Select(one => one.Seq));
        }
        Assert.InRange(deaths, 40, 1_000);
    }

    private static ConsumerOptions Options => AWorld.Options with { Lanes = 3, Attempts = 2, FirstDelay = Step };

    /// <summary>Event 5 fails once and 11 for ever.</summary>
    private static async Task HandleAsync(Fuse fuse, JournalEntry entry, Handling handling)
    {
        fuse.Pass();
        await Task.Yield();
        if (entry.Seq == 11 || (entry.Seq == 5 && handling.Attempt == 1)) throw new InvalidOperationException("again");
        fuse.Pass();
    }

    private static void Arm(AWorld world, Fuse fuse) =>
        (world.Journal.AfterRead, world.BeforeSave, world.AfterSave) = (fuse.Pass, fuse.Pass, fuse.Pass);
}

/// <summary>The process dies at the n-th point that it passes, and does nothing from then on.</summary>
internal sealed class Fuse(int point)
{
    private int passed;

    public bool IsBlown => Volatile.Read(ref passed) >= point;

    public void Pass()
    {
        if (Interlocked.Increment(ref passed) >= point) throw new InvalidOperationException("The process is dead.");
    }
}
