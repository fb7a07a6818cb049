using System.Globalization;

namespace WebhookService.Api.Events;

/// <summary>`Prefer: wait=‹seconds›` (RFC 7240): how long a caller would rather wait than be told that there is nothing.</summary>
internal static class Prefer
{
    public const string Header = "Prefer";
    public const string AppliedHeader = "Preference-Applied";

    private const int MostSeconds = 60;

    /// <param name="preferences">The values of the header, one preference each. The first `wait` counts; one that is no number is as good as none.</param>
    /// <returns>Whole seconds, 60 at the most; null if it is not asked for.</returns>
    public static int? Wait(IEnumerable<string>? preferences)
    {
        foreach (var preference in preferences ?? [])
        {
            var (name, value) = preference.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries) is [var left, var right] ? (left, right.Trim('"')) : (preference, "");
            if (!name.Equals("wait", StringComparison.OrdinalIgnoreCase)) continue;
            if (value.Length == 0 || !value.All(char.IsAsciiDigit)) return null;
            return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? Math.Min(seconds, MostSeconds) : MostSeconds;
        }
        return null;
    }
}
