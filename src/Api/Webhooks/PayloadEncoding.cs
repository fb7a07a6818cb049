using System.Buffers;

namespace WebhookService.Api.Webhooks;

/// <summary>The encodings that EMQX offers for payloads, because JSON can't carry bytes.</summary>
internal static class PayloadEncoding
{
    public const string Plain = "plain";
    public const string Base64 = "base64";
    public const string Base62 = "base62";

    /// <returns>The bytes, or null if the text is not of that encoding.</returns>
    public static byte[]? Decode(string encoding, ReadOnlySpan<byte> text) => encoding is Base62 ? OfBase62(text) : OfBase64(text);

    private static byte[]? OfBase64(ReadOnlySpan<byte> text)
    {
        var bytes = new byte[System.Buffers.Text.Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        var status = System.Buffers.Text.Base64.DecodeFromUtf8(text, bytes, out var consumed, out var written);
        return status is OperationStatus.Done && consumed == text.Length ? bytes[..written] : null;
    }

    /// <summary>
    /// EMQX's own base62: base64 without padding, whose symbols 61 to 63 are written <c>9A</c>, <c>9B</c> and <c>9C</c>, and whose last
    /// symbol holds the remaining 2 or 4 bits unshifted (checked against EMQX 4.4: "hello" is <c>aGVsbGP</c>).
    /// </summary>
    private static byte[]? OfBase62(ReadOnlySpan<byte> text)
    {
        var bytes = new byte[(text.Length * 3 / 4) + 1];
        var (length, symbols, bits) = (0, 0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            var symbol = text[i] switch
            {
                >= (byte)'A' and <= (byte)'Z' and var letter => letter - 'A',
                >= (byte)'a' and <= (byte)'z' and var letter => letter - 'a' + 26,
                >= (byte)'0' and <= (byte)'8' and var digit => digit - '0' + 52,
                (byte)'9' when i + 1 < text.Length && text[i + 1] is >= (byte)'A' and <= (byte)'C' => text[++i] - 'A' + 61,
                _ => -1,
            };
            if (symbol < 0) return null;
            (bits, symbols) = ((bits << 6) | symbol, symbols + 1);
            if (symbols % 4 != 0) continue;

            (bytes[length], bytes[length + 1], bytes[length + 2]) = ((byte)(bits >> 16), (byte)(bits >> 8), (byte)bits);
            (length, bits) = (length + 3, 0);
        }

        var last = bits & 63;
        switch (symbols % 4)
        {
            case 0:
                break;
            case 2 when last < 4:
                bytes[length++] = (byte)((bits >> 6 << 2) | last);
                break;
            case 3 when last < 16:
                var rest = (bits >> 6 << 4) | last;
                (bytes[length], bytes[length + 1]) = ((byte)(rest >> 8), (byte)rest);
                length += 2;
                break;
            default:
                return null;
        }
        return bytes[..length];
    }
}
