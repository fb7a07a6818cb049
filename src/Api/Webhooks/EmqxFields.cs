using System.Buffers.Text;
using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.Json;
using WebhookService.Domain;

namespace WebhookService.Api.Webhooks;

/// <summary>The fields of EMQX events that we read, under the names of all versions (<see cref="EmqxFields"/> has the spelling).</summary>
internal enum EmqxField : byte
{
    Event, Action, Timestamp, Node, Metadata,
    ClientId, Username, PeerName, PeerHost, IpAddress, ProtocolName, ProtocolVersion, KeepAlive, CleanStart, Expiry,
    ConnectedAt, DisconnectedAt, Reason, DisconnectProperties,
    Topic, Qos, Options,
    Id, Payload, PayloadBase64, Retain, Flags, Headers, PublishProperties, Time, PublishReceivedAt, FromClientId, FromUsername,
    MessageReceivedAt, ActivatedAt, DeactivatedAt,
}

/// <summary>
/// One EMQX event as it was sent: where its fields stand, and how EMQX writes values. A value that says nothing (<c>null</c>, <c>""</c>,
/// the text <c>"undefined"</c>) is missing; ids and topics are taken literally, because clients may really be called so. Each thread keeps one for
/// its next event: the slots are large, and over with the command that is made of them.
/// </summary>
internal sealed class EmqxFields : IDisposable
{
    // Where a field has two names, the first is the one that mistakes are told by.
    private static readonly (string Name, EmqxField Field)[] Spelling =
    [
        ("event", EmqxField.Event),
        ("action", EmqxField.Action),
        ("timestamp", EmqxField.Timestamp),
        ("node", EmqxField.Node),
        ("metadata", EmqxField.Metadata),
        ("clientid", EmqxField.ClientId),
        ("client_id", EmqxField.ClientId),  // 3.x
        ("username", EmqxField.Username),
        ("peername", EmqxField.PeerName),
        ("peerhost", EmqxField.PeerHost),
        ("ipaddress", EmqxField.IpAddress),  // plugin
        ("proto_name", EmqxField.ProtocolName),
        ("proto_ver", EmqxField.ProtocolVersion),
        ("keepalive", EmqxField.KeepAlive),
        ("clean_start", EmqxField.CleanStart),
        ("expiry_interval", EmqxField.Expiry),
        ("connected_at", EmqxField.ConnectedAt),
        ("disconnected_at", EmqxField.DisconnectedAt),
        ("reason", EmqxField.Reason),
        ("disconn_props", EmqxField.DisconnectProperties),
        ("topic", EmqxField.Topic),
        ("qos", EmqxField.Qos),
        ("opts", EmqxField.Options),  // plugin
        ("id", EmqxField.Id),
        ("payload", EmqxField.Payload),
        ("payload_base64", EmqxField.PayloadBase64),  // by SQL: base64_encode(payload) as payload_base64
        ("retain", EmqxField.Retain),  // plugin
        ("flags", EmqxField.Flags),
        ("headers", EmqxField.Headers),  // 4.x rules
        ("pub_props", EmqxField.PublishProperties),
        ("ts", EmqxField.Time),  // plugin
        ("publish_received_at", EmqxField.PublishReceivedAt),
        ("from_clientid", EmqxField.FromClientId),
        ("from_client_id", EmqxField.FromClientId),  // plugin
        ("from_username", EmqxField.FromUsername),
        ("message_received_at", EmqxField.MessageReceivedAt),
        ("activated_at", EmqxField.ActivatedAt),
        ("deactivated_at", EmqxField.DeactivatedAt),
    ];

    private static readonly FrozenDictionary<string, EmqxField>.AlternateLookup<ReadOnlySpan<char>> ByName =
        Spelling.ToFrozenDictionary(pair => pair.Name, pair => pair.Field).GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly string[] NameOf = [.. Enum.GetValues<EmqxField>().Select(field => Array.Find(Spelling, pair => pair.Field == field).Name)];

    // Bounds within which a time is believed: EMQX is younger, and a clock that far ahead is broken.
    private const long Year2000 = 946_684_800_000;
    private const long Year2100 = 4_102_444_800_000;

