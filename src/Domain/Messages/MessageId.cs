using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebhookService.Domain.Messages;

/// <summary>
/// A message's 128-bit id. EMQX makes it from 64 bits of microseconds, 48 bits of node and process and 16 bits of sequence, and prints it as
/// upper-case hex: 32 digits from 4.3 on, 29 to 31 before (leading zeros are missing).
/// </summary>
public readonly record struct MessageId(UInt128 Value)
{
    /// <summary>Reads the broker's id.</summary>
    /// <exception cref="DomainException">It is not 1 to 32 hex digits.</exception>
    public static MessageId Parse(string hex) =>
        TryParse(hex) ?? throw new DomainException($"'id' is no message id: 1 to 32 hex digits are expected.", "id");

    public static MessageId? TryParse(string? hex) =>
        hex is { Length: > 0 and <= 32 } && UInt128.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? new MessageId(value)
            : null;

    /// <summary>
    /// An id for a message whose broker gives none (4.x plugin): from publisher, time, topic and payload, which publish, delivered and acked
    /// have in common. QoS and retain differ between them and stay out. The first 64 bits are the time in µs, as in the broker's ids.
    /// </summary>
    public static MessageId OfContent(string publisher, DateTimeOffset publishedAt, string topic, ReadOnlySpan<byte> payload)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{publisher}\0{topic}\0"));
        hash.AppendData(payload);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        var micros = (ulong)(publishedAt.ToUnixTimeMilliseconds() * 1000);
        return new MessageId(new UInt128(micros, BinaryPrimitives.ReadUInt64BigEndian(digest)));
    }

    /// <summary>When it was made, to the millisecond: its first 64 bits are µs since 1970. Null where they are no time of this age.</summary>
    public DateTimeOffset? MadeAt =>
        (ulong)(Value >> 64) / 1000 is > 946_684_800_000 and < 4_102_444_800_000 and var ms ? DateTimeOffset.FromUnixTimeMilliseconds((long)ms) : null;

    public override string ToString() => Value.ToString("X32", CultureInfo.InvariantCulture);
}
