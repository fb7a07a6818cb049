using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using WebhookService.Api.Errors;
using WebhookService.Domain;

namespace WebhookService.Api.Devices;

/// <summary>
/// Client ids as one segment of a path. MQTT allows anything in them, so `a/b` is written `a%2Fb`, `..` is `%2E%2E` and `%` is `%25`. Kestrel
/// decodes all but %2F before routing and takes dot segments away, which leaves no way back; so below /api/v1/devices routing gets the path
/// as it came over the wire, and the id is decoded once, here.
/// </summary>
/// <remarks>
/// Some clients take `.` and `..` out of a path before they send it, written %2E or not (browsers, curl without --path-as-is, .NET's Uri).
/// These two ids are read by filters (`?clientId=..`) and by POST /devices/state:batch from there.
/// </remarks>
internal static class ClientIdInPath
{
    private const string Below = "/api/v1/devices/";

    /// <summary>65,535 bytes, all of them percent-encoded, and room for the rest of the line.</summary>
    private const int MaxRequestLine = 3 * MqttText.MaxBytes + 16 * 1024;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IServiceCollection AddClientIdsInPaths(this IServiceCollection services) => services.Configure<KestrelServerOptions>(kestrel =>
        kestrel.Limits.MaxRequestLineSize = Math.Max(kestrel.Limits.MaxRequestLineSize, MaxRequestLine));

    /// <summary>Stands before routing.</summary>
    public static IApplicationBuilder UseClientIdsInPaths(this IApplicationBuilder app)
    {
        app.Use((context, next) =>
        {
            var raw = RawPath.Of(context);
            var start = context.Request.PathBase + Below;
            if (raw.StartsWith(start, StringComparison.OrdinalIgnoreCase))
                context.Request.Path = new PathString(raw[(start.Length - Below.Length)..]); // the constructor: a conversion from string would decode
            else if (context.Request.Path.Value!.StartsWith(Below, StringComparison.OrdinalIgnoreCase))
                throw ApiException.BadRequest("path-disguised", "The path is encoded where it need not be.", hint: $"Write {Below} plainly, and percent-encode the client id behind it.");
            return next(context);
        });
        return app;
    }

    public static string Encode(string clientId) => clientId is "." or ".." ? clientId.Replace(".", "%2E", StringComparison.Ordinal) : Uri.EscapeDataString(clientId);

    /// <exception cref="ApiException">The segment is no percent-encoded UTF-8.</exception>
    public static string Decode(string segment)
    {
        var bytes = new byte[Strict.GetMaxByteCount(segment.Length)];
        var length = 0;
        try
        {
            for (var rest = segment.AsSpan(); !rest.IsEmpty;)
            {
                var plain = rest.IndexOf('%') is >= 0 and var percent ? percent : rest.Length;
                length += Strict.GetBytes(rest[..plain], bytes.AsSpan(length));
                rest = rest[plain..];
                if (rest.IsEmpty) break;

                if (rest.Length < 3 || Convert.FromHexString(rest[1..3], bytes.AsSpan(length), out _, out _) is not OperationStatus.Done)
                    throw Undecodable("a % that is not followed by two hexadecimal digits; write % as %25");
                length++;
                rest = rest[3..];
            }
            return Strict.GetString(bytes, 0, length);
        }
        catch (Exception fault) when (fault is DecoderFallbackException or EncoderFallbackException)
        {
            throw Undecodable("bytes that are not UTF-8");
        }
    }

    private static ApiException Undecodable(string what) =>
        ApiException.BadRequest("invalid-value", $"The client id in the path holds {what}.", "clientId", "Percent-encode the UTF-8 bytes of the id.");
}

/// <summary>Binds a client id from the path segment of its name, decoded and checked.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class ClientIdFromPathAttribute : ModelBinderAttribute
{
    public ClientIdFromPathAttribute()
        : base(typeof(Binder)) => BindingSource = BindingSource.Path;

    private sealed class Binder : IModelBinder
    {
        public Task BindModelAsync(ModelBindingContext bindingContext)
        {
            var segment = (string)bindingContext.ActionContext.RouteData.Values[bindingContext.FieldName]!;
            bindingContext.Result = ModelBindingResult.Success(new ClientId(ClientIdInPath.Decode(segment)).Value);
            return Task.CompletedTask;
        }
    }
}

/// <summary>The path of a request as it came over the wire, percent-encoding and all.</summary>
internal static class RawPath
{
    public static string Of(HttpContext http)
    {
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (!target.StartsWith('/') && target.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme) // absolute form, as sent to proxies
        {
            var slash = target.IndexOf('/', scheme + 3);
            target = slash < 0 ? "/" : target[slash..];
        }
        var query = target.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? target : target[..query];
    }
}
