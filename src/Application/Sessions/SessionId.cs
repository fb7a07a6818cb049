using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace WebhookService.Application.Sessions;

/// <summary>
/// The id of a session towards readers: computed from what names a session, so that the device and the ledger say the same and a rebuilt
/// database says it again.
/// </summary>
public static class SessionId
{
    /// <param name="connectedAt">Milliseconds since 1970.</param>
    public static string Of(string clientId, string? node, long connectedAt, string? peer) => Of('s', clientId, node, connectedAt, peer);

    /// <summary>Of a session of which only the end is known. <paramref name="endedAt"/> is in milliseconds since 1970.</summary>
    public static string OfUnknownStart(string clientId, string? node, long endedAt, string? peer) => Of('f', clientId, node, endedAt, peer);

    private static string Of(char kind, string clientId, string? node, long at, string? peer)
    {
        // U+0000 is in none of them: MQTT forbids it.
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{kind}{at}\0{clientId}\0{node}\0{peer}"), hash);
        return Base64Url.EncodeToString(hash[..16]);
    }
}
