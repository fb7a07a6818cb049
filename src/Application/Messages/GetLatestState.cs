using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Messages;

/// <summary>The newest message of a device on each of its topics, with its age; null if there is no such device.</summary>
public sealed record GetLatestState(ClientId Client, PageRequest Page) : IQuery<LatestStateView?>;

/// <param name="Next">The cursor of further topics; null when these are all.</param>
public sealed record LatestStateView(string ClientId, IReadOnlyList<LatestMessageView> Items, string? Next);

public sealed record LatestMessageView
{
    public required string Topic { get; init; }
    public required string MessageId { get; init; }
    public required int Qos { get; init; }
    public required bool Retain { get; init; }
    public required DateTimeOffset PublishedAt { get; init; }

    /// <summary>From the broker's time of publishing to now by our clock.</summary>
    public required double AgeSeconds { get; init; }
    public required PayloadView Payload { get; init; }
}

/// <summary>
/// The payloads of a device as one JSON document. Objects are merged member by member at every depth; where two messages tell the same member,
/// the one published later wins, and a JSON null is a value like any other. What is no JSON object stands apart in <see cref="NotMerged"/>.
/// </summary>
public sealed record MergedStateView(string ClientId, JsonObject Document, IReadOnlyList<MergedMessageView> Merged, IReadOnlyList<LatestMessageView> NotMerged, string? Next)
{
    public static MergedStateView Of(LatestStateView state)
    {
        var document = new JsonObject();
        var (merged, apart) = (new List<MergedMessageView>(), new List<LatestMessageView>());
        foreach (var message in state.Items.OrderBy(message => message.PublishedAt).ThenBy(message => message.MessageId, StringComparer.Ordinal))
        {
            using var json = ObjectIn(message.Payload);
            if (json is null)
            {
                apart.Add(message);
                continue;
            }
            Merge(document, json.RootElement);
            merged.Add(new(message.Topic, message.MessageId, message.PublishedAt, message.AgeSeconds));
        }
        return new(state.ClientId, document, merged, apart, state.Next);
    }

    private static JsonDocument? ObjectIn(PayloadView payload)
    {
        if (payload.Encoding is "base64" || !payload.Data.AsSpan().TrimStart().StartsWith('{')) return null;
        try
        {
            return JsonDocument.Parse(payload.Data);
        }
        catch (JsonException)
        {
            return null; // text that only begins like an object: the caller lists it as it is
        }
    }

    private static void Merge(JsonObject into, JsonElement from)
    {
        foreach (var member in from.EnumerateObject())
        {
            if (member.Value.ValueKind is not JsonValueKind.Object)
            {
                into[member.Name] = Node(member.Value);
                continue;
            }
            if (into[member.Name] is not JsonObject inner) into[member.Name] = inner = [];
            Merge(inner, member.Value);
        }
    }

    private static JsonNode? Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Array => JsonArray.Create(value.Clone()),
        _ => JsonValue.Create(value.Clone()),
    };
}

/// <summary>A message whose payload went into the document.</summary>
public sealed record MergedMessageView(string Topic, string MessageId, DateTimeOffset PublishedAt, double AgeSeconds);
