using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// Where a JSON value stands in a body: a string without its quotes, everything else whole. Nothing is decoded before it is asked for.
/// Missing values have the kind <see cref="JsonTokenType.None"/>.
/// </summary>
internal readonly record struct JsonSlot(int Start, int Length, JsonTokenType Kind, bool Escaped)
{
    /// <summary>The value that the reader has just come to; the reader is left at its end.</summary>
    /// <param name="offset">Where in the body the reader began.</param>
    public static JsonSlot At(ref Utf8JsonReader reader, int offset = 0)
    {
        var start = (int)reader.TokenStartIndex;
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return new(offset + start + 1, reader.ValueSpan.Length, JsonTokenType.String, reader.ValueIsEscaped);
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                var kind = reader.TokenType;
                reader.Skip();
                return new(offset + start, (int)reader.BytesConsumed - start, kind, Escaped: false);
            default:
                return new(offset + start, reader.ValueSpan.Length, reader.TokenType, Escaped: false);
        }
    }

    public ReadOnlySpan<byte> In(ReadOnlySpan<byte> body) => body.Slice(Start, Length);

    /// <summary>A member of this object; missing where this is none or has none of that name.</summary>
    public JsonSlot Member(ReadOnlySpan<byte> body, ReadOnlySpan<byte> name)
    {
        if (Kind is not JsonTokenType.StartObject) return default;

        var found = default(JsonSlot);
        var reader = RawJson.Reader(In(body));
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var wanted = RawJson.NameIs(ref reader, name);
            reader.Read();
            if (wanted) found = At(ref reader, Start);
            else reader.Skip();
        }
        return found;
    }
}

/// <summary>What the JSON reader leaves to us: decoding that survives half surrogate pairs, and copying without what is empty.</summary>
internal static class RawJson
{
    /// <summary>Nobody who means well nests deeper.</summary>
    public const int MaxDepth = 64;

    private const string ReplacementCharacter = "\uFFFD";

    public static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = MaxDepth });

    /// <summary>What the JSON reader does not look at.</summary>
    public static Mistake? Check(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty) return new("The body is empty.");
        return Utf8.IsValid(body) ? null : new("The body is not valid UTF-8, so it is no JSON.");
    }

    /// <summary>The body without a byte order mark, which some senders put in front.</summary>
    public static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> body) => body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body;

    /// <summary>The sentence for a body that is no JSON.</summary>
    public static string Describe(JsonException fault)
    {
        // The reader tells its mistakes apart by their words alone; a body that is cut off leaves a depth, too.
        if (fault.Message.Contains("maximum configured depth", StringComparison.Ordinal)) return $"The body is nested deeper than {MaxDepth} levels.";

        var cutOff = fault.Message.Contains("reached end of data", StringComparison.Ordinal) || fault.Message.Contains("depth to be zero at the end", StringComparison.Ordinal);
        return $"The body is not valid JSON{(cutOff ? ": it ends too early" : "")} (line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}).";
    }

    public static bool NameIs(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
        reader.ValueIsEscaped ? Unescape(reader.ValueSpan, out _).Span.SequenceEqual(name) : reader.ValueSpan.SequenceEqual(name);

    /// <summary>The text of a string slot. <paramref name="broken"/>: it holds half a surrogate pair, shown as U+FFFD.</summary>
    public static string Text(ReadOnlySpan<byte> raw, bool escaped, out bool broken)
    {
        broken = false;
        return Encoding.UTF8.GetString(escaped ? Unescape(raw, out broken).Span : raw);
    }

    /// <summary>Undoes JSON's escapes. JSON can say half a surrogate pair, UTF-8 can't: it becomes U+FFFD, as with the broker.</summary>
    public static ReadOnlyMemory<byte> Unescape(ReadOnlySpan<byte> raw, out bool broken)
    {
        broken = false;
        var text = new byte[raw.Length]; // an escape is never shorter than what it stands for
        var length = 0;
        for (var i = 0; i < raw.Length;)
        {
            var next = raw[i..].IndexOf((byte)'\\');
            var plain = next < 0 ? raw.Length - i : next;
            raw.Slice(i, plain).CopyTo(text.AsSpan(length));
            (i, length) = (i + plain, length + plain);
            if (next < 0) break;

            var escape = raw[i + 1];
            i += 2;
            if (escape is not (byte)'u')
            {
                text[length++] = escape switch
                {
                    (byte)'n' => (byte)'\n',
                    (byte)'t' => (byte)'\t',
                    (byte)'r' => (byte)'\r',
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    _ => escape,
                };
                continue;
            }

            var unit = Unit(raw, i);
            i += 4;
            if (char.IsHighSurrogate(unit) && i + 6 <= raw.Length && raw[i] is (byte)'\\' && raw[i + 1] is (byte)'u' && char.IsLowSurrogate(Unit(raw, i + 2)))
            {
                length += new Rune(unit, Unit(raw, i + 2)).EncodeToUtf8(text.AsSpan(length));
                i += 6;
            }
            else if (Rune.TryCreate(unit, out var rune))
            {
                length += rune.EncodeToUtf8(text.AsSpan(length));
            }
            else
            {
                broken = true;
                length += Encoding.UTF8.GetBytes(ReplacementCharacter, text.AsSpan(length));
            }
        }
        return text.AsMemory(0, length);
    }

    private static char Unit(ReadOnlySpan<byte> raw, int at) => (char)ushort.Parse(raw.Slice(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>Copies a value without white space and without members that are <c>{}</c> or <c>[]</c>, also those that become so; null if nothing is left.</summary>
    public static string? Compact(ReadOnlySpan<byte> json)
    {
        if (SaysNothing(json)) return null; // as most do: "pub_props":{"User-Property":{}}
        var reader = Reader(json);
        reader.Read();
        using var copy = new MemoryStream(json.Length);
        Copy(ref reader, json, copy);
        var text = Encoding.UTF8.GetString(copy.GetBuffer(), 0, (int)copy.Length);
        return text is "{}" or "[]" ? null : text;
    }

    /// <summary>Objects within objects, and nothing in them.</summary>
    private static bool SaysNothing(ReadOnlySpan<byte> json)
    {
        var reader = Reader(json);
        while (reader.Read())
            if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.EndObject or JsonTokenType.PropertyName)) return false;
        return true;
    }

    private static void Copy(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, MemoryStream copy)
    {
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            copy.Write(Raw(ref reader, json));
            return;
        }

        var (isObject, first) = (reader.TokenType is JsonTokenType.StartObject, true);
        copy.WriteByte((byte)(isObject ? '{' : '['));
        while (reader.Read() && reader.TokenType is not (JsonTokenType.EndObject or JsonTokenType.EndArray))
        {
            var before = copy.Length;
            if (!first) copy.WriteByte((byte)',');
            if (isObject)
            {
                copy.Write(Raw(ref reader, json));
                copy.WriteByte((byte)':');
                reader.Read();
            }
            var value = (int)copy.Length;
            Copy(ref reader, json, copy);
            if (isObject && copy.Length - value == 2 && copy.GetBuffer()[value] is (byte)'{' or (byte)'[') copy.SetLength(before);
            else first = false;
        }
        copy.WriteByte((byte)(isObject ? '}' : ']'));
    }

    private static ReadOnlySpan<byte> Raw(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var quotes = reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? 2 : 0;
        return json.Slice((int)reader.TokenStartIndex, reader.ValueSpan.Length + quotes);
    }
}
