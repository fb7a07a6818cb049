using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookService.Api.Json;

/// <summary>A text that is a number in nearly all cases, and then is written as one.</summary>
internal sealed class NumberIfItIsOne : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.Number ? reader.GetInt64().ToString(CultureInfo.InvariantCulture) : reader.GetString();

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options)
    {
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) writer.WriteNumberValue(number);
        else writer.WriteStringValue(value);
    }
}
