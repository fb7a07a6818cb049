using System.Buffers;
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

    /// <summary>The event again, from its row.</summary>
    /// <param name="client">Of whom it tells, if anybody.</param>
    /// <param name="message">Of which message it tells, if any.</param>
    public static IDomainEvent Read(string type, DateTimeOffset at, ClientId? client, MessageId? message, string? data)
    {
        if (!Whole.Types.TryGetValue(type, out var whole)) return new ReportReceived(type, client, at, data ?? "null");

        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("at", at);
            foreach (var name in whole.ClientNames) writer.WriteString(name, client?.Value);
            if (whole.MessageName is { } messageName) writer.WriteString(messageName, message?.ToString());
            if (data is not null)
            {
                using var said = JsonDocument.Parse(data);
                foreach (var member in said.RootElement.EnumerateObject()) member.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        return (IDomainEvent)JsonSerializer.Deserialize(buffer.WrittenSpan, whole.Type, Whole.Json)!;
    }

    /// <summary><see cref="Read"/>; what cannot be read must not stop those who follow the journal: they get it raw, and are told why.</summary>
    public static (IDomainEvent Happened, string? Unreadable) ReadOrRaw(string type, DateTimeOffset at, ClientId? client, MessageId? message, string? data)
    {
        try
        {
            return (Read(type, at, client, message, data), null);
        }
        catch (Exception fault) when (fault is JsonException or DomainException or FormatException or InvalidOperationException or NotSupportedException or ArgumentException)
        {
            return (new ReportReceived(type, client, at, data ?? "null"), $"The journal's row cannot be read as {type}: {fault.Message}");
        }
    }

    /// <summary>Our own event types with all their members, also those that have columns.</summary>
    private static class Whole
    {
        public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
        {
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower), new InstantConverter(), new ClientIdConverter(), new MessageIdConverter() },
        };

        public static readonly FrozenDictionary<string, (Type Type, string[] ClientNames, string? MessageName)> Types = typeof(IDomainEvent).Assembly.GetTypes()
            .Where(type => type.GetCustomAttribute<EventNameAttribute>() is not null)
            .ToFrozenDictionary(
                type => type.GetCustomAttribute<EventNameAttribute>()!.Name,
                type =>
                {
                    var parameters = type.GetConstructors()[0].GetParameters();
                    return (type,
                        parameters.Where(one => one.ParameterType == typeof(ClientId) || one.ParameterType == typeof(ClientId?)).Select(one => Camel(one.Name!)).ToArray(),
                        parameters.Where(one => one.ParameterType == typeof(MessageId)).Select(one => Camel(one.Name!)).SingleOrDefault());
                });

        private static string Camel(string name) => JsonNamingPolicy.CamelCase.ConvertName(name);
    }

    private sealed class ClientIdConverter : JsonConverter<ClientId>
    {
        public override ClientId Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => new(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, ClientId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }

    private sealed class MessageIdConverter : JsonConverter<MessageId>
    {
        public override bool HandleNull => true; // the message is gone by retention: no id is left of it

        public override MessageId Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            reader.GetString() is { } text ? MessageId.Parse(text) : default;

        public override void Write(Utf8JsonWriter writer, MessageId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }

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
