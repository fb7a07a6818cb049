using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// What is made of texts that come again and again, such as client ids, topics and addresses: the same text gives the same object. It is not made
/// anew for every event then, and devices and messages that are remembered share it. Any number of threads may ask.
/// </summary>
/// <param name="make">Gives the same for the same text; what it throws is not remembered.</param>
/// <param name="textOf">The text that a value was made of.</param>
internal sealed class Recent<T>(Func<string, T> make, Func<T, string> textOf)
    where T : class
{
    private const int Slots = 65_536;

    /// <summary>Neighbours that a text may stand in, the last one to come first.</summary>
    private const int Ways = 4;

    /// <summary>Longer texts, in bytes, are not remembered.</summary>
    private const int Longest = 128;

    private readonly (int Hash, T? Value)[] slots = new (int, T?)[Slots];

    /// <param name="utf8">Valid UTF-8.</param>
    public T Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > Longest) return make(Encoding.UTF8.GetString(utf8));

        var hash = HashOf(utf8);
        var places = slots.AsSpan((hash & (Slots - 1)) / Ways * Ways, Ways);
        foreach (ref readonly var place in places)
            if (place.Hash == hash && place.Value is { } known && IsText(utf8, textOf(known))) return known; // another thread may write it meanwhile: the text decides

        var made = make(Encoding.UTF8.GetString(utf8));
        places[..^1].CopyTo(places[1..]); // what another thread puts there meanwhile may be lost, and is made again
        places[0] = (hash, made);
        return made;
    }

    /// <summary>Mixes all bytes. Texts that were made to meet only push one another out of their place.</summary>
    private static int HashOf(ReadOnlySpan<byte> utf8)
    {
        const ulong Odd = 0x9E37_79B9_7F4A_7C15; // 2^64 by the golden ratio
        var mixed = (ulong)utf8.Length * Odd;
        for (; utf8.Length >= sizeof(ulong); utf8 = utf8[sizeof(ulong)..]) mixed = BitOperations.RotateLeft((mixed ^ MemoryMarshal.Read<ulong>(utf8)) * Odd, 29);
        foreach (var one in utf8) mixed = BitOperations.RotateLeft((mixed ^ one) * Odd, 29);
        return (int)(mixed * Odd >> 32);
    }

    private static bool IsText(ReadOnlySpan<byte> utf8, string text) => Ascii.Equals(utf8, text) || (!Ascii.IsValid(utf8) && IsDecoded(utf8, text));

    private static bool IsDecoded(ReadOnlySpan<byte> utf8, string text)
    {
        Span<char> chars = stackalloc char[Longest];
        return text.AsSpan().SequenceEqual(chars[..Encoding.UTF8.GetChars(utf8, chars)]);
    }
}
