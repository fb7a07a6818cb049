using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace WebhookService.Api.Demo;

/// <summary>Moves a recorded EMQX body to another time. Only the digits of the broker's times, the time inside message ids and, if
/// wanted, a prefix of client ids change; every other byte stays as the broker wrote it.</summary>
internal static class TimeShift
{
    /// <summary>Moves every broker time by the same number of milliseconds.</summary>
    public static byte[] Move(ReadOnlySpan<byte> body, long milliseconds) => Rewrite(body, time => time + milliseconds);

    /// <summary>Moves every broker time (Unix milliseconds) to where <paramref name="moved"/> says. Equal times stay equal, so that a
    /// session keeps its identity from body to body; units finer than a millisecond are kept. A prefix goes before every client
    /// id that is not empty.</summary>
    public static byte[] Rewrite(ReadOnlySpan<byte> body, Func<long, long> moved, string clientPrefix = "")
    {
        var output = new ArrayBufferWriter<byte>(body.Length + 64);
        var reader = new Utf8JsonReader(body);
        var copied = 0;
        var key = default(Key);
        var parent = default(Key);

        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName)
            {
                key = KeyOf(ref reader);
                if (reader.CurrentDepth == 1) parent = key;
                continue;
            }

            var inside = reader.CurrentDepth == 1 || (reader.CurrentDepth == 2 && parent is Key.Headers && key is Key.DeliverTime);
            if (!inside) continue;

            var (start, end) = ((int)reader.TokenStartIndex, (int)reader.BytesConsumed);
            var replacement = (key, reader.TokenType) switch
            {
                (Key.Time or Key.DeliverTime, JsonTokenType.Number) when reader.TryGetInt64(out var time) => Digits(MoveTime(time, moved)),
                (Key.MessageId, JsonTokenType.String) => MoveId(body[start..end], moved),
                (Key.Client, JsonTokenType.String) when clientPrefix.Length > 0 && reader.ValueSpan.Length > 0 =>
                    Encoding.UTF8.GetBytes('"' + JsonEncodedText.Encode(clientPrefix).Value),
                _ => null,
            };
            if (replacement is null) continue;

            output.Write(body[copied..start]);
            output.Write(replacement);
            copied = key is Key.Client ? start + 1 : end;   // a client id keeps its own text after the prefix
        }

        output.Write(body[copied..]);
        return output.WrittenSpan.ToArray();
    }

    private enum Key { Other, Time, DeliverTime, MessageId, Client, Headers }

    private static readonly (string Name, Key Key)[] Keys =
    [
        ("timestamp", Key.Time), ("ts", Key.Time),
        ("connected_at", Key.Time), ("disconnected_at", Key.Time),
        ("publish_received_at", Key.Time), ("message_received_at", Key.Time),
        ("activated_at", Key.Time), ("deactivated_at", Key.Time),
        ("headers", Key.Headers), ("deliver_begin_at", Key.DeliverTime),
        ("id", Key.MessageId),
        ("clientid", Key.Client), ("client_id", Key.Client), ("from_clientid", Key.Client), ("from_client_id", Key.Client),
    ];

    private static Key KeyOf(ref Utf8JsonReader reader)
    {
        foreach (var (name, key) in Keys)
            if (reader.ValueTextEquals(name)) return key;

        return Key.Other;
    }

    /// <summary>EMQX 4.0 writes seconds, alarms microseconds, all else milliseconds: the size of the number tells.</summary>
    private static long MoveTime(long time, Func<long, long> moved) => time switch
    {
        < 100_000_000_000 => moved(time * 1000) / 1000,
        < 100_000_000_000_000 => moved(time),
        _ => MoveMicroseconds(time, moved),
    };

    private static long MoveMicroseconds(long time, Func<long, long> moved) => (moved(time / 1000) * 1000) + (time % 1000);

    private static byte[] Digits(long number) => Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    /// <summary>A message id is 128 bits in hex: the high half is the time in microseconds, the low half node, process and counter.
    /// EMQX before 4.3 leaves leading zeros out.</summary>
    private static byte[]? MoveId(ReadOnlySpan<byte> quoted, Func<long, long> moved)
    {
        var id = quoted[1..^1];
        if (id.Length is < 28 or > 32) return null;
        if (!long.TryParse(id[..^16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var microseconds)) return null;

        var time = MoveMicroseconds(microseconds, moved).ToString("X" + (id.Length - 16), CultureInfo.InvariantCulture);
        return [(byte)'"', .. Encoding.ASCII.GetBytes(time), .. id[^16..], (byte)'"'];
    }
}
