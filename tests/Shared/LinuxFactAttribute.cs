namespace WebhookService.Tests;

/// <summary>Needs Linux: looks at what its <c>/proc</c> tells, or has a file fail by its means.</summary>
internal sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute()
    {
        if (!OperatingSystem.IsLinux()) Skip = "Needs Linux.";
    }
}
