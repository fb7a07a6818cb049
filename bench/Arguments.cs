namespace WebhookService.Bench;

/// <summary>Options of a command line: `--name value`, or `--name` alone for a switch.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> given = [];

    /// <exception cref="UsageException">An option is unknown or lacks its value.</exception>
    public Arguments(string[] args, string[] options, string[] switches)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var name = args[i].StartsWith("--", StringComparison.Ordinal) ? args[i][2..] : "";
            if (switches.Contains(name)) given[name] = "";
            else if (!options.Contains(name)) throw new UsageException($"'{args[i]}' is no option here.");
            else if (i + 1 == args.Length) throw new UsageException($"'{args[i]}' needs a value.");
            else given[name] = args[++i];
        }
    }

    public bool Has(string name) => given.ContainsKey(name);

    public string? Text(string name) => given.GetValueOrDefault(name);

    public int Number(string name, int otherwise, int least = 1) => Text(name) is { } text ? Read(name, text, least) : otherwise;

    public int[] Numbers(string name, int[] otherwise) => Text(name) is { } text ? [.. text.Split(',').Select(one => Read(name, one, least: 1))] : otherwise;

    private static int Read(string name, string text, int least) =>
        int.TryParse(text, out var number) && number >= least ? number : throw new UsageException($"'--{name}' takes whole numbers from {least}, not '{text}'.");
}

/// <summary>The command line can't be understood; the usage follows the message.</summary>
internal sealed class UsageException(string message) : Exception(message);
