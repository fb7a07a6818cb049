namespace CsvLines;

/// <summary>A line of a CSV file as RFC 4180 has it.</summary>
public static class CsvLine
{
    public static string Of(params IEnumerable<string> fields) => string.Join(',', fields.Select(Quoted)) + "\r\n";

    private static string Quoted(string field) =>
        field.AsSpan().IndexOfAny(",\"\r\n") < 0 ? field : $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
