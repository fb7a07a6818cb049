using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookService.Application.Common;

/// <summary>JSON that was checked when it was stored and goes out as it is, but for line breaks: neither read nor changed on the way, however deep it is.</summary>
[JsonConverter(typeof(Converter))]
public readonly record struct RawJson(string Text)
{
    public override string ToString() => Text;

    internal sealed class Converter : JsonConverter<RawJson>
    {
        public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return new RawJson(document.RootElement.GetRawText());
        }

        public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) =>
            writer.WriteRawValue(OneLine(value.Text), skipInputValidation: true);

        // JSON breaks lines only between its tokens; where an item is a line (NDJSON, SSE) it may not.
        private static string OneLine(string json) => json.AsSpan().ContainsAny('\n', '\r') ? json.Replace('\n', ' ').Replace('\r', ' ') : json;
    }
}
