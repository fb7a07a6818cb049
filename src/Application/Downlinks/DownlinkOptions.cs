using System.ComponentModel.DataAnnotations;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Application.Downlinks;

/// <summary>Section <c>Downlink</c>: messages to devices.</summary>
public sealed class DownlinkOptions : IValidatableObject
{
    public const string Section = "Downlink";

    /// <summary>The topic where a message names none, such as <c>devices/{clientId}/commands</c>. Empty: every message names its own.</summary>
    public string Topic { get; set => field = value ?? ""; } = "";

    /// <summary>How long news of a message is waited for where it does not say: 1 second to 7 days.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(1);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Timeout < DownlinkOrder.ShortestTimeout || Timeout > DownlinkOrder.LongestTimeout)
            yield return new($"{Section}:Timeout is {Timeout}: give 00:00:01 to 7.00:00:00.");
        if (Topic.AsSpan().IndexOfAny('+', '#', '\0') >= 0)
            yield return new($"{Section}:Topic is '{Topic}', which holds a wildcard: give one topic, in which {{clientId}} stands for the device.");
        else if (Topic.Length > 0 && !Topic.Contains("{clientId}", StringComparison.Ordinal))
            yield return new($"{Section}:Topic is '{Topic}', the same for all devices: let {{clientId}} stand for the device in it.");
    }
}
