using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace WebhookService.Api.Demo;

/// <summary>What one broker sent in one scenario, in the order of arrival. The files are described in recordings/README.md;
/// the ones the demo plays are part of this assembly.</summary>
public sealed record Recording(string Name, IReadOnlyList<RecordedRequest> Requests, IReadOnlyList<RecordingMarker> Markers)
{
    private const string Folder = "recordings/";
    private const string Extension = ".jsonl.gz";

    /// <summary>The recordings inside this assembly, sorted.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. typeof(Recording).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal))
            .Select(name => name[Folder.Length..^Extension.Length])
            .Order(StringComparer.Ordinal)];

    /// <summary>The broker and its version as the file name says it: <c>v4</c>, <c>v4re</c>, <c>v5</c>, <c>v58</c> …</summary>
    public string Broker => Name[..Name.IndexOf('-', StringComparison.Ordinal)];

    /// <summary>Loads one of <see cref="Names"/>.</summary>
    public static Recording Load(string name)
    {
        using var resource = typeof(Recording).Assembly.GetManifestResourceStream(Folder + name + Extension)
            ?? throw new ArgumentException($"No recording is called '{name}'. There are: {string.Join(", ", Names)}.", nameof(name));
        return Read(name, resource);
    }

    /// <summary>Reads a gzipped recording.</summary>
    public static Recording Read(string name, Stream gzip)
    {
        var requests = new List<RecordedRequest>();
        var markers = new List<RecordingMarker>();
        using var reader = new StreamReader(new GZipStream(gzip, CompressionMode.Decompress));

        while (reader.ReadLine() is { } text)
        {
            using var json = JsonDocument.Parse(text);
            var line = json.RootElement;
            var at = line.GetProperty("received_at").GetDateTimeOffset();

            if (line.TryGetProperty("marker", out var marker))
                markers.Add(new(at, marker.GetString()!));
            else
                requests.Add(new(
                    line.GetProperty("seq").GetInt32(),
                    at,
                    line.GetProperty("headers").GetProperty("content-type").GetString()!,
                    line.TryGetProperty("body_base64", out var bytes)
                        ? bytes.GetBytesFromBase64()
                        : Encoding.UTF8.GetBytes(line.GetProperty("body").GetString()!),
                    line.GetProperty("reply").ToString()));
        }

        return new(name, requests, markers);
    }
}

/// <summary>One request: the exact body, and what the receiver of that day replied (a status, or <c>drop</c>).</summary>
public sealed record RecordedRequest(int Seq, DateTimeOffset ReceivedAt, string ContentType, ReadOnlyMemory<byte> Body, string Reply);

/// <summary>A note between requests: when the receiver changed its answer.</summary>
public sealed record RecordingMarker(DateTimeOffset At, string Text);
