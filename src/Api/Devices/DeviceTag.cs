using System.Globalization;
using Microsoft.Net.Http.Headers;
using WebhookService.Api.Errors;
using WebhookService.Application.Devices;

namespace WebhookService.Api.Devices;

/// <summary>
/// The ETag of a device: its version, `"42"`. What follows from the passing of time alone, without a change, is added behind it, so that 304
/// never hides it: `"42-silent"`, `"42-flapping"`, `"42-subscriptions-1"`.
/// </summary>
internal static class DeviceTag
{
    public static EntityTagHeaderValue Of(DeviceView device)
    {
        var silent = device.Activity is ActivityStatus.Silent ? "-silent" : "";
        var flapping = device.Flapping ? "-flapping" : "";
        var gone = device.SubscriptionsRunOut > 0 ? $"-subscriptions-{device.SubscriptionsRunOut}" : "";
        return new($"\"{device.Version}{silent}{flapping}{gone}\"");
    }

    /// <summary>Whether `If-None-Match` names the device as it is.</summary>
    public static bool IsKnown(HttpRequest request, EntityTagHeaderValue tag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known)
        && known.Any(one => one.Equals(EntityTagHeaderValue.Any) || one.Compare(tag, useStrongComparison: false));

    /// <summary>The versions that `If-Match` allows; a null among them allows any.</summary>
    /// <exception cref="ApiException">The header is missing, or names no version.</exception>
    public static IReadOnlyList<long?> Expected(HttpRequest request)
    {
        if (request.Headers.IfMatch.Count == 0)
            throw ApiException.PreconditionRequired("A change must say which state of the device it is meant for.");
        var tags = EntityTagHeaderValue.TryParseList(request.Headers.IfMatch, out var parsed) ? parsed : [];
        var versions = tags.SelectMany(Version).ToList();
        return versions.Count > 0 ? versions : throw ApiException.PreconditionFailed("If-Match names no version of this device.");
    }

    public static ApiException HasChanged() => ApiException.PreconditionFailed("The device has changed since the version in If-Match.");

    private static long?[] Version(EntityTagHeaderValue tag)
    {
        if (tag.Equals(EntityTagHeaderValue.Any)) return [null];
        var digits = tag.Tag.AsSpan().Trim('"');
        var dash = digits.IndexOf('-');
        return !tag.IsWeak && long.TryParse(dash < 0 ? digits : digits[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? [version] : [];
    }
}
