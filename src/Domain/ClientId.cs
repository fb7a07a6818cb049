using System.Text;

namespace WebhookService.Domain;

/// <summary>
/// An MQTT client id: 1 to 65,535 bytes of UTF-8 without U+0000 (MQTT 5.0, 1.5.4). Anything else goes: spaces, slashes, emoji, "null".
/// </summary>
public readonly record struct ClientId
{
    private readonly string? value;

    /// <exception cref="DomainException">The id is empty, too long, or holds U+0000 or half a surrogate pair.</exception>
    public ClientId(string value) => this.value = MqttText.Checked(value, "clientid");

    public string Value => value ?? throw new InvalidOperationException("A default ClientId names no client.");

    public override string ToString() => Value;
}

/// <summary>What MQTT allows as a UTF-8 string (MQTT 5.0, 1.5.4).</summary>
public static class MqttText
{
    public const int MaxBytes = 65_535;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text itself, if MQTT could have carried it and it is not empty.</summary>
    public static string Checked(string text, string parameter)
    {
        if (string.IsNullOrEmpty(text)) throw new DomainException($"'{parameter}' is empty.", parameter);
        if (text.Contains('\0', StringComparison.Ordinal)) throw new DomainException($"'{parameter}' holds U+0000, which MQTT forbids.", parameter);
        try
        {
            if (Strict.GetByteCount(text) > MaxBytes) throw new DomainException($"'{parameter}' is longer than {MaxBytes} bytes.", parameter);
        }
        catch (EncoderFallbackException)
        {
            throw new DomainException($"'{parameter}' holds half a surrogate pair and is no Unicode text.", parameter);
        }
        return text;
    }
}