    private const int MostOthersKept = 256;

    private static readonly Recent<string> Texts = new(static text => text, static text => text);
    private static readonly Recent<Peer> Peers = new(Webhooks.Peer.Of, static peer => peer.Text);

    [ThreadStatic] private static EmqxFields? spare;

    private readonly JsonSlot[] slots = new JsonSlot[NameOf.Length];
    private readonly List<(JsonSlot Name, JsonSlot Value)> others = [];

    private EmqxFields()
    {
    }

    /// <summary>The event's own JSON.</summary>
    public ReadOnlyMemory<byte> Json { get; private set; }

    /// <summary>Reads one JSON object. A name given twice counts as last given.</summary>
    /// <exception cref="JsonException">The bytes are not one JSON object.</exception>
    public static EmqxFields Read(ReadOnlyMemory<byte> json)
    {
        var fields = spare ?? new EmqxFields();
        (spare, fields.Json) = (null, json);
        Span<char> name = stackalloc char[32];
        var reader = RawJson.Reader(json.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var at = new JsonSlot((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length, JsonTokenType.String, reader.ValueIsEscaped);
            var known = Known(ref reader, name);
            reader.Read();
            var value = JsonSlot.At(ref reader);
            if (known is { } field) fields.slots[(int)field] = value;
            else fields.others.Add((at, value));
        }
        reader.Read(); // what follows the object is an error
        return fields;
    }

    public void Dispose()
    {
        if (others.Capacity > MostOthersKept) return; // a body of nothing but names that nobody knows

        Array.Clear(slots);
        others.Clear();
        (Json, spare) = (default, this);
    }

    private static EmqxField? Known(ref Utf8JsonReader reader, scoped Span<char> name)
    {
        var raw = reader.ValueIsEscaped ? RawJson.Unescape(reader.ValueSpan, out _).Span : reader.ValueSpan;
        return raw.Length <= name.Length && ByName.TryGetValue(name[..Encoding.UTF8.GetChars(raw, name)], out var field) ? field : null;
    }

    public bool IsEmpty => others.Count == 0 && Array.TrueForAll(slots, slot => slot.Kind is JsonTokenType.None);

    public bool Has(EmqxField field) => !IsMissing(slots[(int)field]);

    /// <summary>True where the field is there and says "undefined": EMQX's word for a column that has no value.</summary>
    public bool IsUndefined(EmqxField field) => slots[(int)field] is { Kind: JsonTokenType.String } slot && slot.In(Json.Span).SequenceEqual("undefined"u8);

    public JsonSlot Member(EmqxField of, ReadOnlySpan<byte> name) => slots[(int)of].Member(Json.Span, name);

    /// <summary>A text that describes; null where it is missing or no text. Never a reason to refuse the body.</summary>
    public string? Text(EmqxField field) => Text(slots[(int)field]);

    public string? Text(JsonSlot slot)
    {
        if (IsMissing(slot)) return null;
        return slot.Kind switch
        {
            JsonTokenType.String when !slot.Escaped => Texts.Of(slot.In(Json.Span)),
            JsonTokenType.String => RawJson.Text(slot.In(Json.Span), escaped: true, out _).Replace('\0', '\uFFFD'),
            JsonTokenType.Number => Encoding.UTF8.GetString(slot.In(Json.Span)),
            _ => null,
        };
    }

    /// <summary>The client's id: any text, "undefined" and "null" included; templates may turn digits into a number.</summary>
    /// <exception cref="DomainException">It is missing or can't be a client id.</exception>
    public ClientId Client(EmqxField field = EmqxField.ClientId) => new(MqttText.Checked(Required(field, orNumber: true), NameOf[(int)field]));

    /// <summary>The client's id for reports that need none: null where it is missing, empty or impossible.</summary>
    public ClientId? ClientIfAny()
    {
        try
        {
            return slots[(int)EmqxField.ClientId].Length > 0 ? Client() : null;
        }
        catch (DomainException)
        {
            return null;
        }
    }

    /// <summary>A message's id; null where it is missing.</summary>
    /// <exception cref="DomainException">It is neither text nor number.</exception>
    public string? Id() => slots[(int)EmqxField.Id] switch
    {
        var slot when IsMissing(slot) => null,
        { Kind: JsonTokenType.String, Escaped: false } slot => Encoding.UTF8.GetString(slot.In(Json.Span)), // comes a few times at most
        var slot => Text(slot) ?? throw Wrong(EmqxField.Id, "a text"),
    };

    /// <summary>A topic or filter: any text that MQTT can carry.</summary>
    public string Topic() => MqttText.Checked(Required(EmqxField.Topic, orNumber: false), "topic");

    private string Required(EmqxField field, bool orNumber)
    {
        var slot = slots[(int)field];
        var raw = slot.In(Json.Span);
        switch (slot.Kind)
        {
            case JsonTokenType.String when !slot.Escaped:
                return Texts.Of(raw);
            case JsonTokenType.String:
                var text = RawJson.Text(raw, escaped: true, out var broken);
                return broken ? throw new DomainException($"'{NameOf[(int)field]}' holds half a surrogate pair and is no Unicode text.", NameOf[(int)field]) : text;
            case JsonTokenType.Number when orNumber:
                return Encoding.UTF8.GetString(raw);
            case JsonTokenType.None or JsonTokenType.Null:
                throw new DomainException($"'{NameOf[(int)field]}' is missing.", NameOf[(int)field]);
            default:
                throw Wrong(field, "a text");
        }
    }

    /// <summary>
    /// A time, in the unit that its size tells: below 1e11 seconds (EMQX 4.0), below 1e14 milliseconds, else microseconds (alarms).
    /// </summary>
    /// <exception cref="DomainException">It is no number, or not between 2000 and 2100.</exception>
    public DateTimeOffset? Time(EmqxField field)
    {
        if (!Has(field)) return null;
        var number = Number(slots[(int)field]) ?? throw Wrong(field, "a Unix time");
        var ms = number switch
        {
            < 0 => number, // before all times that are believed, and times 1000 perhaps too large for a number
            < 100_000_000_000m => number * 1000,
            < 100_000_000_000_000m => number,
            _ => number / 1000,
        };
        if (ms is < Year2000 or >= Year2100)
            throw new DomainException($"'{NameOf[(int)field]}' is {number}, a time outside the years 2000 to 2099. Check the clock of the broker's node.", NameOf[(int)field]);
        return DateTimeOffset.FromUnixTimeMilliseconds((long)ms);
    }

    /// <summary>The same for reports: what can't be read is missing.</summary>
    public DateTimeOffset? TimeIfAny(EmqxField field)
    {
        try
        {
            return Time(field);
        }
        catch (DomainException)
        {
            return null;
        }
    }

    /// <exception cref="DomainException">It is no whole number from 0 to <paramref name="max"/>.</exception>
    public int? Integer(EmqxField field, int max)
    {
        if (!Has(field)) return null;
        return Number(slots[(int)field]) is { } number && number >= 0 && number <= max && number == decimal.Truncate(number)
            ? (int)number
            : throw Wrong(field, $"a whole number from 0 to {max}");
    }

    /// <summary>Seconds of session expiry, 0 to 4,294,967,295; null where it can't be read.</summary>
    public long? Seconds(JsonSlot slot) => !IsMissing(slot) && Number(slot) is { } number and >= 0 and <= uint.MaxValue ? (long)number : null;

    public long? Seconds(EmqxField field) => Seconds(slots[(int)field]);

    public int? SmallNumber(JsonSlot slot) => !IsMissing(slot) && Number(slot) is { } number and >= 0 and <= 255 ? (int)number : null;

    /// <summary>A flag in any spelling: true, "true", 1.</summary>
    public bool? Flag(JsonSlot slot) => slot.Kind switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => Text(slot) switch
        {
            "true" or "1" => true,
            "false" or "0" => false,
            _ => null,
        },
    };

