using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;

namespace WebhookService.Domain.Tests.History;

/// <summary>The figures against a walk through the ledger second by second, which asks the sentences of <see cref="Timeline"/> anew at each.</summary>
public sealed class HistoryProperties
{
    private const int Now = 60;
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly Config Thorough = Config.QuickThrowOnFailure.WithMaxTest(5_000).WithEndSize(10);
    private static readonly DisconnectReason[] Reasons = [DisconnectReason.Takeover, DisconnectReason.Network, DisconnectReason.Kicked];

    [Fact]
    public void The_timeline_is_what_the_sentences_say_at_each_second() => Holds(one =>
    {
        var timeline = Timeline.Of(one.Ledger, At(Now));

        for (var t = -5; t < Now; t++)
        {
            var stretch = timeline.Single(stretch => stretch.From <= At(t) && At(t) < stretch.To);
            Assert.Equal((t, one.StatusAt(t)), (t, stretch.Status));
        }
    });

    [Fact]
    public void Availability_is_the_sum_over_the_seconds() => Holds(one =>
    {
        var (from, to) = one.Span;
        var figures = new Availability(At(from), At(to));

        figures.Add(Timeline.Of(one.Ledger, At(Now)));

        var seconds = Enumerable.Range(from, to - from).ToList();
        Assert.Equal(seconds.Count(t => one.StatusAt(t) is ConnectivityStatus.Online), figures.OnlineSeconds);
        Assert.Equal(seconds.Count(t => one.StatusAt(t) is ConnectivityStatus.Offline), figures.OfflineSeconds);
        Assert.Equal(to - from, figures.OnlineSeconds + figures.OfflineSeconds + figures.UnknownSeconds);
        var outages = one.Outages().Where(outage => outage.From < to && outage.To > from).ToList();
        Assert.Equal(outages.Count, figures.Outages);
        Assert.Equal(outages.Select(outage => Math.Min(to, outage.To) - Math.Max(from, outage.From)).DefaultIfEmpty(0).Max(), figures.LongestOutageSeconds);
        Assert.Equal(figures.Outages, figures.ByReason.Sum(reason => reason.Outages));
        Assert.Equal(figures.OfflineSeconds, figures.ByReason.Sum(reason => reason.OfflineSeconds));
        var begun = outages.Count(outage => outage.From >= from);
        Assert.Equal(begun == 0 ? null : figures.OnlineSeconds / begun, figures.MtbfSeconds);
        var ended = outages.Where(outage => outage.To <= to && outage.To < Now).ToList();
        Assert.Equal(ended.Count == 0 ? null : (double)ended.Sum(outage => outage.To - outage.From) / ended.Count, figures.MttrSeconds);
        Assert.Equal(figures.OnlineSeconds + figures.OfflineSeconds == 0 ? null : figures.OnlineSeconds / (figures.OnlineSeconds + figures.OfflineSeconds), figures.Ratio);
    });

    [Fact]
    public void Figures_of_two_devices_are_those_of_each_added_up() => Holds(one =>
    {
        var (from, to) = one.Span;
        var other = one with { Sessions = [.. one.Sessions.Skip(1)] };
        var (sum, left, right) = (new Availability(At(from), At(to)), new Availability(At(from), At(to)), new Availability(At(from), At(to)));
        foreach (var (figures, life) in new[] { (sum, one), (sum, other), (left, one), (right, other) }) figures.Add(Timeline.Of(life.Ledger, At(Now)));

        left.Add(right);

        Assert.Equal(Said(sum), Said(left));

        static string Said(Availability all) =>
            $"{all.OnlineSeconds} {all.OfflineSeconds} {all.UnknownSeconds} {all.Outages} {all.LongestOutageSeconds} {all.MtbfSeconds} {all.MttrSeconds} {string.Join(';', all.ByReason)}";
    });

