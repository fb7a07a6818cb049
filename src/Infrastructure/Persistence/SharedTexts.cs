using System.Text;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Texts that many rows repeat, such as a node's name, a topic or "MQTT": read from rows that are remembered, the same text is kept in memory once.
/// For the writer's thread alone.
/// </summary>
internal sealed class SharedTexts
{
    /// <summary>Longer texts, in bytes, are not shared.</summary>
    private const int Longest = 512;

    private readonly GenerationCache<string, string> known = new(16_384);

    public string Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > Longest) return Encoding.UTF8.GetString(utf8);
        Span<char> characters = stackalloc char[Longest];
        var text = (ReadOnlySpan<char>)characters[..Encoding.UTF8.GetChars(utf8, characters)];
        if (known.TryGetBy(text, out var shared)) return shared;
        known.Age();
        var made = text.ToString();
        known.Set(made, made);
        return made;
    }
}