    public bool? Flag(EmqxField field) => Flag(slots[(int)field]);

    /// <summary>The other end of the socket, from <c>peername</c>.</summary>
    /// <exception cref="DomainException">It is no text, or its port is above 65535.</exception>
    public Peer? Peer()
    {
        var slot = slots[(int)EmqxField.PeerName];
        if (IsMissing(slot)) return null;
        if (slot.Kind is not JsonTokenType.String) throw Wrong(EmqxField.PeerName, "\"ip:port\"");
        return slot.Escaped ? Webhooks.Peer.Of(Text(slot)!) : Peers.Of(slot.In(Json.Span));
    }

    /// <summary>An address without a port: <c>ipaddress</c> of the plugin, <c>peerhost</c>.</summary>
    public string? Ip(EmqxField field) => Webhooks.Peer.AddressOf(Text(field), out var ip) ? ip.ToString() : null;

    /// <summary>The payload's bytes, decoded as the source is configured; <c>payload_base64</c> counts before <c>payload</c>.</summary>
    /// <exception cref="DomainException">It is not of that encoding.</exception>
    public Domain.Messages.Payload Payload(string encoding)
    {
        var (field, slot) = Has(EmqxField.PayloadBase64) || slots[(int)EmqxField.PayloadBase64] is { Kind: JsonTokenType.String, Length: 0 }
            ? (EmqxField.PayloadBase64, slots[(int)EmqxField.PayloadBase64])
            : (EmqxField.Payload, slots[(int)EmqxField.Payload]);
        if (field is EmqxField.PayloadBase64) encoding = PayloadEncoding.Base64;
        if (field is EmqxField.PayloadBase64 && slot.Kind is not JsonTokenType.String) throw Wrong(field, "a text");
        if (slot.Kind is JsonTokenType.None or JsonTokenType.Null) return Domain.Messages.Payload.OfText(default);

        var raw = slot.In(Json.Span);
        var bytes = slot.Escaped ? RawJson.Unescape(raw, out _) : default;
        if (encoding is PayloadEncoding.Plain || slot.Kind is not JsonTokenType.String) // json_decode(payload) gives objects: kept as their JSON
            return Domain.Messages.Payload.OfText(slot.Escaped ? bytes : raw.ToArray());

        var decoded = PayloadEncoding.Decode(encoding, slot.Escaped ? bytes.Span : raw);
        return decoded is not null
            ? Domain.Messages.Payload.OfBytes(decoded)
            : throw new DomainException(
                $"'{NameOf[(int)field]}' is no {encoding}. The source's PayloadEncoding must say what the broker's configuration or the rule's SQL does.", NameOf[(int)field]);
    }

