using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace WebhookService.Api.Security;

/// <summary>
/// Section <c>Security:Jwt</c>: who signs the bearer JWTs we take, either an OpenID issuer that publishes its keys
/// (<see cref="Authority"/>) or fixed <see cref="SigningKeys"/>. Changes take a restart; an authority's keys are refreshed by themselves.
/// </summary>
internal sealed class JwtOptions
{
    private const string Key = SecurityOptions.Section + ":Jwt";
    private const int ShortestSecret = 32;

    /// <summary>Base address below which <c>/.well-known/openid-configuration</c> is found; https, except on this very machine.</summary>
    public string? Authority { get; init; }

    /// <summary>Each a PEM public key (RSA from 2048 bits, EC P-256), or a secret of 32 bytes or more: text as it stands, or bytes as <c>base64:…</c>.</summary>
    public string[] SigningKeys { get; init; } = [];

    /// <summary>The <c>iss</c> to insist on. With an authority, what its metadata say unless given here.</summary>
    public string? Issuer { get; init; }

    /// <summary>The <c>aud</c> to insist on.</summary>
    public string? Audience { get; init; }

    public bool IsConfigured => !string.IsNullOrEmpty(Authority) || SigningKeys.Length > 0;

    public IEnumerable<string> Mistakes()
    {
        if (!IsConfigured)
        {
            if (!string.IsNullOrEmpty(Issuer) || !string.IsNullOrEmpty(Audience))
                yield return $"{Key} names an issuer or audience but no keys: give {Key}:Authority or {Key}:SigningKeys.";
            yield break;
        }

        if (string.IsNullOrEmpty(Audience)) yield return $"{Key}:Audience is missing: without it a token meant for another service would open this one.";

        if (!string.IsNullOrEmpty(Authority))
        {
            if (SigningKeys.Length > 0) yield return $"{Key} has both Authority and SigningKeys: keep one.";
            if (!Uri.TryCreate(Authority, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http"))
                yield return $"{Key}:Authority is no address: give one such as https://login.example.com/realms/iot.";
            else if (uri.Scheme == "http" && !uri.IsLoopback)
                yield return $"{Key}:Authority is not https: keys fetched over plain http could be anyone's.";
            yield break;
        }

        if (string.IsNullOrEmpty(Issuer)) yield return $"{Key}:Issuer is missing: signing keys alone do not say whose tokens are meant.";
        foreach (var (index, text) in SigningKeys.Index())
        {
            if (Parse(text).Mistake is { } mistake) yield return $"{Key}:SigningKeys:{index} {mistake}";
        }
    }

    public IReadOnlyList<SecurityKey> ParsedKeys() => SigningKeys.Select(text => Parse(text).Key!).ToList();

    /// <summary>Only the algorithms that the configured keys are for: a public key must never pass as an HMAC secret.</summary>
    public IReadOnlyList<string> Algorithms() =>
        SigningKeys.Length == 0
            ? [SecurityAlgorithms.RsaSha256, SecurityAlgorithms.EcdsaSha256]
            : ParsedKeys().Select(key => key switch
            {
                SymmetricSecurityKey => SecurityAlgorithms.HmacSha256,
                RsaSecurityKey => SecurityAlgorithms.RsaSha256,
                _ => SecurityAlgorithms.EcdsaSha256,
            }).Distinct().ToList();

    private static (SecurityKey? Key, string? Mistake) Parse(string text)
    {
        if (text.Contains("PRIVATE KEY", StringComparison.Ordinal)) return (null, "is a private key: give the public half; the service only checks signatures.");
        return text.Contains("-----BEGIN", StringComparison.Ordinal) ? ParsePem(text) : ParseSecret(text);
    }

    private static (SecurityKey?, string?) ParseSecret(string text)
    {
        const string Base64 = "base64:";
        byte[] secret;
        try
        {
            secret = text.StartsWith(Base64, StringComparison.Ordinal) ? Convert.FromBase64String(text[Base64.Length..]) : Encoding.UTF8.GetBytes(text);
        }
        catch (FormatException)
        {
            return (null, "starts with 'base64:' but does not go on as base64.");
        }

        return secret.Length >= ShortestSecret
            ? (new SymmetricSecurityKey(secret), null)
            : (null, $"is a secret of {secret.Length} bytes: HS256 needs {ShortestSecret} or more, for example from 'openssl rand -hex 32'.");
    }

    private static (SecurityKey?, string?) ParsePem(string text)
    {
        // An environment variable often brings the line ends as the two characters \n.
        var pem = text.Replace("\\n", "\n", StringComparison.Ordinal);
        var rsa = RSA.Create();
        try
        {
            rsa.ImportFromPem(pem);
            return rsa.KeySize >= 2048 ? (new RsaSecurityKey(rsa), null) : (null, $"is an RSA key of {rsa.KeySize} bits: RS256 needs 2048 or more.");
        }
        catch (Exception notRsa) when (notRsa is CryptographicException or ArgumentException)
        {
            rsa.Dispose();
        }

        var ec = ECDsa.Create();
        try
        {
            ec.ImportFromPem(pem);
            return ec.KeySize == 256 ? (new ECDsaSecurityKey(ec), null) : (null, "is not on the curve P-256, which ES256 needs.");
        }
        catch (Exception notEc) when (notEc is CryptographicException or ArgumentException)
        {
            ec.Dispose();
            return (null, "is no public key in PEM that we can read (RSA, or EC on P-256).");
        }
    }
}
