using WebhookService.Api.Pipelining;

namespace WebhookService.Api.Tests.Pipelining;

public sealed class LaneShareTests
{
    [Theory]
    [InlineData(1, 256)]
    [InlineData(8, 32)]
    [InlineData(64, 4)]
    [InlineData(65, 4)]
    [InlineData(256, 4)]
    [InlineData(257, 3)]
    [InlineData(513, 1)]
    [InlineData(5_000, 1)]
    public void Lanes_are_shared_out_and_nobody_is_left_without(int connections, int each)
    {
        var share = new LaneShare();
        for (var i = 0; i < connections; i++) share.Join();

        Assert.Equal(each, share.Each);
        for (var i = 1; i < connections; i++) share.Leave();
        Assert.Equal(256, share.Each);
    }
}
