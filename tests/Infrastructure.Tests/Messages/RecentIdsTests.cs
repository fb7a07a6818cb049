using WebhookService.Infrastructure.Messages;

namespace WebhookService.Infrastructure.Tests.Messages;

public sealed class RecentIdsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(1000)]
    public void What_was_added_is_known_or_the_database_is_asked_whatever_the_order(int disorder)
    {
        var (ids, random, stored) = (new RecentIds(16), new Random(1), new Dictionary<UInt128, long>());
        ids.Begin(newestId: 0, newestNumber: 0);

        for (var no = 1L; no <= 2_000; no++)
        {
            var id = (UInt128)(1_000 + (10 * no) - random.Next(disorder));
            ids.Add(id, no);
            stored[id] = no;
            if (no % 50 > 0) continue;
            ids.Indexed(no - 100);
            foreach (var (one, number) in stored)
                if (ids.TryGet(one, out var found)) Assert.Equal(number, found);
                else Assert.True(number <= no - 100);
        }
    }

    [Fact]
    public void What_is_newer_than_what_was_forgotten_and_was_not_added_is_not_stored()
    {
        var ids = new RecentIds(16);
        Assert.False(ids.TryGet(2_000, out _)); // nothing was said of the database yet
        ids.Begin(newestId: 500, newestNumber: 9);
        ids.Indexed(1_000);
        for (var i = 0; i < 100; i++) ids.Add((UInt128)(1_000 + (10 * i)), 10 + i);

        Assert.True(ids.TryGet(2_000, out var number));
        Assert.Null(number);
        Assert.True(ids.TryGet(1_985, out number)); // between the newest
        Assert.Null(number);
        Assert.False(ids.TryGet(1_001, out _)); // among those that were forgotten
        Assert.False(ids.TryGet(1, out _));
    }

    [Fact]
    public void What_the_table_does_not_have_is_not_forgotten()
    {
        var ids = new RecentIds(16);
        ids.Begin(newestId: 0, newestNumber: 0);
        for (var no = 1L; no <= 1_000; no++) ids.Add((UInt128)no, no);

        Assert.All(Enumerable.Range(1, 1_000), no => Assert.True(ids.TryGet((UInt128)no, out var number) && number == no));
    }
}
