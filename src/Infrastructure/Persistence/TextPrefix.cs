using System.Text;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>All texts with the same beginning are one range of an index, from the beginning itself up to <see cref="End"/>.</summary>
internal static class TextPrefix
{
    /// <summary>The first text, in the order of SQLite (bytes of UTF-8), that comes after all that begin with the prefix; null if there is none.</summary>
    public static string? End(string prefix)
    {
        var runes = prefix.EnumerateRunes().ToList();
        while (runes.Count > 0)
        {
            var last = runes[^1].Value;
            runes.RemoveAt(runes.Count - 1);
            if (last == 0x10FFFF) continue;
            runes.Add(new Rune(last == 0xD7FF ? 0xE000 : last + 1));
            var end = new StringBuilder();
            foreach (var rune in runes) end.Append(rune.ToString());
            return end.ToString();
        }
        return null;
    }
}
