using System.Diagnostics;

namespace WebhookService.Tests;

/// <summary>How tests wait: until something is so, never for a time.</summary>
internal static class Eventually
{
    /// <summary>Ends what will never come. Far longer than the busiest machine needs, so that it tells of a fault and not of the load.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>For what is asked of a database or over HTTP.</summary>
    public static Task IsAsync(Func<Task<bool>> condition) => IsAsync(condition, every: 10, () => "");

    /// <summary>For what is looked up in memory.</summary>
    /// <param name="state">Says more, should it not come.</param>
    public static Task IsAsync(Func<bool> condition, Func<string>? state = null) => IsAsync(() => Task.FromResult(condition()), every: 1, state ?? (() => ""));

    private static async Task IsAsync(Func<Task<bool>> condition, int every, Func<string> state)
    {
        for (var started = Stopwatch.GetTimestamp(); !await condition(); await Task.Delay(every))
            if (Stopwatch.GetElapsedTime(started) > Patience) Assert.Fail($"It did not come to that. {state()}");
    }
}
