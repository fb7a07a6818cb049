using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Api.Operating;

namespace WebhookService.Api.Tests.Operating;

public sealed class Metrics : IDisposable
{
    private readonly ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly IMeterFactory meters;
    private readonly Meter meter;

    public Metrics()
    {
        meters = services.GetRequiredService<IMeterFactory>();
        meter = meters.Create("WebhookService");
    }

    public void Dispose() => services.Dispose();

    private PrometheusExporter Exporter(int most = 1000) => new(Options.Create(new MetricsOptions { Meters = ["WebhookService"], SeriesPerInstrument = most }), meters);

    [Fact]
    public void A_counter_is_summed_by_its_tags_whatever_their_order_and_ends_in_total()
    {
        using var exporter = Exporter();
        var counter = meter.CreateCounter<long>("webhooks.received", "{webhook}", "Webhooks taken in,\nby \\ event.");

        counter.Add(1, new("event", "client.connected"), new("outcome", "applied"));
        counter.Add(2, new("outcome", "applied"), new KeyValuePair<string, object?>("event", "client.connected"));
        counter.Add(5, new KeyValuePair<string, object?>("event", "a\"b\\c\nd"));

        Assert.Equal("""
            # HELP webhooks_received_total Webhooks taken in,\nby \\ event.
            # TYPE webhooks_received_total counter
            webhooks_received_total{event="client.connected",outcome="applied"} 3
            webhooks_received_total{event="a\"b\\c\nd"} 5

            """, exporter.Scrape());
    }

