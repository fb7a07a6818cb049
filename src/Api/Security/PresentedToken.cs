using System.Net.Http.Headers;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace WebhookService.Api.Security;

/// <summary>
/// The credential a request brings: one of the configured headers, <c>Authorization: Bearer</c>, or the password of
/// <c>Authorization: Basic</c> (the user name says nothing). Never the URL, which ends up in logs.
/// </summary>
internal static class PresentedToken
{
    public static string? In(HttpRequest request, string[] headers)
    {
        // Own headers first: a proxy in between may need Authorization for itself.
        foreach (var header in headers)
        {
            var value = request.Headers[header];
            if (value.Count > 0 && value[0] is { Length: > 0 } token) return token;
        }

        if (!AuthenticationHeaderValue.TryParse(request.Headers[HeaderNames.Authorization], out var authorization) ||
            authorization.Parameter is not { Length: > 0 } parameter)
            return null;

        if (authorization.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase)) return parameter.Trim();
        return authorization.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) ? Password(parameter) : null;
    }

    /// <summary>Three dot-separated parts, the first of which opens a JSON object in base64url.</summary>
    public static bool LooksLikeJwt(string token) => token.StartsWith("eyJ", StringComparison.Ordinal) && token.AsSpan().Count('.') == 2;

    private static string Password(string parameter)
    {
        var bytes = new byte[parameter.Length];
        if (!Convert.TryFromBase64String(parameter, bytes, out var length)) return parameter;

        var userAndPassword = Encoding.UTF8.GetString(bytes, 0, length);
        return userAndPassword[(userAndPassword.IndexOf(':') + 1)..];
    }
}
