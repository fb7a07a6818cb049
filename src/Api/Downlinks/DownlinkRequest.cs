using System.Text;
using System.Text.Json;
using WebhookService.Api.Errors;
using WebhookService.Application.Downlinks;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Api.Downlinks;

/// <summary>A message to a device. Its payload is either `payload` or `payloadBase64`.</summary>
public sealed record DownlinkRequest
{
    /// <summary>The topic that the device listens to, without wildcards; `{clientId}` stands for its id. May be left out where `Downlink:Topic` is configured.</summary>
    public string? Topic { get; init; }

    /// <summary>A text is sent as it is, any other JSON value as JSON.</summary>
    public JsonElement? Payload { get; init; }

    /// <summary>Bytes that are no text.</summary>
    public string? PayloadBase64 { get; init; }

    /// <summary>0, 1 or 2; with 1 and 2 the device acknowledges it.</summary>
    public int Qos { get; init; } = 1;

    public bool Retain { get; init; }

    /// <summary>So long the broker keeps it for a device that is away (MQTT 5 message expiry), in seconds.</summary>
    public long? ExpirySeconds { get; init; }

    /// <summary>So long news of it is waited for, 1 to 604800 seconds; `Downlink:Timeout` if not given.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>MQTT 5 properties; a device of MQTT 3.1.1 does not see them.</summary>
    public DownlinkRequestProperties? Properties { get; init; }

    /// <exception cref="ApiException">The payload is missing, or there are two.</exception>
    internal PublishToDevice ToCommand(ClientId client, string? key) => new(client, ReadPayload())
    {
        Topic = Topic,
        Qos = Qos,
        Retain = Retain,
        Expiry = ExpirySeconds is { } expiry ? TimeSpan.FromSeconds(Math.Clamp(expiry, 0, (double)uint.MaxValue + 1)) : null,
        Timeout = TimeoutSeconds is { } timeout ? TimeSpan.FromSeconds(timeout) : null,
        Properties = Properties?.ToProperties(),
        Key = key,
    };

    private byte[] ReadPayload()
    {
        switch (Payload, PayloadBase64)
        {
            case (null, null):
                throw ApiException.BadRequest("member-missing", "The body lacks 'payload' and 'payloadBase64'.", "payload", "Give one of them: a text or another JSON value, or bytes in base64.");
            case (not null, not null):
                throw ApiException.BadRequest("invalid-value", "The body has both 'payload' and 'payloadBase64'.", "payload", "Give one of them.");
            case (null, { } base64):
                var bytes = new byte[base64.Length];
                return Convert.TryFromBase64String(base64, bytes, out var length) ? bytes[..length]
                    : throw ApiException.BadRequest("invalid-value", "'payloadBase64' is no base64.", "payloadBase64", "Write it with the letters + and /, and = at its end.");
            case ({ ValueKind: JsonValueKind.String } text, _):
                try
                {
                    return Encoding.UTF8.GetBytes(text.GetString()!);
                }
                catch (InvalidOperationException) // half a surrogate pair
                {
                    throw ApiException.BadRequest("invalid-value", "'payload' is no Unicode text.", "payload", "Send bytes that are no text as 'payloadBase64'.");
                }
            case ({ } json, _):
                return Encoding.UTF8.GetBytes(json.GetRawText());
        }
    }
}

/// <summary>MQTT 5 properties of a message.</summary>
public sealed record DownlinkRequestProperties
{
    public string? ContentType { get; init; }
    public string? ResponseTopic { get; init; }
    public string? CorrelationData { get; init; }
    public Dictionary<string, string>? UserProperties { get; init; }

    internal DownlinkProperties ToProperties() => new()
    {
        ContentType = ContentType,
        ResponseTopic = ResponseTopic,
        CorrelationData = CorrelationData,
        UserProperties = UserProperties ?? [],
    };
}
