using WebhookService.Application.Common;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.Messages;

/// <summary>A payload for JSON. <paramref name="Encoding"/>: `utf8`, `base64` (bytes that are no text) or `lossy` (text in which the broker
/// replaced bytes by U+FFFD). <paramref name="Bytes"/> is the size of the payload itself.</summary>
public sealed record PayloadView(string Encoding, string Data, int Bytes)
{
    public static PayloadView Of(byte[] bytes, PayloadKind kind) => kind switch
    {
        PayloadKind.Binary => new("base64", Convert.ToBase64String(bytes), bytes.Length),
        PayloadKind.Lossy => new("lossy", System.Text.Encoding.UTF8.GetString(bytes), bytes.Length),
        _ => new("utf8", System.Text.Encoding.UTF8.GetString(bytes), bytes.Length),
    };
}

/// <summary>A message as lists show it.</summary>
public record MessageView
{
    public required string Id { get; init; }

    /// <summary>The client id it was published under.</summary>
    public required string ClientId { get; init; }
    public required string Topic { get; init; }
    public required int Qos { get; init; }
    public required bool Retain { get; init; }
    public required DateTimeOffset PublishedAt { get; init; }
    public required DateTimeOffset ReceivedAt { get; init; }
    public required PayloadView Payload { get; init; }
    public required MessageStatus Status { get; init; }
}

/// <summary>A message with what became of it.</summary>
public sealed record MessageDetailsView : MessageView
{
    public string? Username { get; init; }

    /// <summary>MQTT 5 publish properties, as the broker told them.</summary>
    public RawJson? Properties { get; init; }

    /// <summary>When and why the broker dropped it for everybody.</summary>
    public DateTimeOffset? DroppedAt { get; init; }
    public string? DropReason { get; init; }

    /// <summary>How many receivers are known; <see cref="Deliveries"/> shows at most <see cref="GetMessage.MostDeliveries"/> of them.</summary>
    public required long DeliveryCount { get; init; }
    public required IReadOnlyList<DeliveryView> Deliveries { get; init; }
}

/// <summary>What became of a message at one receiver.</summary>
public sealed record DeliveryView(
    string ClientId, DateTimeOffset? DeliveredAt, DateTimeOffset? AckedAt, DateTimeOffset? DroppedAt, string? DropReason, bool Redelivered);
