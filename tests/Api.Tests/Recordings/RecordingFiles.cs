using WebhookService.Api.Demo;

namespace WebhookService.Api.Tests.Recordings;

/// <summary>The folder <c>recordings/</c> of the repository; its README.md describes the files.</summary>
internal static class RecordingFiles
{
    private const string Extension = ".jsonl.gz";
    private const string TruthExtension = ".truth.jsonl.gz";

    public static string Folder { get; } = Find();

    /// <summary>Every recording, sorted.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetFiles(Folder, "*" + TruthExtension)
            .Select(file => Path.GetFileName(file)[..^TruthExtension.Length])
            .Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Storms => Names.Where(name => name.Contains("storm", StringComparison.Ordinal));

    /// <summary>For <c>[MemberData(nameof(RecordingFiles.All), MemberType = typeof(RecordingFiles))]</c>.</summary>
    public static TheoryData<string> All() => [.. Names];

    public static Recording Load(string name)
    {
        using var file = File.OpenRead(Path.Combine(Folder, name + Extension));
        return Recording.Read(name, file);
    }

    public static TruthFile Truth(string name)
    {
        using var file = File.OpenRead(Path.Combine(Folder, name + TruthExtension));
        return TruthFile.Read(file);
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "recordings");
            if (File.Exists(Path.Combine(candidate, "README.md"))) return candidate;
        }

        throw new DirectoryNotFoundException($"No folder 'recordings' above {AppContext.BaseDirectory}: run the tests inside the repository.");
    }
}
