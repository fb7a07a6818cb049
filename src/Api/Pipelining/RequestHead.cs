using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace WebhookService.Api.Pipelining;

/// <summary>What is known of a request from its first bytes.</summary>
internal enum RequestKind
{
    /// <summary>Its head isn't here as a whole.</summary>
    Incomplete,

    /// <summary>Nothing that we would say the length of: chunked, an upgrade, another protocol, or not quite as the standard has it.</summary>
    Strange,

    /// <summary>Its length is known.</summary>
    Measured,

    /// <summary>A webhook small enough to be handled beside others of its connection.</summary>
    Webhook,
}

/// <summary>
/// Where a request ends, and whether it may be handled beside its neighbours. Kestrel reads the same bytes and has the last word on them; here,
/// whatever two readers could understand differently is <see cref="RequestKind.Strange"/>, so that both agree on the rest.
/// </summary>
/// <param name="Length">In bytes, head and body, of a request that is measured.</param>
internal readonly record struct RequestHead(RequestKind Kind, long Length)
{
    /// <summary>In bytes, head and body. So much is read ahead of each connection; with larger ones it is the disk that takes the time.</summary>
    public const int LargestWebhook = 32 * 1024;

    /// <summary>In bytes. Kestrel refuses heads over 8 KiB and 32 KiB (request line, headers) unless told otherwise.</summary>
    private const int LargestHead = 48 * 1024;
    private const int UsualHead = 4 * 1024;

    private static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);
    private static readonly SearchValues<byte> BreaksLines = SearchValues.Create("\r\n\0"u8);

    private static RequestHead Strange => new(RequestKind.Strange, 0);

    /// <summary>Of the request that <paramref name="bytes"/> begin with.</summary>
    public static RequestHead Read(in ReadOnlySequence<byte> bytes)
    {
        var first = bytes.FirstSpan;
        // A method, at least by its first letter: not TLS, which must not be held back until it looks like a head.
        if (!first.IsEmpty && first[0] is < (byte)'A' or > (byte)'Z') return Strange;
        if (bytes.IsSingleSegment || first.IndexOf("\r\n\r\n"u8) >= 0) return Read(first, bytes.Length);

        var found = ReadCopy(bytes, UsualHead);
        return found.Kind is RequestKind.Incomplete && bytes.Length > UsualHead ? ReadCopy(bytes, LargestHead) : found;
    }

    private static RequestHead ReadCopy(in ReadOnlySequence<byte> bytes, int most)
    {
        var length = (int)Math.Min(bytes.Length, most);
        var copy = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            bytes.Slice(0, length).CopyTo(copy);
            return Read(copy.AsSpan(0, length), bytes.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    private static RequestHead Read(ReadOnlySpan<byte> bytes, long all)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0) return all >= LargestHead ? Strange : new(RequestKind.Incomplete, 0);

        var rest = bytes[..(end + 2)];
        if (!TryLine(ref rest, out var line) || !IsRequestLine(line, out var isWebhook)) return Strange;

        (long? body, var alone) = (null, false);
        while (!rest.IsEmpty)
        {
            if (!TryLine(ref rest, out line)) return Strange;
            var colon = line.IndexOf((byte)':');
            if (colon <= 0 || line[..colon].ContainsAnyExcept(Token)) return Strange;

            var name = line[..colon];
            var value = line[(colon + 1)..].Trim(" \t"u8);
            if (Is(name, "Content-Length"u8))
            {
                if (body is not null || value.Length is 0 or > 15 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9')) return Strange;
                if (!Utf8Parser.TryParse(value, out long number, out _)) return Strange;
                body = number;
            }
            else if (Is(name, "Transfer-Encoding"u8) || Is(name, "Upgrade"u8) || Is(name, "HTTP2-Settings"u8)) return Strange;
            else if (Is(name, "Expect"u8) || (Is(name, "Connection"u8) && !Is(value, "keep-alive"u8))) alone = true;
        }

        var length = end + 4 + (body ?? 0);
        return new(isWebhook && !alone && body is not null && length <= LargestWebhook ? RequestKind.Webhook : RequestKind.Measured, length);
    }

    /// <summary>The next line without its end; false where something in it could be taken for one.</summary>
    private static bool TryLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> line)
    {
        var end = rest.IndexOf("\r\n"u8);
        line = rest[..end];
        rest = rest[(end + 2)..];
        return !line.ContainsAny(BreaksLines);
    }

    private static bool IsRequestLine(ReadOnlySpan<byte> line, out bool isWebhook)
    {
        isWebhook = false;
        var version = " HTTP/1.1"u8;
        var space = line.IndexOf((byte)' ');
        if (!line.EndsWith(version) || space == line.Length - version.Length) return false;

        var method = line[..space];
        var target = line[(space + 1)..^version.Length];
        if (target.IsEmpty || target.Contains((byte)' ') || method.SequenceEqual("CONNECT"u8)) return false;

        var path = "/webhook"u8;
        isWebhook = method.SequenceEqual("POST"u8) && target.Length >= path.Length && Is(target[..path.Length], path)
            && (target.Length == path.Length || target[path.Length] is (byte)'/' or (byte)'?');
        return true;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(text, word);
}
