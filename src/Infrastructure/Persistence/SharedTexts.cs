using System.Diagnostics.CodeAnalysis;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Texts that many rows repeat, such as a node's name, a topic or "MQTT": read from rows that are remembered, the same text is kept in memory once.
/// For the writer's thread alone.
/// </summary>
internal sealed class SharedTexts
{
    /// <summary>Longer texts, in characters, are not shared.</summary>
    private const int Longest = 512;

    private readonly GenerationCache<string, string> known = new(16_384);

    [return: NotNullIfNotNull(nameof(text))]
    public string? Of(string? text)
    {
        if (text is null or { Length: > Longest }) return text;
        if (known.TryGet(text, out var shared)) return shared;
        known.Age();
        known.Set(text, text);
        return text;
    }
}
