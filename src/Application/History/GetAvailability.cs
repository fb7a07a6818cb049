using System.Text.Json.Serialization;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.History;

namespace WebhookService.Application.History;

/// <summary>How available a device was; null if no report ever named it.</summary>
/// <param name="Stretches">Also say when it was what.</param>
public sealed record GetAvailability(ClientId Client, HistorySpan Span, bool Stretches) : IQuery<DeviceAvailabilityView?>;

/// <summary>How available a device was.</summary>
public sealed class DeviceAvailabilityView(string clientId, HistorySpan span, Availability figures) : AvailabilityView(span, figures)
{
    public const int MaxStretches = 1_000;

    [JsonPropertyOrder(-1)]
    public string ClientId { get; } = clientId;

    /// <summary>What the device was from when to when, where `stretches=true` asked for it: the newest 1,000, oldest first.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<StretchView>? Stretches { get; init; }
}
