using WebhookService.Application.Consumers;

namespace WebhookService.Application.Tests.Consumers;

public sealed class ClientLinesTests
{
    private readonly ClientLines lines = new();

    public ClientLinesTests() => lines.Reach(10, Ports.Noon);

    [Fact]
    public void What_was_forgotten_while_it_was_its_turn_does_not_take_along_what_comes_after_it()
    {
        lines.Add(A(1), Ports.Noon);
        lines.StartOver(10, Ports.Noon);
        lines.Add(A(1), Ports.Noon);

        var first = lines.Take(Ports.Noon)!;

        lines.Done(first, Ports.Noon);
        Assert.Null(lines.Find(Ports.Client, 1));
        Assert.Null(lines.Take(Ports.Noon));
    }

    [Fact]
    public void One_that_comes_in_front_and_has_to_wait_holds_its_line_until_its_time()
    {
        lines.Add(A(2), Ports.Noon);
        lines.Add(A(1, Ports.Noon.AddSeconds(5)), Ports.Noon);

        Assert.Null(lines.Take(Ports.Noon));

        Assert.Equal(Ports.Noon.AddSeconds(5), lines.NextAt);
        Assert.Equal(1, lines.Take(Ports.Noon.AddSeconds(5))!.Seq);
    }

    [Fact]
    public void What_is_parked_beyond_what_was_read_waits_until_it_is_read_so_far()
    {
        lines.Add(Parked(7), Ports.Noon);
        lines.Add(Parked(9), Ports.Noon);

        lines.StartOver(5, Ports.Noon);
        Assert.Equal(2, lines.Ahead);
        Assert.Null(lines.Take(Ports.Noon));

        lines.Reach(8, Ports.Noon);
        lines.Add(A(6), Ports.Noon);
        Assert.Equal((1, 6), (lines.Ahead, TakeAndEnd()));
        Assert.Equal(7, TakeAndEnd());
        Assert.Null(lines.Take(Ports.Noon));

        lines.Reach(9, Ports.Noon);
        Assert.Equal((0, 9), (lines.Ahead, TakeAndEnd()));
    }

    private long TakeAndEnd()
    {
        var work = lines.Take(Ports.Noon)!;
        lines.Done(work, Ports.Noon);
        return work.Seq;
    }

    private static Work Parked(long seq) => new(seq, Ports.Client, null) { IsParked = true, IsSettled = true };

    private static Work A(long seq, DateTimeOffset at = default) => new(seq, Ports.Client, null) { NextAt = at };
}
