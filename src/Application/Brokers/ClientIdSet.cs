using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using WebhookService.Domain;

namespace WebhookService.Application.Brokers;

/// <summary>
/// A set of client ids in little memory: 64 bits of a hash for each. Of a million ids two share them once in forty million sweeps; the
/// harm would be a missing device that only the next sweep notices.
/// </summary>
internal sealed class ClientIdSet
{
    private readonly HashSet<ulong> hashes = [];

    public int Count => hashes.Count;

    public bool Add(ClientId id) => hashes.Add(Hash(id.Value));

    public bool Contains(string id) => hashes.Contains(Hash(id));

    internal static ulong Hash(string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(id), hash);
        return MemoryMarshal.Read<ulong>(hash);
    }
}