    /// <summary>An object without white space and empty members; null if it is none or nothing is left.</summary>
    public string? Compact(JsonSlot slot) => slot.Kind is JsonTokenType.StartObject ? RawJson.Compact(slot.In(Json.Span)) : null;

    public string? Compact(EmqxField field) => Compact(slots[(int)field]);

    /// <summary>All fields that are not among <see cref="EmqxField"/> and say something, as a JSON object; null if there are none.</summary>
    public string? Others()
    {
        var json = new StringBuilder();
        foreach (var (name, value) in others)
        {
            if (IsMissing(value)) continue;
            var text = value.Kind is JsonTokenType.String ? $"\"{Encoding.UTF8.GetString(value.In(Json.Span))}\"" : RawJson.Compact(value.In(Json.Span));
            if (text is null) continue;
            json.Append(json.Length == 0 ? '{' : ',').Append('"').Append(Encoding.UTF8.GetString(name.In(Json.Span))).Append("\":").Append(text);
        }
        return json.Length == 0 ? null : json.Append('}').ToString();
    }

    private bool IsMissing(JsonSlot slot) => slot.Kind switch
    {
        JsonTokenType.None or JsonTokenType.Null => true,
        JsonTokenType.String => slot.Length == 0 || slot.In(Json.Span).SequenceEqual("undefined"u8),
        _ => false,
    };

    private decimal? Number(JsonSlot slot)
    {
        if (slot.Kind is not (JsonTokenType.Number or JsonTokenType.String)) return null;
        var raw = slot.In(Json.Span);
        if (Utf8Parser.TryParse(raw, out long whole, out var consumed) && consumed == raw.Length) return whole;
        return decimal.TryParse(raw, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
    }

    private static DomainException Wrong(EmqxField field, string expected) =>
        new($"'{NameOf[(int)field]}' is not {expected}.", NameOf[(int)field]);
}
