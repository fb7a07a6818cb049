using System.Buffers.Text;
using System.Text.Json;
using WebhookService.Domain;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// The place in a list after which the next page starts: the sort keys of the last row, as JSON in base64url. Seeking by key costs the same
/// on every page; OFFSET would not.
/// </summary>
internal static class Cursor
{
    public static string Of<T>(T keys) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(keys));

    /// <exception cref="DomainException">The text is no cursor of this list.</exception>
    public static T? Read<T>(string? cursor)
        where T : class
    {
        if (cursor is null) return null;
        try
        {
            return JsonSerializer.Deserialize<T>(Base64Url.DecodeFromChars(cursor)) ?? throw new JsonException();
        }
        catch (Exception fault) when (fault is FormatException or JsonException)
        {
            throw Foreign();
        }
    }

    /// <summary>The text is a cursor, but of another list or another order.</summary>
    public static DomainException Foreign() =>
        new("'cursor' is not one that this list gave out. Take it from 'next' of the previous page, with the same sort.", "cursor");
}
