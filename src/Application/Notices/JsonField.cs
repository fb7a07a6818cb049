using System.Globalization;
using System.Text.Json;
using WebhookService.Domain;

namespace WebhookService.Application.Notices;

/// <summary>Where a number stands in a JSON payload: `a.b`, `list.0`, or a JSON pointer (RFC 6901) such as `/a~1b/c` where names hold dots. Empty: the payload itself.</summary>
public sealed class JsonField
{
    private readonly string[] steps;

    private JsonField(string text, string[] path) => (Text, steps) = (text, path);

    /// <summary>As it was written; `value` for the payload itself.</summary>
    public string Text { get; }

    /// <exception cref="DomainException">A name between two dots is empty.</exception>
    public static JsonField Parse(string text)
    {
        if (text.Length == 0) return new("value", []);
        if (text[0] is '/')
            return new(text, [.. text[1..].Split('/').Select(step => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))]);
        var names = text.Split('.');
        return names.All(name => name.Length > 0) ? new(text, names) : throw new DomainException($"'{text}' has an empty name in it. Write a.b, or /a/b as a JSON pointer");
    }

    /// <returns>Null if the payload is no JSON, has no such member, or something else than a finite number there.</returns>
    public double? Read(ReadOnlyMemory<byte> payload)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            var element = document.RootElement;
            foreach (var step in steps)
                if (Step(element, step) is { } inner) element = inner;
                else return null;
            return element.ValueKind is JsonValueKind.Number && element.TryGetDouble(out var value) && double.IsFinite(value) ? value : null;
        }
        catch (JsonException)
        {
            return null; // devices send what they like: no JSON is no value
        }
    }

    private static JsonElement? Step(JsonElement element, string step) => element.ValueKind switch
    {
        JsonValueKind.Object when element.TryGetProperty(step, out var member) => member,
        JsonValueKind.Array when int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < element.GetArrayLength() => element[index],
        _ => null,
    };
}
