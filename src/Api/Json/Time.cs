using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace WebhookService.Api.Json;

/// <summary>A time as text: written `2026-01-01T00:00:00.000Z`, read as RFC 3339 with any offset; without one it is UTC.</summary>
internal static class Time
{
    public const string Format = "yyyy-MM-ddTHH:mm:ss.fffZ";

    private static readonly string[] Forms = ["yyyy-MM-ddTHH:mm:ss.FFFFFFFK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK", "yyyy-MM-ddTHH:mmK", "yyyy-MM-dd"];

    public static bool TryRead(string text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}

/// <inheritdoc cref="Time"/>
internal sealed class TimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String && Time.TryRead(reader.GetString()!, out var time)
            ? time
            : throw new JsonException("The JSON value could not be converted to a time.");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<byte> text = stackalloc byte[Time.Format.Length];
        value.UtcDateTime.TryFormat(text, out _, Time.Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text);
    }
}

/// <summary>Binds times in queries by the same rule as JSON bodies.</summary>
internal sealed class TimeBinderProvider : IModelBinderProvider
{
    private static readonly TimeBinder Binder = new();

    public IModelBinder? GetBinder(ModelBinderProviderContext context) => context.Metadata.UnderlyingOrModelType == typeof(DateTimeOffset) ? Binder : null;

    private sealed class TimeBinder : IModelBinder
    {
        public Task BindModelAsync(ModelBindingContext bindingContext)
        {
            var name = bindingContext.ModelName;
            var given = bindingContext.ValueProvider.GetValue(name);
            if (given.FirstValue is not { Length: > 0 } text) return Task.CompletedTask;
            bindingContext.ModelState.SetModelValue(name, given);

            if (Time.TryRead(text, out var time))
                bindingContext.Result = ModelBindingResult.Success(time);
            else
                bindingContext.ModelState.TryAddModelError(name, ""); // refused in the same words as any other value
            return Task.CompletedTask;
        }
    }
}
