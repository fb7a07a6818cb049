namespace WebhookService.Bench;

/// <summary>A folder under the system's temporary one that goes when it is disposed of, unless it shall be kept.</summary>
internal sealed class TemporaryFolder(bool keep = false) : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("webhookservice-bench-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        if (keep) Console.WriteLine($"Kept: {Path}");
        else Directory.Delete(Path, recursive: true);
    }
}
