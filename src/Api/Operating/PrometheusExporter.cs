using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Options;

namespace WebhookService.Api.Operating;

/// <summary>
/// Follows the configured meters and writes what they measured as Prometheus text 0.0.4: names and units as OpenTelemetry
/// maps them (<c>http.server.request.duration</c> in s → <c>http_server_request_duration_seconds</c>, counters end in <c>_total</c>).
/// </summary>
internal sealed class PrometheusExporter : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<string, MetricFamily> families = new(StringComparer.Ordinal);
    private readonly Lock scraping = new();

    public PrometheusExporter(IOptions<MetricsOptions> options, IMeterFactory ours)
    {
        var meters = options.Value.Meters.ToHashSet(StringComparer.Ordinal);
        listener.InstrumentPublished = (instrument, self) =>
        {
            // A meter with a scope belongs to one service container: another one in this process is not ours to report.
            var meter = instrument.Meter;
            if (!meters.Contains(meter.Name) || (meter.Scope is not null && !ReferenceEquals(meter.Scope, ours))) return;

            var described = MetricFamily.Describe(instrument, options.Value.SeriesPerInstrument);
            var family = families.GetOrAdd(described.Name, described);
            if (family.Kind == described.Kind) self.EnableMeasurementEvents(instrument, family);
        };
        Listen<byte>(value => value);
        Listen<short>(value => value);
        Listen<int>(value => value);
        Listen<long>(value => value);
        Listen<float>(value => value);
        Listen<double>(value => value);
        Listen<decimal>(value => (double)value);
        listener.Start();
    }

    public string Scrape()
    {
        var text = new StringBuilder(16 * 1024);
        lock (scraping)
        {
            foreach (var family in families.Values) family.BeforeObserving();
            listener.RecordObservableInstruments();
            foreach (var family in families.Values.OrderBy(family => family.Name, StringComparer.Ordinal)) family.Write(text);
        }

        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    private void Listen<T>(Func<T, double> number) where T : struct =>
        listener.SetMeasurementEventCallback<T>((_, value, tags, family) => ((MetricFamily)family!).Record(number(value), tags));
}

internal enum MetricKind { Counter, Gauge, Histogram }

/// <summary>One metric name with its series. What an instrument means is decided once, in <see cref="Describe"/>.</summary>
internal sealed class MetricFamily
{
    private static readonly double[] SecondsBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    private static readonly double[] BytesBounds = [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216];
    private static readonly double[] CountBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

    // The same tags in another order are other keys here but the same series: `series` is by label text.
    private readonly ConcurrentDictionary<Tags, Series> byTags = new(Tags.Comparer);
    private readonly ConcurrentDictionary<Tags, Series>.AlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>> lookup;
    private readonly Dictionary<string, Series> series = new(StringComparer.Ordinal);
    private readonly Lock adding = new();
    private readonly string help;
    private readonly double factor;
    private readonly double[] bounds;
    private readonly bool absolute;
    private readonly bool observed;
    private readonly int most;

    private MetricFamily(string name, string help, MetricKind kind, double factor, double[] bounds, bool absolute, bool observed, int most)
    {
        (Name, Kind) = (name, kind);
        (this.help, this.factor, this.bounds, this.absolute, this.observed, this.most) = (help, factor, bounds, absolute, observed, most);
        lookup = byTags.GetAlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>>();
    }

    public string Name { get; }

    public MetricKind Kind { get; }

    public static MetricFamily Describe(Instrument instrument, int most)
    {
        var type = instrument.GetType().Name.AsSpan();
        type = type[..type.IndexOf('`')];
        var kind = type switch
        {
            "Histogram" => MetricKind.Histogram,
            "Counter" or "ObservableCounter" => MetricKind.Counter,
            _ => MetricKind.Gauge,
        };
        var (unit, factor) = BaseUnit(instrument.Unit);
        if (unit.Length == 0 && instrument.Unit == "1" && kind == MetricKind.Gauge) unit = "ratio";

        var name = Sanitize(instrument.Name);
        if (unit.Length > 0 && !name.EndsWith('_' + unit, StringComparison.Ordinal)) name += '_' + unit;
        if (kind == MetricKind.Counter && !name.EndsWith("_total", StringComparison.Ordinal)) name += "_total";

        double[] limits = kind != MetricKind.Histogram ? [] : AdvisedBounds(instrument, factor) ?? unit switch
        {
            "seconds" => SecondsBounds,
            "bytes" => BytesBounds,
            _ => CountBounds,
        };
        return new(name, instrument.Description ?? "", kind, factor, limits,
            absolute: instrument.IsObservable || type is "Gauge", observed: instrument.IsObservable, most);
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (!lookup.TryGetValue(tags, out var one)) one = Find(tags);
        one.Record(value * factor, absolute, bounds);
    }

    /// <summary>What an observed instrument does not report again is gone.</summary>
    public void BeforeObserving()
    {
        if (!observed) return;

        lock (adding)
        {
            foreach (var one in series.Values) one.Forget();
        }
    }

