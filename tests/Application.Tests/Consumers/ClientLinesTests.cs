using WebhookService.Application.Consumers;

namespace WebhookService.Application.Tests.Consumers;

public sealed class ClientLinesTests
{
    private readonly ClientLines lines = new();

    [Fact]
    public void What_was_forgotten_while_it_was_its_turn_does_not_take_along_what_comes_after_it()
    {
        lines.Add(A(1), Ports.Noon);
        lines.DropUnparked();
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

    private static Work A(long seq, DateTimeOffset at = default) => new(seq, Ports.Client, null) { NextAt = at };
}