    [Fact]
    public void Buckets_are_the_sums_over_their_seconds() => Holds(one =>
    {
        var (from, to) = one.Span;
        var length = one.Bucket;
        var buckets = new PresenceBuckets(At(from), At(to), TimeSpan.FromSeconds(length));
        var other = one with { Sessions = [.. one.Sessions.Skip(1)] };
        Life[] lives = [one, other];

        foreach (var life in lives) buckets.Add(life.Ledger.Sessions, Timeline.Of(life.Ledger, At(Now)));

        var read = buckets.Read().ToList();
        Assert.Equal(Enumerable.Range(0, read.Count).Select(i => At(from + (i * length))), read.Select(bucket => bucket.At));
        foreach (var bucket in read)
        {
            var start = (int)(bucket.At - Noon).TotalSeconds;
            var seconds = Enumerable.Range(start, Math.Min(length, to - start)).ToList();
            double Mean(ConnectivityStatus status) => lives.Sum(life => (double)seconds.Count(t => life.StatusAt(t) == status)) / seconds.Count;
            Assert.Equal(Mean(ConnectivityStatus.Online), bucket.Online, 9);
            Assert.Equal(Mean(ConnectivityStatus.Offline), bucket.Offline, 9);
            Assert.Equal(Mean(ConnectivityStatus.Unknown), bucket.Unknown, 9);
            Assert.Equal(lives.Sum(life => life.Sessions.Count(session => seconds.Contains(session.Start))), bucket.Connects);
            Assert.Equal(lives.Sum(life => life.Outages().Count(outage => seconds.Contains(outage.From))), bucket.Disconnects.Values.Sum());
        }
    });

    /// <summary>What lies before the newest session at a moment, or after the first session past it, has no say at that moment: the database may leave it out.</summary>
    [Fact]
    public void A_moment_needs_no_more_of_the_ledger_than_the_sessions_around_it() => Holds(one =>
    {
        var all = Timeline.Of(one.Ledger, At(Now));

        for (var t = 0; t < Now; t++)
        {
            var newest = one.Sessions.Where(session => session.Start <= t).Select(session => (int?)session.Start).Max();
            var next = one.Sessions.Where(session => session.Start > t).Select(session => (int?)session.Start).Min();
            var around = one with
            {
                Sessions = [.. one.Sessions.Where(session => session.Start >= (newest ?? 0) && session.Start <= (next ?? Now))],
                Farewells = [.. one.Farewells.Where(farewell => farewell.At > (newest ?? -1) && farewell.At <= (next ?? Now))],
            };
            Stretch Of(IReadOnlyList<Stretch> timeline) => timeline.Single(stretch => stretch.From <= At(t) && At(t) < stretch.To);
            Assert.Equal(Of(all), Of(Timeline.Of(around.Ledger, At(Now))));
        }
    });

    private static DateTimeOffset At(int seconds) => Noon.AddSeconds(seconds);

    private static void Holds(Action<Life> property) => Check.One(Thorough, Prop.ForAll(Life.Any, property));

    private sealed record LifeSession(int Start, int? End, DisconnectReason Reason, int? Alive, bool Expired);

    private sealed record LifeFarewell(int At, DisconnectReason Reason);

    private sealed record LifeNow(ConnectivityStatus Status, bool Stale, int Since, string Evidence, int LastSeen);

    /// <summary>A ledger in seconds after noon, as broken as a ledger may be.</summary>
    private sealed record Life(LifeSession[] Sessions, LifeFarewell[] Farewells, LifeNow Present, (int From, int To) Span, int Bucket)
    {
        public static Arbitrary<Life> Any { get; } = Arb.From(
            from sessions in Gen.ListOf(
                from start in Gen.Choose(0, Now + 2)
                from length in Gen.Frequency((5, Gen.Choose(0, 20).Select(int? (seconds) => seconds)), (2, Gen.Constant((int?)null)))
                from reason in Gen.Elements(Reasons)
                from alive in Gen.Frequency((3, Gen.Constant((int?)null)), (1, Gen.Choose(-1, 20).Select(int? (seconds) => seconds)))
                from expired in Gen.Elements(false, false, false, true)
                select new LifeSession(start, start + length, reason, length is null ? null : start + alive, expired && length is not null))
            from farewells in Gen.ListOf(from at in Gen.Choose(0, Now + 2) from reason in Gen.Elements(Reasons) select new LifeFarewell(at, reason))
            from status in Gen.Elements(ConnectivityStatus.Online, ConnectivityStatus.Offline, ConnectivityStatus.Unknown)
            from stale in Gen.Elements(false, false, true)
            from since in Gen.Choose(0, Now)
            from evidence in Gen.Elements("session", "sign-of-life", "broker-list", "takeover", "none")
            from seen in Gen.Choose(0, Now)
            from start in Gen.Choose(0, Now - 1)
            from length in Gen.Choose(1, Now)
            from bucket in Gen.Choose(1, 20)
            select new Life(
                [.. sessions.Take(5)], [.. farewells.Take(3).DistinctBy(one => one.At).OrderBy(one => one.At)], new(status, stale, since, evidence, seen),
                (start, Math.Min(Now, start + length)), bucket),
            life => Enumerable.Range(0, life.Sessions.Length).Select(gone => life with { Sessions = [.. life.Sessions.Where((_, i) => i != gone)] }));

