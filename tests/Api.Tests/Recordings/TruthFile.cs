using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace WebhookService.Api.Tests.Recordings;

/// <summary>What the clients of a recording did and saw; <c>recordings/README.md</c> explains each word.</summary>
internal sealed partial class TruthFile(IReadOnlyList<TruthFile.Fact> facts)
{
    /// <summary>One line. <paramref name="ClientId"/> is null where the line names no client.</summary>
    internal sealed record Fact(DateTimeOffset At, string Word, string? ClientId, JsonElement Line);

    internal sealed record Connack(DateTimeOffset At, string ClientId, bool SessionPresent);

    /// <summary><paramref name="Payload"/> is known in the payload-encoding scenario only.</summary>
    internal sealed record Published(DateTimeOffset At, string ClientId, string Topic, int Qos, byte[]? Payload);

    internal sealed record Refused(DateTimeOffset At, string ClientId, int Code, string Message);

    public IReadOnlyList<Fact> Facts { get; } = facts;

    /// <summary>Connections that the broker accepted from MQTT clients; raw sockets are in <see cref="RawConnections"/>.</summary>
    public IReadOnlyList<Connack> Connacks { get; } =
        [.. facts.Where(fact => fact.Word is "connack")
            .Select(fact => new Connack(fact.At, fact.ClientId!, fact.Line.GetProperty("sp").GetBoolean()))];

    /// <summary>Closed sockets, by client id; a refused connection closes too.</summary>
    public IReadOnlyList<(DateTimeOffset At, string ClientId)> Closes { get; } =
        [.. facts.Where(fact => fact.Word is "close").Select(fact => (fact.At, fact.ClientId!))];

    public IReadOnlyList<Refused> Refusals { get; } =
        [.. facts.Where(fact => fact.Word is "error")
            .Select(fact => new Refused(fact.At, fact.ClientId!, fact.Line.GetProperty("code").GetInt32(), fact.Line.GetProperty("msg").GetString()!))];

    /// <summary>Connections accepted on raw sockets, which name no client id with their CONNACK.</summary>
    public int RawConnections { get; } =
        facts.Count(fact => fact.Word is "raw_rx" && fact.Line.GetProperty("cmd").GetString() is "connack" && fact.Line.GetProperty("rc").GetInt32() == 0);

    /// <summary>Messages that reached the broker. Wills are not among them, nor what mosquitto published, nor what was denied.</summary>
    public IReadOnlyList<Published> Messages { get; } = [.. Publishes(facts).Where(message => !message.Topic.StartsWith("deny/", StringComparison.Ordinal))];

    /// <summary>Messages that arrived at the scenario's subscriber, where it counted them.</summary>
    public int? ReceivedMessages { get; } =
        facts.FirstOrDefault(fact => fact.Word is "sink_msgs")?.Line.GetProperty("n").GetInt32();

    /// <summary>Who must be online once the whole recording is taken in: in a storm the broker's own list, else nobody.</summary>
    public IReadOnlyCollection<string> OnlineAtTheEnd => BrokerConnected ?? [];

    /// <summary>A storm's end as the broker knows it, sorted; null in other recordings.</summary>
    public IReadOnlyCollection<string>? BrokerConnected { get; } =
        facts.FirstOrDefault(fact => fact.Word is "broker_connected") is { } list
            ? [.. ErlangBinary().Matches(list.Line.GetProperty("raw").GetString()!).Select(match => match.Groups["id"].Value).Order(StringComparer.Ordinal)]
            : null;

    /// <summary>A storm's end as the clients know it, sorted; null in other recordings.</summary>
    public IReadOnlyCollection<string>? ClientSideAlive { get; } =
        facts.FirstOrDefault(fact => fact.Word is "client_side_alive") is { } list
            ? [.. list.Line.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!).Order(StringComparer.Ordinal)]
            : null;

    public static TruthFile Read(Stream gzip)
    {
        using var reader = new StreamReader(new GZipStream(gzip, CompressionMode.Decompress));
        var facts = new List<Fact>();
        while (reader.ReadLine() is { } text)
        {
            var line = JsonElement.Parse(text);
            facts.Add(new(
                DateTimeOffset.FromUnixTimeMilliseconds(line.GetProperty("t_ms").GetInt64()),
                line.GetProperty("ev").GetString()!,
                line.TryGetProperty("clientid", out var client) ? client.GetString() : null,
                line));
        }

        return new(facts);
    }

    private static IEnumerable<Published> Publishes(IEnumerable<Fact> facts)
    {
        byte[]? payload = null;
        foreach (var fact in facts)
        {
            if (fact.Word is "payload")
            {
                payload = Convert.FromHexString(fact.Line.GetProperty("hex").GetString()!);
            }
            else if (fact.Word is "publish")
            {
                yield return new(fact.At, fact.ClientId!, fact.Line.GetProperty("topic").GetString()!, fact.Line.GetProperty("qos").GetInt32(), payload);
                payload = null;
            }
        }
    }

    [GeneratedRegex("""<<"(?<id>([^"\\]|\\.)*)">>""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 60_000)]
    private static partial Regex ErlangBinary();
}
