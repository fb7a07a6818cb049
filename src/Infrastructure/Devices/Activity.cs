using System.Text.Json;
using WebhookService.Domain.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>What changes of a device with every message: a row of `device_activity`.</summary>
internal readonly record struct Activity
{
    public long ClientNo { get; init; }
    public long? LastSeenAt { get; init; }
    public long? LastMessageAt { get; init; }
    public string? LastTopic { get; init; }
    public long Published { get; init; }
    public long Delivered { get; init; }
    public long Dropped { get; init; }
    public long? SignAt { get; init; }
    public string? SignPeer { get; init; }
    public long Version { get; init; }
    public long Status { get; init; }

    /// <summary>The version of the table's row when the device last changed in more than this: these values fit no earlier state of it.</summary>
    public long RestsOn { get; init; }

    public static Activity Of(long clientNo, Device device, long restsOn) => new()
    {
        ClientNo = clientNo,
        RestsOn = restsOn,
        LastSeenAt = device.LastSeenAt.ToMs(),
        LastMessageAt = device.LastMessageAt.ToMs(),
        LastTopic = device.LastTopic,
        Published = device.Traffic.Published,
        Delivered = device.Traffic.Delivered,
        Dropped = device.Traffic.Dropped,
        SignAt = device.SignOfLife?.At.ToMs(),
        SignPeer = device.SignOfLife?.Peer,
        Version = device.Version,
        Status = (long)device.Connectivity.Status,
    };

    /// <summary>Writes what the activity log keeps: the columns of the view `logged_activity`, in its order.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartArray();
        json.WriteNumberValue(ClientNo);
        json.WriteNumberValue(RestsOn);
        Write(json, LastSeenAt);
        Write(json, LastMessageAt);
        json.WriteStringValue(LastTopic);
        json.WriteNumberValue(Published);
        json.WriteNumberValue(Delivered);
        json.WriteNumberValue(Dropped);
        Write(json, SignAt);
        json.WriteStringValue(SignPeer);
        json.WriteNumberValue(Version);
        json.WriteNumberValue(Status);
        json.WriteEndArray();
    }

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    public static Activity Read(string json)
    {
        using var entry = JsonDocument.Parse(json);
        var values = entry.RootElement;
        return new()
        {
            ClientNo = values[0].GetInt64(),
            RestsOn = values[1].GetInt64(),
            LastSeenAt = NumberIn(values[2]),
            LastMessageAt = NumberIn(values[3]),
            LastTopic = values[4].GetString(),
            Published = values[5].GetInt64(),
            Delivered = values[6].GetInt64(),
            Dropped = values[7].GetInt64(),
            SignAt = NumberIn(values[8]),
            SignPeer = values[9].GetString(),
            Version = values[10].GetInt64(),
            Status = values[11].GetInt64(),
        };
    }

    private static void Write(Utf8JsonWriter json, long? value)
    {
        if (value is { } number) json.WriteNumberValue(number);
        else json.WriteNullValue();
    }

    private static long? NumberIn(JsonElement value) => value.ValueKind is JsonValueKind.Null ? null : value.GetInt64();
}
