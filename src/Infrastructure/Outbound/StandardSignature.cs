using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebhookService.Infrastructure.Outbound;

/// <summary>Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body, by a secret written as `whsec_` and base64.</summary>
internal static class StandardSignature
{
    public const string Prefix = "whsec_";

    /// <returns>The key; null if the text is no such secret of 24 to 64 bytes.</returns>
    public static byte[]? KeyOf(string secret)
    {
        Span<byte> key = stackalloc byte[64];
        return secret.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(secret[Prefix.Length..], key, out var length) && length >= 24 ? key[..length].ToArray() : null;
    }

    /// <returns>The value of the header `webhook-signature`.</returns>
    public static string Of(byte[] key, string id, DateTimeOffset time, ReadOnlySpan<byte> body)
    {
        byte[] signed = [.. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{time.ToUnixTimeSeconds()}.")), .. body];
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed));
    }
}
