namespace WebhookService.Api.Tests.Events;

/// <summary>Measures the memory of the whole process, in which nothing else may run meanwhile.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

[Collection(Alone.Name)]
public sealed class SlowReadersTests
{
    /// <summary>Twenty readers that take nothing of a long journal: were it queued for them, it would be there twenty times.</summary>
    [Fact]
    public async Task Readers_that_are_slow_cost_no_memory_and_miss_nothing()
    {
        const int Events = 100_000, Readers = 20;
        await using var api = await ApiHost.StartAsync();
        await api.ReportAsync("a.one", "c");
        api.Change($$"""
            INSERT INTO journal (seq, type_no, at, data)
            WITH RECURSIVE n (seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < {{Events}})
            SELECT seq, 1, 0, '{"filler":"{{new string('x', 300)}}"}' FROM n
            """);
        var journalBytes = Events * 300L;
        var before = GC.GetTotalMemory(forceFullCollection: true);

        var streams = new List<AStream>();
        for (var i = 0; i < Readers; i++) streams.Add(await AStream.OpenAsync(api.Read, "?after=0"));
        for (var (last, sent) = (-1L, await StreamedAsync(api)); sent != last; (last, sent) = (sent, await StreamedAsync(api))) await Task.Delay(300);
        var whileTheyWait = GC.GetTotalMemory(forceFullCollection: true) - before;
        var one = await streams[0].NextAsync(Events);
        streams.ForEach(stream => stream.Dispose());

        Assert.InRange(await StreamedAsync(api), Events, Events * Readers / 2);
        Assert.True(whileTheyWait < journalBytes / 2, $"{whileTheyWait} bytes are held for {Readers} readers of a journal of {journalBytes}.");
        Assert.Equal(Enumerable.Range(1, Events).Select(seq => $"{seq}"), one.Select(told => told.Id));
    }

    private static async Task<long> StreamedAsync(ApiHost api)
    {
        var metrics = await api.Read.GetStringAsync("/metrics");
        return metrics.Split('\n').FirstOrDefault(line => line.StartsWith("events_streamed_total ", StringComparison.Ordinal)) is { } line ? long.Parse(line.Split(' ')[1]) : 0;
    }
}
