namespace WebhookService.Api.Tests.Browser;

/// <summary>A fact that only a browser can tell; skipped, with the remedy, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public const string Chromium = "/usr/bin/chromium";

    public BrowserFactAttribute()
    {
        if (!File.Exists(Chromium)) Skip = $"There is no {Chromium}: ./test.sh installs it.";
    }
}
