using System.Text;

namespace WebhookService.Application.Common;

/// <summary>A client id or, with <paramref name="IsPrefix"/>, the beginning of one.</summary>
public sealed record ClientIdPattern(string Text, bool IsPrefix)
{
    /// <summary>Reads `id` or `prefix*`. `\*` is an asterisk of the id itself, and so is one that is not at the end.</summary>
    public static ClientIdPattern Parse(string text)
    {
        var id = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '*' && i == text.Length - 1) return new(id.ToString(), IsPrefix: true);
            if (text[i] is '\\' && i + 1 < text.Length && text[i + 1] is '*') i++;
            id.Append(text[i]);
        }
        return new(id.ToString(), IsPrefix: false);
    }

    public bool Matches(string id) => IsPrefix ? id.StartsWith(Text, StringComparison.Ordinal) : id == Text;

    public override string ToString() => IsPrefix ? Text + "*" : Text;
}
