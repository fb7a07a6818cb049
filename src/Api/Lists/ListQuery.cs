using System.ComponentModel.DataAnnotations;
using WebhookService.Api.Errors;
using WebhookService.Application.Common;

namespace WebhookService.Api.Lists;

/// <summary>The query parameters that every list takes. A list with filters has a class of its own that adds them.</summary>
public class ListQuery
{
    public const int DefaultLimit = 50;
    public const int MaxLimit = 1000;

    /// <summary>Items on a page, 1 to 1000; 50 if not given. NDJSON and CSV bring all pages: there it only says how many are read at a time.</summary>
    [Range(1, MaxLimit, ErrorMessage = "'limit' is 1 to 1000.")]
    public int? Limit { get; init; }

    /// <summary>Where to go on: `next` of the page before, with the same sort and filters.</summary>
    public string? Cursor { get; init; }

    /// <summary>Members to answer with, by name or dotted name: `clientId,connectivity.status`. All if not given.</summary>
    public string? Fields { get; init; }
}

/// <summary>A comma list of enum values in kebab-case, as filters take it.</summary>
internal static class WordList
{
    /// <returns>Empty if nothing was asked for.</returns>
    public static IReadOnlyList<T> Read<T>(string? text, string parameter)
        where T : struct, Enum
    {
        if (text is null) return [];
        var values = new List<T>();
        foreach (var word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!Words.TryRead<T>(word, out var value))
                throw ApiException.BadRequest(
                    "invalid-value", $"'{word}' is no value of '{parameter}'.", parameter, $"It takes {string.Join(", ", Words.All<T>())}, or several of them with commas between.");
            if (!values.Contains(value)) values.Add(value);
        }
        return values;
    }
}