    public void Write(StringBuilder text)
    {
        List<Series> all;
        lock (adding) all = [.. series.Values.Where(one => one.HasValue)];
        if (all.Count == 0) return;

        if (help.Length > 0) text.Append("# HELP ").Append(Name).Append(' ').Append(help.Replace("\\", "\\\\").Replace("\n", "\\n")).Append('\n');
        text.Append("# TYPE ").Append(Name).Append(' ').Append(Kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Histogram => "histogram",
            _ => "gauge",
        }).Append('\n');
        foreach (var one in all) one.Write(text, Name, bounds);
    }

    private Series Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = Labels(tags);
        lock (adding)
        {
            if (!series.TryGetValue(labels, out var one))
            {
                var overflow = series.Count >= most;
                if (overflow) labels = "overflow=\"true\"";
                if (!series.TryGetValue(labels, out one)) series.Add(labels, one = new(labels, Kind == MetricKind.Histogram ? bounds.Length + 1 : 0));
                if (overflow) return one;
            }

            // Bounded as well: tags in every order are few, but instruments are free to be odd.
            if (byTags.Count < most * 4) byTags[new(tags.ToArray())] = one;
            return one;
        }
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var sorted = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in tags)
        {
            var text = value switch
            {
                null => "",
                bool flag => flag ? "true" : "false",
                IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                _ => value.ToString() ?? "",
            };
            if (text.Length > 0) sorted[Sanitize(key).Replace(':', '_')] = text;   // an empty label is no label to Prometheus
        }

        return string.Join(',', sorted.Select(label =>
            $"{label.Key}=\"{label.Value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")}\""));
    }

    private static (string Unit, double Factor) BaseUnit(string? unit) => unit switch
    {
        null or "" or "1" => ("", 1),
        ['{', ..] => ("", 1),
        "s" => ("seconds", 1),
        "ms" => ("seconds", 1e-3),
        "us" or "µs" => ("seconds", 1e-6),
        "ns" => ("seconds", 1e-9),
        "min" => ("seconds", 60),
        "By" => ("bytes", 1),
        "KiBy" => ("bytes", 1024),
        "MiBy" => ("bytes", 1024 * 1024),
        "%" => ("ratio", 1e-2),
        _ => (Sanitize(unit).Trim('_'), 1),
    };

    private static string Sanitize(string name)
    {
        var text = new StringBuilder(name.Length + 1);
        foreach (var c in name)
        {
            var fits = char.IsAsciiLetterOrDigit(c) || c is ':';
            if (fits) text.Append(c);
            else if (text.Length > 0 && text[^1] != '_') text.Append('_');
        }

        if (text.Length == 0 || char.IsAsciiDigit(text[0])) text.Insert(0, '_');
        return text.ToString();
    }

    private static double[]? AdvisedBounds(Instrument instrument, double factor) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { Count: > 0 } some } => [.. some.Select(bound => bound * factor)],
        Histogram<long> { Advice.HistogramBucketBoundaries: { Count: > 0 } some } => [.. some.Select(bound => bound * factor)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { Count: > 0 } some } => [.. some.Select(bound => bound * factor)],
        _ => null,
    };

    private readonly record struct Tags(KeyValuePair<string, object?>[] Items)
    {
        public static readonly IEqualityComparer<Tags> Comparer = new ByContent();

        private sealed class ByContent : IEqualityComparer<Tags>, IAlternateEqualityComparer<ReadOnlySpan<KeyValuePair<string, object?>>, Tags>
        {
            public bool Equals(Tags x, Tags y) => Equals(x.Items.AsSpan(), y);

            public int GetHashCode(Tags obj) => GetHashCode(obj.Items.AsSpan());

            public bool Equals(ReadOnlySpan<KeyValuePair<string, object?>> alternate, Tags other)
            {
                if (alternate.Length != other.Items.Length) return false;

                for (var i = 0; i < alternate.Length; i++)
                {
                    if (alternate[i].Key != other.Items[i].Key || !object.Equals(alternate[i].Value, other.Items[i].Value)) return false;
                }

                return true;
            }

            public int GetHashCode(ReadOnlySpan<KeyValuePair<string, object?>> alternate)
            {
                var hash = new HashCode();
                foreach (var (key, value) in alternate)
                {
                    hash.Add(key);
                    hash.Add(value);
                }

                return hash.ToHashCode();
            }

            public Tags Create(ReadOnlySpan<KeyValuePair<string, object?>> alternate) => new(alternate.ToArray());
        }
    }

    private sealed class Series(string labels, int buckets)
    {
        private readonly Lock access = new();
        private readonly long[] counts = new long[buckets];
        private double value;

        public bool HasValue { get; private set; }

        public void Forget()
        {
            lock (access) HasValue = false;
        }

        public void Record(double measured, bool absolute, double[] bounds)
        {
            lock (access)
            {
                value = absolute ? measured : value + measured;
                HasValue = true;
                if (counts.Length == 0) return;

                var bucket = Array.BinarySearch(bounds, measured);   // a bound belongs to its own bucket: le means ≤
                counts[bucket < 0 ? ~bucket : bucket]++;
            }
        }

        public void Write(StringBuilder text, string name, double[] bounds)
        {
            lock (access)
            {
                if (counts.Length == 0)
                {
                    Line(text, name, "", labels, value);
                    return;
                }

                var sofar = 0L;
                for (var i = 0; i < counts.Length; i++)
                {
                    sofar += counts[i];
                    var le = $"le=\"{Number(i < bounds.Length ? bounds[i] : double.PositiveInfinity)}\"";
                    Line(text, name, "_bucket", labels.Length == 0 ? le : $"{labels},{le}", sofar);
                }

                Line(text, name, "_sum", labels, value);
                Line(text, name, "_count", labels, sofar);
            }
        }

        private static void Line(StringBuilder text, string name, string suffix, string labels, double number)
        {
            text.Append(name).Append(suffix);
            if (labels.Length > 0) text.Append('{').Append(labels).Append('}');
            text.Append(' ').Append(Number(number)).Append('\n');
        }

        private static string Number(double number) => number switch
        {
            double.PositiveInfinity => "+Inf",
            double.NegativeInfinity => "-Inf",
            double.NaN => "NaN",
            _ => number.ToString("R", CultureInfo.InvariantCulture),
        };
    }
}
