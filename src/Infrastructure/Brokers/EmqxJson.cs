using System.Globalization;
using System.Text.Json;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>Members of EMQX's objects, whose types differ between versions: what is missing or of another type is null.</summary>
internal static class EmqxJson
{
    public static JsonElement? Member(this JsonElement parent, string name) =>
        parent.ValueKind is JsonValueKind.Object && parent.TryGetProperty(name, out var member) ? member : null;

    /// <summary>A text, or a number as it is written.</summary>
    public static string? Text(this JsonElement parent, string name)
    {
        var member = parent.Member(name);
        if (member is { ValueKind: JsonValueKind.Number }) return member.Value.GetRawText();
        if (member is not { ValueKind: JsonValueKind.String }) return null;
        try
        {
            return member.Value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // it is no Unicode text
        }
    }

    public static long? Integer(this JsonElement parent, string name) =>
        long.TryParse(parent.Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    public static bool? Flag(this JsonElement parent, string name) => parent.Member(name)?.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary>The elements of an array; none where it is none.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement? array) => array is { ValueKind: JsonValueKind.Array } ? array.Value.EnumerateArray() : [];
}
