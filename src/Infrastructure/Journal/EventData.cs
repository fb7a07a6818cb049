using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;

namespace WebhookService.Infrastructure.Journal;

/// <summary>What an event says beyond its client, time and message, which have columns of their own: a JSON object, or nothing.</summary>
internal static class EventData
{
    private static readonly ConcurrentDictionary<Type, (string Name, JsonTypeInfo? Shape)> Types = new();

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // stored as data, never as HTML
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower), new InstantConverter() },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { DropColumns } },
    };

    private static readonly FrozenSet<string> Ours = typeof(IDomainEvent).Assembly.GetTypes()
        .Select(type => type.GetCustomAttribute<EventNameAttribute>()?.Name).OfType<string>().ToFrozenSet();

    /// <summary>Whether rows of this type hold a report's body as it came, and not what one of our own events says.</summary>
    public static bool IsReport(string type) => !Ours.Contains(type);

    public static string NameOf(IDomainEvent happened) => happened is ReportReceived report ? report.Type : Of(happened.GetType()).Name;

    public static string? Of(IDomainEvent happened) =>
        happened is ReportReceived report ? report.Body
        : Of(happened.GetType()).Shape is { } shape ? JsonSerializer.Serialize(happened, shape)
        : null;

    private static (string Name, JsonTypeInfo? Shape) Of(Type type) => Types.GetOrAdd(type, static type =>
    {
        var name = type.GetCustomAttribute<EventNameAttribute>()?.Name
            ?? throw new InvalidOperationException($"The event {type.Name} has no [EventName]; give it the name it shall have in the journal.");
        var shape = Json.GetTypeInfo(type);
        return (name, shape.Properties.Count > 0 ? shape : null);
    });

    private static void DropColumns(JsonTypeInfo shape)
    {
        if (!shape.Type.IsAssignableTo(typeof(IDomainEvent))) return;
        for (var i = shape.Properties.Count - 1; i >= 0; i--)
            if (shape.Properties[i].PropertyType is var type && (type == typeof(ClientId) || type == typeof(ClientId?) || type == typeof(MessageId)
                || shape.Properties[i].Name is "at"))
                shape.Properties.RemoveAt(i);
    }

    internal sealed class InstantConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => reader.GetDateTimeOffset();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'"));
    }
}
