using System.ComponentModel.DataAnnotations;

namespace WebhookService.Api.Operating;

/// <summary>Section <c>Metrics</c>: which meters are offered, and whether also without a token on a port of their own.</summary>
internal sealed class MetricsOptions
{
    /// <summary>Names of the meters to follow.</summary>
    public string[] Meters { get; init; } = [];

    /// <summary>A port that serves <c>/metrics</c> alone, without a token; 0 for none.</summary>
    [Range(0, 65535)] public int Port { get; init; }

    /// <summary>The address that this port is opened on: <c>localhost</c>, <c>*</c> or an IP address.</summary>
    [Required] public string Host { get; init; } = "localhost";

    /// <summary>Most series kept per instrument; what comes beyond is counted in one series marked <c>overflow="true"</c>.</summary>
    [Range(1, 100_000)] public int SeriesPerInstrument { get; init; } = 1000;
}
