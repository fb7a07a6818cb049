using System.Buffers;

namespace WebhookService.Api.Webhooks;

/// <summary>A request's body in rented memory, which goes back with <see cref="Dispose"/>.</summary>
internal sealed class WebhookBody : IDisposable
{
    /// <summary>More is not rented on the word of a Content-Length alone.</summary>
    private const int LargestFirstRent = 1024 * 1024;
    private const int UsualSize = 4096;

    private byte[] rented;
    private int length;

    private WebhookBody(int size) => rented = ArrayPool<byte>.Shared.Rent(size);

    /// <summary>The body; its beginning where it <see cref="IsTooLarge"/>.</summary>
    public ReadOnlyMemory<byte> Bytes => rented.AsMemory(0, length);

    public bool IsTooLarge { get; private set; }

    /// <summary>
    /// Reads up to <paramref name="limit"/> bytes, sent in one piece or chunked; what is beyond is left to the server to drop. A connection that ends
    /// meanwhile is an exception of the server's.
    /// </summary>
    public static async ValueTask<WebhookBody> ReadAsync(HttpRequest request, int limit)
    {
        var body = new WebhookBody((int)Math.Clamp(request.ContentLength ?? UsualSize, 1, LargestFirstRent));
        try
        {
            while (true)
            {
                var read = await request.BodyReader.ReadAsync(CancellationToken.None);
                foreach (var part in read.Buffer) body.Append(part.Span, limit);
                request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || body.IsTooLarge) return body;
            }
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private void Append(ReadOnlySpan<byte> part, int limit)
    {
        if (part.Length > limit - length)
        {
            part = part[..(limit - length)];
            IsTooLarge = true;
        }
        while (part.Length > rented.Length - length) Grow();
        part.CopyTo(rented.AsSpan(length));
        length += part.Length;
    }

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(rented.Length * 2);
        Bytes.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(rented);
        rented = larger;
    }

    public void Dispose()
    {
        if (rented.Length > 0) ArrayPool<byte>.Shared.Return(rented);
        (rented, length) = ([], 0);
    }
}
