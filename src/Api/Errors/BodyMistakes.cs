using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Abstractions;

namespace WebhookService.Api.Errors;

/// <summary>Says in the caller's words what binding and the JSON reader found wrong: theirs name .NET types, which are none of the caller's business.</summary>
internal static partial class BodyMistakes
{
    public static Problem From(ActionContext context)
    {
        var state = context.ModelState;
        // "$.path" is what the JSON reader found; beside it stands a misleading "field is required" for the body as a whole.
        foreach (var (key, entry) in state.OrderByDescending(one => one.Key.StartsWith('$')))
        {
            if (entry is null || entry.Errors.Count == 0) continue;

            var error = entry.Errors[0];
            var message = error.Exception is JsonException json ? json.Message : error.ErrorMessage;
            if (key.StartsWith('$') || error.Exception is JsonException || UnknownMember().IsMatch(message)) return From(message);
            if (key.Length == 0) return Problem.BadRequest("body-missing", "The request needs a body.", hint: "Send a JSON document with Content-Type: application/json.");

            var name = Camel(key);
            if (message.EndsWith("field is required.", StringComparison.Ordinal)) message = $"'{name}' is missing or null.";
            else if (message.Length == 0) message = $"'{entry.AttemptedValue}' is no value of '{name}'.";
            return Problem.BadRequest("invalid-value", message, name, Taken(context.ActionDescriptor, key));
        }

        return Problem.BadRequest("bad-request", "The request cannot be read.");
    }

    /// <summary>What a parameter takes, by its type and range.</summary>
    private static string Taken(ActionDescriptor action, string key)
    {
        var property = action.Parameters
            .Select(parameter => parameter.ParameterType.GetProperty(key, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase))
            .FirstOrDefault(property => property is not null);
        var type = property?.PropertyType ?? action.Parameters.FirstOrDefault(parameter => parameter.Name.Equals(key, StringComparison.OrdinalIgnoreCase))?.ParameterType;
        var range = property?.GetCustomAttribute<RangeAttribute>();
        return (type is null ? null : Nullable.GetUnderlyingType(type) ?? type) switch
        {
            { } boolean when boolean == typeof(bool) => "It takes true or false.",
            { } time when time == typeof(DateTimeOffset) => "Write it as 2026-01-01T00:00:00.000Z; the + of an offset is %2B in a query.",
            { } number when number == typeof(int) || number == typeof(long) => range switch
            {
                null => "It takes a whole number.",
                { Maximum: double or long.MaxValue } => $"It takes a whole number, {range.Minimum} or more.",
                _ => $"It takes a whole number, {range.Minimum} to {range.Maximum}.",
            },
            _ => "What it takes is shown at /docs.",
        };
    }

    public static Problem From(string jsonMessage)
    {
        var path = PathOf().Match(jsonMessage) is { Success: true } found ? found.Groups["path"].Value : null;
        if (UnknownMember().Match(jsonMessage) is { Success: true } unknown)
        {
            var member = unknown.Groups["member"].Value;
            return Problem.BadRequest("unknown-member", $"The body has a member '{member}', which is not known here.", member, "Leave it out or mend its spelling; the schema is at /docs.");
        }

        if (MissingMembers().Match(jsonMessage) is { Success: true } missing)
            return Problem.BadRequest("member-missing", $"The body lacks {missing.Groups["all"].Value}.", missing.Groups["first"].Value, "The schema is at /docs.");

        if (jsonMessage.Contains("could not be converted", StringComparison.Ordinal))
        {
            var name = path?.TrimStart('$', '.') is { Length: > 0 } at ? at : null;
            return Problem.BadRequest("invalid-value", name is null ? "The body is of the wrong JSON type." : $"The value of '{name}' has the wrong type or form.", name, "The schema is at /docs.");
        }

        var position = Position().Match(jsonMessage) is { Success: true } place
            ? $" (line {int.Parse(place.Groups["line"].ValueSpan) + 1}, byte {int.Parse(place.Groups["byte"].ValueSpan) + 1})"
            : "";
        return Problem.BadRequest("malformed-json", $"The body is not valid JSON{position}.", hint: "Send one whole JSON document in UTF-8; the schema is at /docs.");
    }

    private static string Camel(string key) => JsonNamingPolicy.CamelCase.ConvertName(key);

    [GeneratedRegex(@"^The JSON property '(?<member>.*?)' could not be mapped", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex UnknownMember();

    [GeneratedRegex("was missing required properties including: (?<all>'(?<first>[^']+)'.*?)\\.(?: Path|$)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MissingMembers();

    [GeneratedRegex(@"Path: (?<path>\S+) \|", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PathOf();

    [GeneratedRegex(@"LineNumber: (?<line>\d+) \| BytePositionInLine: (?<byte>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Position();
}
