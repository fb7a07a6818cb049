using WebhookService.Infrastructure.Messages;

namespace WebhookService.Infrastructure.Tests.Messages;

public sealed class RecentIdsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(1000)]
    public void What_was_added_is_remembered_or_the_table_is_asked_which_has_it(int disorder)
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
                if (ids.NumberOf(one) is { } found) Assert.Equal(number, found);
                else Assert.True(ids.TableMayHave(one) && number <= no - 100);
        }
    }

    [Fact]
    public void The_table_is_not_asked_for_what_is_newer_than_what_was_forgotten()
    {
        var ids = new RecentIds(16);
        Assert.True(ids.TableMayHave(2_000)); // nothing was said of the database yet
        ids.Begin(newestId: 500, newestNumber: 9);
        ids.Indexed(1_000);
        for (var i = 0; i < 100; i++) ids.Add((UInt128)(1_000 + (10 * i)), 10 + i);

        Assert.False(ids.TableMayHave(2_000));
        Assert.False(ids.TableMayHave(1_985)); // between the newest
        Assert.True(ids.TableMayHave(1_001));  // among those that were forgotten
        Assert.True(ids.TableMayHave(1));
    }

    [Fact]
    public void What_the_table_does_not_have_is_not_forgotten()
    {
        var ids = new RecentIds(16);
        ids.Begin(newestId: 0, newestNumber: 0);
        for (var no = 1L; no <= 1_000; no++) ids.Add((UInt128)no, no);

        Assert.All(Enumerable.Range(1, 1_000), no => Assert.Equal(no, ids.NumberOf((UInt128)no)));
    }
}
