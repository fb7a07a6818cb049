using System.Text;

namespace WebhookService.Bench;

/// <summary>A section of a page in docs: what was measured, against the limits that were set.</summary>
internal sealed class Report(string title)
{
    private readonly StringBuilder text = new();

    public bool AllPassed { get; private set; } = true;

    public Report Say(string paragraph)
    {
        text.Append(paragraph).Append("\n\n");
        return this;
    }

    public Report Table(string head, IEnumerable<string> rows)
    {
        text.Append("| ").Append(head).Append(" |\n|").Append(string.Concat(head.Split('|').Select(_ => "---|"))).Append('\n');
        foreach (var row in rows) text.Append("| ").Append(row).Append(" |\n");
        text.Append('\n');
        return this;
    }

    /// <summary>The word for a value that must stay under its limit. A value that could not be taken missed it.</summary>
    public string Verdict(double value, double limit) => Verdict(value < limit);

    public string AtMost(double value, double limit) => Verdict(value <= limit);

    public string AtLeast(double value, double limit) => Verdict(value >= limit);

    private string Verdict(bool passed)
    {
        AllPassed &= passed;
        return passed ? "PASS" : "MISSED";
    }

    public void Print() => Console.WriteLine($"\n## {title}\n\n{text}");

    /// <summary>Puts the section in the place of its predecessor, or at the end.</summary>
    public void WriteInto(string path)
    {
        const string Beginning = "# Performance\n\nWhat `bench` measured, as it wrote it down; `dotnet run -c Release --project bench` lists its commands. What missed its limit is marked so.\n\n";
        var before = File.Exists(path) ? File.ReadAllText(path) : Beginning;
        var sections = before.Split("\n## ").ToList();
        var own = $"{title}\n\n{text.ToString().TrimEnd()}\n";
        var place = sections.FindIndex(1, section => section.StartsWith(title + "\n", StringComparison.Ordinal));
        if (place < 0) sections.Add(own);
        else sections[place] = own;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, string.Join("\n## ", sections.Select(section => section.TrimEnd() + "\n")));
        Console.WriteLine($"Written to {path}");
    }

    /// <summary>docs/performance.md of the repository that the caller stands in.</summary>
    public static string DefaultPath => PathOf("performance.md");

    /// <summary>A page in docs of the repository that the caller stands in.</summary>
    public static string PathOf(string page)
    {
        for (var folder = new DirectoryInfo(Environment.CurrentDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "WebhookService.sln"))) return Path.Combine(folder.FullName, "docs", page);
        return Path.GetFullPath(page);
    }
}
