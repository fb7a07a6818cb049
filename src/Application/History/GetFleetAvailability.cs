using System.Text.Json.Serialization;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.History;

namespace WebhookService.Application.History;

/// <summary>How available the devices were that pass the filters now, all together. Reads the ledger of each.</summary>
/// <param name="Worst">So many devices are named.</param>
public sealed record GetFleetAvailability(DeviceFilter Filter, HistorySpan Span, int Worst) : IQuery<FleetAvailabilityView>;

/// <summary>How available devices were, all together: seconds and outages are those of each, added up.</summary>
public sealed class FleetAvailabilityView(long devices, IReadOnlyList<WorstDevice> worst, HistorySpan span, Availability figures) : AvailabilityView(span, figures)
{
    /// <summary>So many devices were looked at.</summary>
    [JsonPropertyOrder(-1)]
    public long Devices { get; } = devices;

    /// <summary>Those with the lowest ratio; of equal ones the longest offline, then by client id. None that was never offline.</summary>
    public IReadOnlyList<WorstDevice> Worst { get; } = worst;
}

public sealed record WorstDevice(string ClientId, double Ratio, long Outages, double OfflineSeconds);