        public DeviceLedger Ledger => new(
            [.. Sessions.Select(one => new LedgerSession(
                At(one.Start), one.End is { } end ? At(end) : null, one.End is null ? null : one.Reason, one.Alive is { } alive ? At(alive) : null, one.Expired, one.Start))],
            [.. Farewells.Select(one => new LedgerFarewell(At(one.At), one.Reason))],
            new(Present.Status, Present.Stale ? Confidence.Stale : Confidence.Inferred, At(Present.Since), Present.Evidence, DisconnectReason.Kicked, At(Present.LastSeen)));

        public override string ToString() =>
            $"sessions {string.Join(' ', Sessions.AsEnumerable())}; farewells {string.Join(' ', Farewells.AsEnumerable())}; {Present}; {Span}; bucket {Bucket}";

        /// <summary>The sentences, coded for one moment.</summary>
        public ConnectivityStatus StatusAt(int t)
        {
            var newest = Newest(t);
            var next = Sessions.Where(one => one.Start > t && one.Start <= Now).Select(one => (int?)one.Start).Min();
            if (newest is not null && (newest.End is null || newest.End > t))
            {
                if (newest.End is null) return Present.Stale && next is null && t >= Present.LastSeen ? ConnectivityStatus.Unknown : ConnectivityStatus.Online;
                return t >= newest.Alive ? ConnectivityStatus.Unknown : ConnectivityStatus.Online;
            }

            if (Farewells.Any(one => one.At > t && one.At > (newest?.End ?? -1) && one.At <= (next ?? Now))) return ConnectivityStatus.Unknown;
            var farewell = Farewells.LastOrDefault(one => one.At <= t && one.At > (newest is null ? -1 : Math.Max(newest.Start, newest.End!.Value)));
            var lastEnd = farewell?.At ?? (newest is null ? null : Math.Max(newest.Start, newest.End!.Value));
            if (next is null && Present.Status is not ConnectivityStatus.Unknown && Present.Evidence is not ("none" or "takeover") && !(Present.Since <= lastEnd) && t >= Present.Since)
            {
                if (Present.Status is ConnectivityStatus.Offline) return ConnectivityStatus.Offline;
                return Present.Stale && t >= Present.LastSeen ? ConnectivityStatus.Unknown : ConnectivityStatus.Online;
            }
            if (farewell is null && newest is { Expired: true }) return ConnectivityStatus.Unknown;
            return (farewell?.Reason ?? newest?.Reason) is null or DisconnectReason.Takeover ? ConnectivityStatus.Unknown : ConnectivityStatus.Offline;
        }

        /// <summary>Runs of offline seconds, parted where a session begins.</summary>
        public List<(int From, int To)> Outages()
        {
            var outages = new List<(int From, int To)>();
            for (var t = 0; t < Now; t++)
            {
                if (StatusAt(t) is not ConnectivityStatus.Offline) continue;
                if (t > 0 && outages.Count > 0 && outages[^1].To == t && !Sessions.Any(one => one.Start == t)) outages[^1] = (outages[^1].From, t + 1);
                else outages.Add((t, t + 1));
            }
            return outages;
        }

        private LifeSession? Newest(int t) => Sessions
            .Where(one => one.Start <= t && one.Start <= Now)
            .OrderBy(one => (one.Start, one.End ?? int.MaxValue, one.Reason is not DisconnectReason.Takeover, !one.Expired)).LastOrDefault();
    }
}
