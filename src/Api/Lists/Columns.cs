using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using WebhookService.Api.Errors;

namespace WebhookService.Api.Lists;

/// <summary>
/// The members of a response type by dotted name, in the order of its JSON: the columns of its CSV and the names that `fields` takes.
/// Objects are taken apart; lists, dictionaries and free JSON are one column each.
/// </summary>
internal sealed class Columns
{
    private static readonly ConcurrentDictionary<Type, Columns> Known = new();

    private readonly string[][] paths;
    private readonly Node root;

    private Columns(IEnumerable<string[]> paths)
    {
        this.paths = [.. paths];
        Names = [.. this.paths.Select(path => string.Join('.', path))];
        root = new Node();
        foreach (var path in this.paths) root.Add(path);
    }

    public IReadOnlyList<string> Names { get; }

    public static Columns Of(Type type, JsonSerializerOptions options) => Known.GetOrAdd(type, _ => new(Leaves(type, [], options)));

    /// <summary>Only the columns that a comma list names, or that lie below a name in it.</summary>
    /// <exception cref="ApiException">A name is none of this type's.</exception>
    public Columns Only(string fields)
    {
        var wanted = fields.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var name in wanted)
            if (!Names.Any(column => IsIn(column, name)))
                throw ApiException.BadRequest("invalid-value", $"There is no member '{name}' in this list.", "fields", $"It takes {string.Join(", ", Names)}.");
        return new(paths.Where((_, i) => wanted.Any(name => IsIn(Names[i], name))));
    }

    /// <summary>Writes the members of an item that are among these columns.</summary>
    public void Write(Utf8JsonWriter writer, JsonElement item) => Write(writer, item, root);

    /// <summary>One value a column, in order; default where there is none.</summary>
    public IEnumerable<JsonElement> Cells(JsonElement item)
    {
        foreach (var path in paths)
        {
            var cell = item;
            foreach (var name in path)
                cell = cell.ValueKind is JsonValueKind.Object && cell.TryGetProperty(name, out var inner) ? inner : default;
            yield return cell;
        }
    }

    private static bool IsIn(string column, string name) =>
        column.StartsWith(name, StringComparison.Ordinal) && (column.Length == name.Length || column[name.Length] == '.');

    private static IEnumerable<string[]> Leaves(Type type, string[] above, JsonSerializerOptions options)
    {
        foreach (var member in options.GetTypeInfo(type).Properties)
        {
            if (member.Get is null) continue; // [JsonIgnore]
            string[] path = [.. above, member.Name];
            if (member.CustomConverter is null && options.GetTypeInfo(member.PropertyType).Kind is JsonTypeInfoKind.Object)
                foreach (var leaf in Leaves(member.PropertyType, path, options)) yield return leaf;
            else
                yield return path;
        }
    }

    private static void Write(Utf8JsonWriter writer, JsonElement item, Node node)
    {
        writer.WriteStartObject();
        foreach (var member in item.EnumerateObject())
        {
            if (!node.Below.TryGetValue(member.Name, out var below)) continue;
            if (below.Below.Count > 0 && member.Value.ValueKind is JsonValueKind.Object)
            {
                writer.WritePropertyName(member.Name);
                Write(writer, member.Value, below);
            }
            else
            {
                member.WriteTo(writer);
            }
        }
        writer.WriteEndObject();
    }

    private sealed class Node
    {
        public Dictionary<string, Node> Below { get; } = [];

        public void Add(ReadOnlySpan<string> path)
        {
            if (path.IsEmpty) return;
            if (!Below.TryGetValue(path[0], out var node)) Below[path[0]] = node = new Node();
            node.Add(path[1..]);
        }
    }
}
