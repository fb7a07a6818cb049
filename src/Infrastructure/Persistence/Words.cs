using System.Text.Json;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>Enum values as the words that the database and the API use: kebab-case.</summary>
internal static class Words
{
    public static string Of<T>(T value)
        where T : struct, Enum => Table<T>.Words[value];

    public static T Read<T>(string word)
        where T : struct, Enum => Table<T>.Values[word];

    private static class Table<T>
        where T : struct, Enum
    {
        public static readonly Dictionary<T, string> Words = Enum.GetValues<T>().ToDictionary(value => value, value => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()));
        public static readonly Dictionary<string, T> Values = Words.ToDictionary(pair => pair.Value, pair => pair.Key);
    }
}
