using System.Text.Json;

namespace WebhookService.Application.Common;

/// <summary>The one spelling of enum values outside the program, in the database and in JSON: kebab-case.</summary>
public static class Words
{
    public static string Of<T>(T value)
        where T : struct, Enum => Vocabulary<T>.Spelling[value];

    public static T Read<T>(string word)
        where T : struct, Enum => Vocabulary<T>.Meaning[word];

    public static bool TryRead<T>(string word, out T value)
        where T : struct, Enum => Vocabulary<T>.Meaning.TryGetValue(word, out value);

    public static IReadOnlyCollection<string> All<T>()
        where T : struct, Enum => Vocabulary<T>.Meaning.Keys;

    private static class Vocabulary<T>
        where T : struct, Enum
    {
        public static readonly Dictionary<T, string> Spelling =
            Enum.GetValues<T>().ToDictionary(value => value, value => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()));

        public static readonly Dictionary<string, T> Meaning = Spelling.ToDictionary(pair => pair.Value, pair => pair.Key);
    }
}
