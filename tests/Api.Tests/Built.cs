namespace WebhookService.Api.Tests;

/// <summary>What the build made of other projects, in the configuration of this one.</summary>
internal static class Built
{
    /// <param name="project">Its folder in the repository.</param>
    /// <param name="file">Empty for the folder.</param>
    public static string Of(string project, string file = "")
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory); // …/tests/Api.Tests/bin/‹configuration›/net10.0
        return Path.Combine(here.Parent!.Parent!.Parent!.Parent!.Parent!.FullName, project, "bin", here.Parent.Name, here.Name, file);
    }
}
