using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

public sealed class GenerationCacheTests
{
    private readonly GenerationCache<string, int> cache = new(1);

    [Fact]
    public void What_is_looked_up_stays_and_the_rest_goes()
    {
        cache.Set("used", 1);
        cache.Set("unused", 2);

        for (var i = 0; i < 3; i++)
        {
            cache.Age();
            Assert.True(cache.TryGet("used", out var value));
            Assert.Equal(1, value);
        }

        Assert.False(cache.TryGet("unused", out _));
    }

    [Fact]
    public void So_it_is_when_it_is_looked_up_by_its_characters()
    {
        cache.Set("used", 1);
        cache.Set("unused", 2);

        for (var i = 0; i < 3; i++)
        {
            cache.Age();
            Assert.True(cache.TryGetBy("used".AsSpan(), out var value));
            Assert.Equal(1, value);
        }

        Assert.False(cache.TryGetBy("unused".AsSpan(), out _));
    }
}
