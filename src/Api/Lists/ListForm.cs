using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Microsoft.Net.Http.Headers;

namespace WebhookService.Api.Lists;

/// <summary>The forms that a list can take.</summary>
internal enum ListForm
{
    Json,
    NdJson,
    Csv,
}

/// <summary>Chooses the form by `Accept`: quality first, then the caller's order. JSON where he does not mind.</summary>
internal static class ListForms
{
    public const string Json = "application/json";
    public const string NdJson = "application/x-ndjson";
    public const string Csv = "text/csv";

    /// <returns>Null if the caller takes none of them.</returns>
    public static ListForm? Accepted(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted) || accepted.Count == 0) return ListForm.Json;
        foreach (var type in accepted.Where(type => type.Quality is not 0).OrderByDescending(type => type.Quality ?? 1))
        {
            switch (type.MediaType.Value?.ToLowerInvariant())
            {
                case Json or "*/*" or "application/*": return ListForm.Json;
                case NdJson or "application/ndjson" or "application/jsonl": return ListForm.NdJson;
                case Csv or "text/*": return ListForm.Csv;
            }
        }
        return null;
    }
}

/// <summary>Rows as RFC 4180 has them. Values stand as they are, ids above all; only what the format needs is quoted.</summary>
internal static class Csv
{
    private static readonly SearchValues<char> NeedsQuotes = SearchValues.Create(",\"\r\n");

    public static void WriteRow(PipeWriter output, IEnumerable<string> cells)
    {
        var first = true;
        foreach (var cell in cells)
        {
            if (!first) output.Write(","u8);
            first = false;
            Encoding.UTF8.GetBytes(MustBeQuoted(cell) ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell, output);
        }
        output.Write("\r\n"u8);
    }

    public static string Cell(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Undefined or JsonValueKind.Null => "",
        JsonValueKind.String => value.GetString()!,
        _ => value.GetRawText(),
    };

    // Many readers trim what is not quoted.
    private static bool MustBeQuoted(string cell) =>
        cell.Length > 0 && (cell.AsSpan().ContainsAny(NeedsQuotes) || char.IsWhiteSpace(cell[0]) || char.IsWhiteSpace(cell[^1]));
}
