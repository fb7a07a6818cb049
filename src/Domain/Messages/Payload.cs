namespace WebhookService.Domain.Messages;

public enum PayloadKind
{
    /// <summary>UTF-8 text, as the client sent it.</summary>
    Text,

    /// <summary>Bytes that are no UTF-8 text.</summary>
    Binary,

    /// <summary>Text in which the broker replaced bytes by U+FFFD; the original is lost. Have the rule encode the payload (base64) to keep it.</summary>
    Lossy,
}

/// <summary>A message's payload, always kept as bytes.</summary>
public readonly record struct Payload(ReadOnlyMemory<byte> Bytes, PayloadKind Kind)
{
    private static ReadOnlySpan<byte> ReplacementCharacter => [0xEF, 0xBF, 0xBD];

    /// <summary>Whether both are the same bytes, wherever they lie.</summary>
    public bool IsSame(Payload other) => Kind == other.Kind && Bytes.Span.SequenceEqual(other.Bytes.Span);

    /// <summary>A payload that came as JSON text: lossy if it holds U+FFFD.</summary>
    public static Payload OfText(ReadOnlyMemory<byte> utf8) =>
        new(utf8, utf8.Span.IndexOf(ReplacementCharacter) >= 0 ? PayloadKind.Lossy : PayloadKind.Text);

    /// <summary>A payload that came encoded, so nothing was lost.</summary>
    public static Payload OfBytes(ReadOnlyMemory<byte> bytes) =>
        new(bytes, System.Text.Unicode.Utf8.IsValid(bytes.Span) ? PayloadKind.Text : PayloadKind.Binary);
}
