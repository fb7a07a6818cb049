using System.Text.Json;
using WebhookService.Api.Errors;
using WebhookService.Domain.Devices;

namespace WebhookService.Api.Devices;

/// <summary>
/// A JSON merge patch (RFC 7396) of what people say of a device: `name`, `tags`, `expectations`. Null removes. All else of a device is
/// derived from what the broker reports, and is refused by name.
/// </summary>
internal sealed class DevicePatch
{
    private readonly List<Func<DeviceProfile, DeviceProfile>> changes = [];

    /// <exception cref="ApiException">The patch holds what cannot be changed, or values of the wrong kind.</exception>
    public DevicePatch(JsonElement patch, IReadOnlySet<string> derived)
    {
        foreach (var member in Members(patch, ""))
        {
            var value = member.Value;
            switch (member.Name)
            {
                case "name":
                    var name = TextOrNull(value, "name");
                    changes.Add(profile => profile with { Name = name });
                    break;
                case "tags":
                    Tags(value);
                    break;
                case "expectations":
                    Expectations(value);
                    break;
                case var other when derived.Contains(other):
                    throw ApiException.BadRequest(
                        "read-only-member", $"'{other}' is derived from what the broker reports; nobody can write it.", other, "Only name, tags and expectations can be changed.");
                case var unknown:
                    throw Unknown(unknown);
            }
        }
    }

    public DeviceProfile Apply(DeviceProfile profile)
    {
        foreach (var change in changes) profile = change(profile);
        return profile;
    }

    private void Tags(JsonElement patch)
    {
        if (patch.ValueKind is JsonValueKind.Null)
        {
            changes.Add(profile => profile with { Tags = new Dictionary<string, string>() });
            return;
        }
        var tags = Members(patch, "tags").Select(tag => (tag.Name, Value: TextOrNull(tag.Value, $"tags.{tag.Name}"))).ToList();
        changes.Add(profile =>
        {
            var merged = new Dictionary<string, string>(profile.Tags);
            foreach (var (name, value) in tags)
            {
                if (value is null) merged.Remove(name);
                else merged[name] = value;
            }
            return profile with { Tags = merged };
        });
    }

    private void Expectations(JsonElement patch)
    {
        if (patch.ValueKind is JsonValueKind.Null)
        {
            changes.Add(profile => profile with { MessageInterval = null });
            return;
        }
        foreach (var member in Members(patch, "expectations"))
        {
            const string Name = "expectations.messageIntervalSeconds";
            if (member.Name is not "messageIntervalSeconds") throw Unknown($"expectations.{member.Name}");
            int? seconds = member.Value switch
            {
                { ValueKind: JsonValueKind.Null } => null,
                { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out var whole) => whole,
                _ => throw Wrong(Name, "a whole number of seconds"),
            };
            changes.Add(profile => profile with { MessageInterval = seconds is { } value ? TimeSpan.FromSeconds(value) : null });
        }
    }

    private static List<(string Name, JsonElement Value)> Members(JsonElement patch, string name)
    {
        if (patch.ValueKind is not JsonValueKind.Object) throw Wrong(name, "an object");
        try
        {
            return [.. patch.EnumerateObject().Select(member => (Checked(member.Name, name), member.Value))];
        }
        catch (InvalidOperationException) // half a surrogate pair
        {
            throw Wrong(name, "an object whose names are Unicode text");
        }
    }

    private static string? TextOrNull(JsonElement value, string name)
    {
        if (value.ValueKind is JsonValueKind.Null) return null;
        if (value.ValueKind is not JsonValueKind.String) throw Wrong(name, "text");
        try
        {
            return Checked(value.GetString()!, name);
        }
        catch (InvalidOperationException) // half a surrogate pair
        {
            throw Wrong(name, "Unicode text");
        }
    }

    private static string Checked(string text, string name) => text.Contains('\0', StringComparison.Ordinal) ? throw Wrong(name, "text without U+0000") : text;

    private static ApiException Wrong(string name, string wanted) => name.Length == 0
        ? ApiException.BadRequest("invalid-value", $"The patch is not {wanted}.", hint: "Send a JSON merge patch such as {\"name\":\"Pump 7\",\"tags\":{\"site\":\"north\"}}.")
        : ApiException.BadRequest("invalid-value", $"'{name}' is not {wanted}.", name, "null removes it.");

    private static ApiException Unknown(string name) =>
        ApiException.BadRequest("unknown-member", $"A device has no member '{name}'.", name, "Only name, tags and expectations.messageIntervalSeconds can be changed.");
}