    [Fact]
    public void A_histogram_has_cumulative_buckets_a_sum_and_a_count_in_base_units()
    {
        using var exporter = Exporter();
        var histogram = meter.CreateHistogram("commit.duration", "ms", "Time to disk.", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 10, 100] });

        foreach (var value in new[] { 0.5, 1, 5, 1000 }) histogram.Record(value);

        Assert.Equal("""
            # HELP commit_duration_seconds Time to disk.
            # TYPE commit_duration_seconds histogram
            commit_duration_seconds_bucket{le="0.001"} 2
            commit_duration_seconds_bucket{le="0.01"} 3
            commit_duration_seconds_bucket{le="0.1"} 3
            commit_duration_seconds_bucket{le="+Inf"} 4
            commit_duration_seconds_sum 1.0065
            commit_duration_seconds_count 4

            """, exporter.Scrape());
    }

    [Fact]
    public void Gauges_tell_the_last_value_and_up_down_counters_their_sum()
    {
        using var exporter = Exporter();
        var gauge = meter.CreateGauge<double>("queue.fill", "1");
        var updown = meter.CreateUpDownCounter<int>("queue.depth", "{command}");

        gauge.Record(0.25);
        gauge.Record(0.5);
        updown.Add(7);
        updown.Add(-3);

        Assert.Equal("""
            # TYPE queue_depth gauge
            queue_depth 4
            # TYPE queue_fill_ratio gauge
            queue_fill_ratio 0.5

            """, exporter.Scrape());
    }

    [Fact]
    public void An_observed_value_is_asked_for_at_each_scrape_and_gone_when_it_is_not_told_again()
    {
        using var exporter = Exporter();
        var lag = new Dictionary<string, long> { ["a"] = 1, ["b"] = 2 };
        meter.CreateObservableGauge("consumer.lag", () => lag.Select(one => new Measurement<long>(one.Value, new KeyValuePair<string, object?>("consumer", one.Key))), "{event}");
        meter.CreateObservableCounter("journal.head", () => 41L + lag.Count, "By");

        var first = exporter.Scrape();
        lag.Remove("a");
        var second = exporter.Scrape();

        Assert.Contains("consumer_lag{consumer=\"a\"} 1\nconsumer_lag{consumer=\"b\"} 2\n", first, StringComparison.Ordinal);
        Assert.Contains("journal_head_bytes_total 43\n", first, StringComparison.Ordinal);
        Assert.DoesNotContain("consumer=\"a\"", second, StringComparison.Ordinal);
        Assert.Contains("journal_head_bytes_total 42\n", second, StringComparison.Ordinal);
    }

    [Fact]
    public void Series_are_bounded_and_the_rest_is_counted_together()
    {
        using var exporter = Exporter(most: 3);
        var counter = meter.CreateCounter<long>("requests");

        for (var i = 0; i < 10; i++) counter.Add(1, new KeyValuePair<string, object?>("client", i));

        var lines = exporter.Scrape().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, lines.Length);
        Assert.Equal("requests_total{overflow=\"true\"} 7", lines[^1]);
    }

    [Fact]
    public void Nothing_is_lost_when_many_threads_count()
    {
        using var exporter = Exporter();
        var counter = meter.CreateCounter<long>("requests");

        Parallel.For(0, 20_000, i => counter.Add(1, new KeyValuePair<string, object?>("parity", i % 2)));

        Assert.Contains("requests_total{parity=\"0\"} 10000\n", exporter.Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public void Meters_that_nobody_asked_for_or_that_belong_to_another_service_are_left_out()
    {
        using var exporter = Exporter();
        using var others = new ServiceCollection().AddMetrics().BuildServiceProvider();

        meters.Create("Another").CreateCounter<long>("one").Add(1);
        others.GetRequiredService<IMeterFactory>().Create("WebhookService").CreateCounter<long>("two").Add(1);

        Assert.Equal("", exporter.Scrape());
    }

    [Fact]
    public async Task The_route_needs_the_scope_read_and_tells_of_requests_and_runtime()
    {
        await using var api = await ApiHost.StartAsync();

        var closed = await api.Ingest.GetAsync("/metrics");
        var open = await api.Read.GetAsync("/metrics");

        Assert.Equal(HttpStatusCode.Forbidden, closed.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", open.Content.Headers.ContentType?.ToString());
        var text = await open.Content.ReadAsStringAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        const string refused = "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"403\",http_route=\"/metrics\"";
        while (!text.Contains(refused, StringComparison.Ordinal)) text = await api.Read.GetStringAsync("/metrics", patience.Token); // counted after its answer is sent
        Assert.Contains("# TYPE dotnet_gc_collections_total counter", text, StringComparison.Ordinal);
        Assert.Contains("kestrel_active_connections{", text, StringComparison.Ordinal);
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#'))
            Assert.Matches("""^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)+\})? (-?[0-9.]+(E[+-]?[0-9]+)?|\+Inf|-Inf|NaN)$""", line);
    }

    [Fact]
    public async Task Webhooks_are_counted_by_what_became_of_them()
    {
        await using var api = await ApiHost.StartAsync();
        const string connected = """{"event":"client.connected","clientid":"c","node":"n","connected_at":1767225600000}""";
        foreach (var body in new[] { connected, connected, "broken" })
        {
            using var content = new StringContent(body);
            await api.Ingest.PostAsync("/webhook", content);
        }

        var metrics = await api.Read.GetStringAsync("/metrics");

        Assert.Contains("webhooks_received_total{event=\"client.connected\",outcome=\"applied\",source=\"emqx\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("webhooks_received_total{event=\"client.connected\",outcome=\"repeated\",source=\"emqx\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("webhooks_quarantined_total{code=\"malformed\",source=\"emqx\"} 1\n", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_of_their_own_serves_metrics_without_a_token_and_nothing_else()
    {
        var port = FreePort();
        await using var api = await ApiHost.StartAsync(new() { ["Metrics:Port"] = $"{port}", ["Metrics:Host"] = "127.0.0.1" });
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };

        await api.Anonymous.GetAsync("/health/live");
        var metrics = await client.GetAsync("/metrics");
        var other = await client.GetAsync("/health/live");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.NotFound), (metrics.StatusCode, other.StatusCode));
        Assert.Contains("http_server_active_requests", await metrics.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
