using WebhookService.Application.Consumers;

namespace WebhookService.Application.Tests.Consumers;

/// <summary>
/// The promise on order, with everything in it that could break it: lives that end at any point, failures, dead letters that are delivered
/// again, and replays. A run is what lies between a start or the beginning of a replay and the next one. In a run the events of a client come
/// one at a time, each once, in the order of the journal and without a gap from the run's place on; only a dead letter that was delivered
/// again comes late, and then before all that has not begun. What is parked from before the run's place comes first.
/// </summary>
public sealed class ConsumerOrderProperties
{
    private const int Cases = 15;
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(200);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(3, 8)]
    public async Task Deaths_replays_and_redeliveries_at_any_point_keep_the_order_of_each_client_and_lose_nothing(int seed, int lanes)
    {
        var kinds = new Dictionary<string, int>();
        for (var one = 0; one < Cases; one++)
        {
            var scenario = new Scenario((seed * 1_000) + one, lanes);
            await scenario.PlayAsync();
            Assert.True(scenario.Faults.Count == 0, $"Case {one}:\n{string.Join('\n', scenario.Faults)}\n{scenario.History}");
            foreach (var (kind, count) in scenario.Seen) kinds[kind] = kinds.GetValueOrDefault(kind) + count;
        }
        Assert.All(["death", "replay", "end of replay", "redelivery", "parked over a start", "handled again"], kind => Assert.InRange(kinds.GetValueOrDefault(kind), 3, int.MaxValue));
    }

    /// <summary>Some lives of a consumer, and a book of what it was given.</summary>
    private sealed class Scenario
    {
        private const int Attempts = 3;
        private const int ForEver = 99;
        private readonly AWorld world = new();
        private readonly Dictionary<long, int> failures = [];
        private readonly Random random;
        private readonly int lanes;
        private readonly Book book;
        private ConsumerState? known;

        public Scenario(int seed, int lanes) => (random, this.lanes, book) = (new(seed), lanes, new(world.Journal));

        public List<string> Faults => book.Faults;
        public Dictionary<string, int> Seen => book.Seen;
        public string History => book.History;

        public async Task PlayAsync()
        {
            Append(60);
            for (var life = 0; life < 4; life++) await LiveAsync(new Fuse(random.Next(10, 250)));
            await LiveAsync(new Fuse(int.MaxValue));
            book.Close(world.Lost);
        }

        private async Task LiveAsync(Fuse fuse)
        {
            known = world.State;
            book.Run(known?.Position ?? 0);
            book.Note(world.Parked.Count > 0, "parked over a start");
            world.Journal.AfterRead = fuse.Pass;
            world.BeforeSave = fuse.Pass;
            world.AfterSave = () =>
            {
                // Back goes only a replay; nothing is under way then.
                if (world.State!.Position < (known?.Position ?? 0))
                {
                    book.Run(world.State.Position);
                    book.Note(true, "replay");
                }
                known = world.State;
                fuse.Pass();
            };
            world.Redelivered = seq =>
            {
                book.Redeliver(seq);
                lock (failures) failures[seq] = random.Next(3) == 0 ? ForEver : 0;
                fuse.Pass();
            };
            var options = AWorld.Options with { Lanes = lanes, Attempts = Attempts, FirstDelay = Step };
            await using var running = world.Start(options, (entry, handling, _) => HandleAsync(fuse, entry, handling));
            if (known is { IsPaused: true }) await OrderAsync(running, fuse, running.Engine.ResumeAsync);
            for (var i = random.Next(4, 12); i > 0 && !fuse.IsBlown; i--)
            {
                await OrderAsync(running, fuse, () => AnyOrderAsync(running, fuse));
                var waits = random.Next(4);
                await running.UntilAsync(() => waits-- == 0, Step);
            }
            await running.UntilAsync(() => fuse.IsBlown || (running.Engine.State.Position == world.Journal.Head && running.Engine.Parked == 0), Step);
            try
            {
                if (!fuse.IsBlown) await running.StopAsync();
            }
            catch (InvalidOperationException) when (fuse.IsBlown)
            {
                // it died while it wrote down how far it came
            }
            book.Note(fuse.IsBlown, "death");
        }

        private async Task AnyOrderAsync(Running running, Fuse fuse)
        {
            switch (random.Next(5))
            {
                case 0:
                    Append(random.Next(1, 20));
                    break;
                case 1 when world.State is { Position: > 0 } state:
                    await running.Engine.ReplayAsync(random.NextInt64(1, state.Position + 1));
                    break;
                case 2 or 3 when world.DeadIds is { Count: > 0 } dead:
                    await running.Engine.RedeliverAsync(dead[random.Next(dead.Count)]);
                    break;
                case 4 when world.State is { Position: > 0 } state:
                    await running.Engine.PauseAsync();
                    await running.Engine.ReplayAsync(random.NextInt64(1, state.Position + 1));
                    if (random.Next(2) == 0)
                    {
                        await running.Engine.ResumeAsync();
                        await running.Engine.PauseAsync();
                    }
                    await running.UntilAsync(() => fuse.IsBlown || book.IsAtRest);
                    if (fuse.IsBlown) return;
                    book.Note(running.Engine.State.ReplayUntil is not null, "end of replay");
                    await running.Engine.EndReplayAsync();
                    book.Run(running.Engine.State.Position); // it is paused: nothing began meanwhile
                    await running.Engine.ResumeAsync();
                    break;
            }
        }

        /// <summary>The clock goes on while it waits for what is under way.</summary>
        private static async Task OrderAsync(Running running, Fuse fuse, Func<Task> give)
        {
            try
            {
                var order = give();
                await running.UntilAsync(() => order.IsCompleted, Step);
                await order;
            }
            catch (Exception died) when (fuse.IsBlown && died is ConsumerStoppedException or InvalidOperationException)
            {
                // before the order, or in it
            }
        }

        private async Task HandleAsync(Fuse fuse, JournalEntry entry, Handling handling)
        {
            fuse.Pass();
            book.Begin(entry, handling);
            await Task.Yield();
            var fails = false;
            lock (failures) fails = handling.Attempt <= failures[entry.Seq];
            if (entry.Seq % 3 == 0) await Task.Yield();
            fuse.Pass();
            book.End(entry, handling, isSettled: !fails || handling.Attempt >= Attempts);
            if (fails) throw new InvalidOperationException("again");
        }

        private void Append(int count)
        {
            lock (failures)
                for (var i = 0; i < count; i++)
                    failures[world.Journal.Head + i + 1] = random.Next(20) switch { < 15 => 0, < 18 => random.Next(1, Attempts), _ => ForEver };
            world.Journal.Append([.. Enumerable.Range(0, count).Select(_ => random.Next(5) is var n and < 4 ? $"c{n}" : null)]);
        }
    }

    /// <summary>Checks as it is written.</summary>
    private sealed class Book(AJournal journal)
    {
        private readonly Lock gate = new();
        private readonly List<string> lines = [];
        private readonly HashSet<long> ever = [];
        private readonly HashSet<long> inRun = [];
        private readonly Dictionary<string, long> last = [];
        private readonly Dictionary<string, (long Seq, bool IsLate)> current = [];
        private readonly Dictionary<long, bool> late = []; // delivered again, not begun since; and whether one has overtaken it
        private readonly HashSet<long> owed = []; // delivered again, not settled since other than as a replay
        private long place;

        public List<string> Faults { get; } = [];
        public Dictionary<string, int> Seen { get; } = [];
        public string History => string.Join('\n', lines);

        public bool IsAtRest
        {
            get
            {
                lock (gate) return current.Count == 0;
            }
        }

        public void Note(bool isSo, string what)
        {
            lock (gate)
                if (isSo) Seen[what] = Seen.GetValueOrDefault(what) + 1;
        }

        public void Run(long from)
        {
            lock (gate)
            {
                lines.Add($"run from {from}");
                place = from;
                inRun.Clear();
                last.Clear();
                current.Clear();
                late.Clear();
            }
        }

        public void Redeliver(long seq)
        {
            lock (gate)
            {
                lines.Add($"redeliver {seq}");
                late[seq] = false;
                owed.Add(seq);
                Seen["redelivery"] = Seen.GetValueOrDefault("redelivery") + 1;
            }
        }

        public void Begin(JournalEntry entry, Handling handling)
        {
            lock (gate)
            {
                lines.Add($"{entry.Client} {entry.Seq} begins, try {handling.Attempt}{(handling.IsReplay ? ", replay" : "")}");
                if (handling.Key != entry.Seq) Fault($"{entry.Seq} came under the key {handling.Key}");
                if (handling.IsReplay && !ever.Contains(entry.Seq)) Fault($"{entry.Seq} is no replay: it never came to an end");
                if (entry.Client?.Value is not { } client) return;

                if (current.TryGetValue(client, out var other)) Fault($"{entry.Seq} began while {other.Seq} was under way");
                var isLate = !handling.IsReplay && late.Remove(entry.Seq); // the replay's own may be under way when the order comes, and be tried again
                var isOwed = !handling.IsReplay && owed.Contains(entry.Seq); // in an earlier run, when the replay's own was under way: then it comes after that
                if (!isLate && last.TryGetValue(client, out var before) && (isOwed ? entry.Seq < before : entry.Seq <= before)) Fault($"{entry.Seq} came after {before}");
                foreach (var earlier in journal.Entries.TakeWhile(one => one.Seq < entry.Seq).Where(one => one.Client?.Value == client).Select(one => one.Seq))
                {
                    if (!ever.Contains(earlier)) Fault($"{entry.Seq} came before {earlier} had come at all");
                    if (earlier > place && !inRun.Contains(earlier)) Fault($"{entry.Seq} came without {earlier}");
                    if (!late.TryGetValue(earlier, out var isOvertaken)) continue;
                    if (isOvertaken) Fault($"{entry.Seq} came before {earlier}, which was delivered again");
                    late[earlier] = true; // it may have been on its way to the handler when the order came
                }
                current[client] = (entry.Seq, isLate);
            }
        }

        public void End(JournalEntry entry, Handling handling, bool isSettled)
        {
            lock (gate)
            {
                lines.Add($"{entry.Client} {entry.Seq} {(isSettled ? "is done with" : "failed")}");
                if (isSettled)
                {
                    if (!ever.Add(entry.Seq)) Seen["handled again"] = Seen.GetValueOrDefault("handled again") + 1;
                    inRun.Add(entry.Seq);
                    if (!handling.IsReplay) owed.Remove(entry.Seq);
                }
                if (entry.Client?.Value is not { } client || !current.Remove(client, out var was)) return;
                if (isSettled) last[client] = Math.Max(last.GetValueOrDefault(client), entry.Seq);
                else if (was.IsLate) late[entry.Seq] = false;
            }
        }

        /// <summary>All is done.</summary>
        public void Close(IEnumerable<string> lost)
        {
            Faults.AddRange(lost);
            Faults.AddRange(owed.Select(seq => $"{seq} was delivered again and never came other than as a replay"));
            Faults.AddRange(journal.Entries.Where(one => !ever.Contains(one.Seq)).Select(one => $"{one.Seq} never came"));
            Faults.AddRange(journal.Entries.Where(one => one.Seq > place && !inRun.Contains(one.Seq)).Select(one => $"{one.Seq} did not come in the last run"));
        }

        private void Fault(string what)
        {
            lines.Add($"!!! {what}");
            Faults.Add(what);
        }
    }
}
